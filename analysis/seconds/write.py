"""How a comparison whose queries may be at any fidelity is written: figure, table and report."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.analysis import store
from rlnas.analysis.fidelity import text as of_fidelities
from rlnas.analysis.fidelity.measures import Agreement
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.seconds.figure import figure
from rlnas.analysis.seconds.measures import measure
from rlnas.analysis.seconds.sweep import compare, costs_of
from rlnas.analysis.seconds.text import text
from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.analysis.store import Run
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import Fidelities
from rlnas.bench.files import at_once, expanded, quoted

TABLE, AGREEMENT = "table.csv", "agreement.csv"


def opened(name: str, epochs: int | None, noise: str, rehearsal: bool) -> Fidelities:
    """A benchmark with its fidelities; `UserError` for one that is to train or rehearse on."""
    found: Fidelities = bench.load_fidelities(name, epochs=epochs, noise=noise)
    check_rehearsal(found.benchmark, rehearsal)
    if found.benchmark.distilled:
        raise UserError(
            f"{found.benchmark.name} is distilled, for training on; compare on what it imitates, "
            f"{found.benchmark.distilled}"
        )
    return found


def run(
    fidelities: Fidelities,
    agents: Sequence[str],
    *,
    kind: str,
    seconds: float | None = None,
    queries: int = 0,
    seeds: int,
    seed: int,
    out: Path,
    redo: bool,
    reference: str,
    agreement: Sequence[Agreement] = (),
    lenient: bool = False,
) -> None:
    """Run what is missing, and write and say what came of it. seconds, queries: as of `compare`.
    lenient: agents that cannot search here are left out, and that is said."""
    check_at_least(2, ", an interval needs them", seeds=seeds)
    check_seed(seed)
    out = Path(expanded(str(out)))
    check_folder(out)
    left: list[str] = []
    runs = compare(
        fidelities, agents, seconds=seconds, queries=queries, seeds=seeds, seed=seed, out=out,
        redo=redo, left=left if lenient else None,
    )  # fmt: skip
    identity: list[Any] = [[run.manifest["hash"], run.label] for run in runs]
    folder = store.folder_of(
        out, kind, [*identity, reference, [one._asdict() for one in agreement]]
    )
    whole = math.nan if seconds is None else costs_of(fidelities).whole
    written(folder, fidelities, runs, whole, reference, agreement)
    for run in runs:
        what = "history" if run is runs[0] else ""
        print(f"{what:8} {quoted(run.folder)}  {run.label}  ({came(run)})")
    for why in left:
        print(f"rlnas: left out: {why}", file=sys.stderr)


@at_once()
def written(
    folder: Path,
    fidelities: Fidelities,
    runs: Sequence[Run],
    whole: float,
    reference: str,
    agreement: Sequence[Agreement],
) -> None:
    measured = measure(runs, whole, reference)
    said = text(measured)
    name = fidelities.benchmark.name
    paths: dict[str, Path] = {}
    if agreement:
        said = f"{of_fidelities.text(name, fidelities.budgets.caption, agreement)}\n\n{said}"
        paths["agreement"] = folder / AGREEMENT
        store.write_csv(paths["agreement"], of_fidelities.rows(name, agreement))
    png, svg = save(figure(measured, agreement), folder)
    store.write_csv(folder / TABLE, measured.rows)
    tell(said, folder, {"figure": png, "": svg, "table": folder / TABLE} | paths)


def came(run: Run) -> str:
    """What a run took, or since when it is there."""
    if not run.new:
        return store.reused(run.manifest)
    queries = int(run.history.made.sum())
    return f"{queries:,} queries in {run.manifest['wall_seconds']:.1f} s, compilation included"
