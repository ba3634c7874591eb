"""Reports of finished folders of `rlnas oneshot` and `rlnas oneshot enas`, from their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.analysis.oneshot import enas_figure
from rlnas.analysis.oneshot.choices import Report as Choices
from rlnas.analysis.oneshot.figure import Cells, figure
from rlnas.analysis.oneshot.report import Report, Scored, Truth
from rlnas.analysis.oneshot.text import text
from rlnas.analysis.study import Study
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.checks import Fields, Text
from rlnas.bench.files import at_once
from rlnas.bench.nb101.cell import module_hash

OF = Fields({"name": Text()})
ONESHOT = Study("oneshot", 1, ("scores",), {"benchmark": OF, "results": Fields(), "score": Text()})
ENAS = Study("enas", 1, (), {"benchmark": OF, "results": Fields()})


def lines(truth: Truth, scored: Sequence[Scored]) -> list[dict[str, Any]]:
    """One a cell and seed: row in the table, the scores, and the table's means. Accuracies are
    fractions."""
    hashes = [module_hash(cell) for cell in truth.cells]
    means = truth.val.mean(1), truth.test.mean(1)
    return [
        {
            "row": int(truth.rows[i]),
            "module_hash": hashes[i],
            "vertices": cell.num_vertices,
            "seed": one.seed,
            "shared_val_accuracy": one.accuracy[i],
            "shared_val_loss": one.loss[i],
            "table_val_mean": means[0][i],
            "table_test_mean": means[1][i],
        }
        for one in scored
        for i, cell in enumerate(truth.cells)
    ]


def write(folder: Path) -> None:
    """Draw the figure, print the table, and say where everything lies; of `rlnas oneshot`."""
    manifest, (scores,) = ONESHOT.read(folder)
    report, name = Report.of_summary(manifest["results"]), manifest["benchmark"]["name"]
    seeds = list(scores.groupby("seed"))
    scored = [
        Scored.none(int(str(seed)))._replace(
            accuracy=of["shared_val_accuracy"].to_numpy(np.float32),
            loss=of["shared_val_loss"].to_numpy(np.float32),
        )
        for seed, of in seeds
    ]
    first = seeds[0][1]
    cells = Cells(first["table_val_mean"].to_numpy(), first["vertices"].to_numpy())
    with at_once():
        png, svg = save(figure(report, cells, scored, manifest["score"], name), folder)
        tell(text(report, name), folder, {"figure": png, "": svg} | ONESHOT.paths(folder))


def write_enas(folder: Path) -> None:
    """The same of `rlnas oneshot enas`."""
    manifest, _ = ENAS.read(folder)
    report, name = Choices.of_summary(manifest["results"]), manifest["benchmark"]["name"]
    with at_once():
        png, svg = save(enas_figure.figure(report, name), folder)
        said = enas_figure.text(report, name)
        tell(said, folder, {"figure": png, "": svg} | ENAS.paths(folder))
