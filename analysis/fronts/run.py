"""`rlnas compare --objectives`: searches for several objectives, compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlnas import bench
from rlnas.agents.reward_words import asked_for
from rlnas.analysis import store
from rlnas.analysis.comparison.blocks import Source
from rlnas.analysis.comparison.measures import listed
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.comparison.write import histories
from rlnas.analysis.fronts.data import ground_of
from rlnas.analysis.fronts.figure import figure
from rlnas.analysis.fronts.measures import Measured, measure
from rlnas.analysis.fronts.text import text
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.settings import BASELINES
from rlnas.analysis.store import Run
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.files import at_once

AGENTS = (
    "random_search",
    "nsga2",
    "weighted",
    "weighted:agent=evolution",
    "weighted:agent=reinforce",
    "weighted:agent=ppo",
)
"""Who searches unless told otherwise: a front, or one weighting after the other."""


def compare_fronts(
    benchmark: str, agents: Sequence[str], objectives: Sequence[str], *, out: Path, reference: str,
    noise: str, epochs: int | None, reward: str, **options: Any,
) -> None:  # fmt: skip
    """Run what is missing, then write figure, table and numbers into a folder fronts-<hash>, and
    say all."""
    found = bench.load(benchmark, epochs=epochs, noise=noise)
    check_rehearsal(found, options.get("rehearsal", False))
    searched = asked_for(found, objectives, reward)
    who = AGENTS if tuple(agents) == BASELINES else agents
    source = Source(benchmark, epochs, noise, reward, tuple(objectives))
    runs = compare(searched, who, out=out, source=source, **options)
    draw(runs, searched, out, reference)
    histories(runs)


def draw(runs: Sequence[Run], searched: Any, out: Path, reference: str) -> None:
    ground = ground_of(searched, runs)
    measured = measure(runs, ground, reference)
    identity = {"runs": [[run.manifest["hash"], run.label] for run in runs], "reference": reference}
    folder = store.folder_of(out, "fronts", identity)
    names = [
        searched.space.format(np.asarray(ground.archs[i]).reshape(searched.space.arch_shape))
        for i in ground.front
    ]
    said = text(measured, names)
    table, front, numbers = (folder / name for name in ("table.csv", "front.csv", "fronts.json"))
    with at_once():
        png, svg = save(figure(measured, searched.space), folder)
        store.write_csv(table, measured.rows)
        store.write_csv(front, of_front(measured, names))
        store.write_json(numbers, summary(runs, measured))
        files = {"figure": png, "": svg, "table": table, "front": front, "numbers": numbers}
        tell(said, folder, files)
        store.write_json(folder / store.MANIFEST, {"format": "rlnas-fronts", **identity})


def of_front(measured: Measured, names: Sequence[str]) -> list[dict[str, Any]]:
    """A line an architecture: accuracy as a fraction, costs in their units."""
    ground = measured.ground
    points = ground.natural(ground.points[ground.front].copy())
    points[:, 0] /= 100
    keys = [objective.name for objective in ground.objectives]
    return [
        {"arch": name, **dict(zip(keys, point.tolist(), strict=True)), "knee": i == measured.knee}
        for i, (name, point) in enumerate(zip(names, points, strict=True))
    ]


def summary(runs: Sequence[Run], measured: Measured) -> dict[str, Any]:
    manifest, ground = measured.manifest, measured.ground
    return {
        "format": "rlnas-fronts",
        "version": 1,
        "benchmark": manifest["benchmark"],
        "objectives": [vars(objective) for objective in ground.objectives],
        "low": ground.low.tolist(),
        "high": ground.high.tolist(),
        "exact": ground.exact,
        "front": len(ground.front),
        "hypervolume": ground.volume,
        "budget": manifest["budget"],
        "reference": measured.reference,
        "leaders": list(measured.leaders),
        "runs": [listed(run) for run in runs],
        "table": list(measured.rows),
    }
