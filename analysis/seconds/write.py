"""How a comparison whose queries may be at any fidelity is written: figure, table and report."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.analysis import store
from rlnas.analysis.comparison.blocks import Source
from rlnas.analysis.fidelity import text as of_fidelities
from rlnas.analysis.fidelity.measures import Agreement
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.seconds import keep
from rlnas.analysis.seconds.figure import figure, said_of
from rlnas.analysis.seconds.measures import measure
from rlnas.analysis.seconds.sweep import compare, costs_of
from rlnas.analysis.seconds.text import none, text
from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import Run
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.fidelity import Fidelities
from rlnas.bench.files import at_once, expanded, quoted
from rlnas.bench.reading import read_json, write_json

TABLE, AGREEMENT, SUMMARY = "table.csv", "agreement.csv", "seconds.json"
FORMAT, VERSION = "rlnas-seconds", 1
AGAIN = "run the same command again"
SPANS = ("all", "best", "kept")
SPAN = Each(Number(null=True), length=3)
RULES = Fields(
    {
        "runs": Each(Fields({"hash": Text(form=rf"{keep.KIND}-[0-9a-f]{{16}}"), "agent": Text()})),
        "whole": Number(0, null=True),
        "reference": Text(),
        "agreement": Each(
            Fields(
                {
                    "epochs": Whole(1),
                    "architectures": Whole(1),
                    "seconds": Number(0, null=True),
                    **dict.fromkeys(SPANS, SPAN),
                }
            )
        ),
    }
)


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
    where: Executor = LOCAL,
    source: Source | None = None,
) -> None:
    """Run what is missing, and write and say what came of it. seconds, queries, where, source: as
    of `compare`. lenient: agents that cannot search here are left out, and that is said."""
    check_at_least(2, ", an interval needs them", seeds=seeds)
    check_seed(seed)
    out = Path(expanded(str(out)))
    check_folder(out)
    left: list[str] = []
    runs = compare(
        fidelities, agents, seconds=seconds, queries=queries, seeds=seeds, seed=seed, out=out,
        redo=redo, left=left if lenient else None, where=where, source=source,
    )  # fmt: skip
    identity: list[Any] = [[run.manifest["hash"], run.label] for run in runs]
    folder = store.folder_of(
        out, kind, [*identity, reference, [one._asdict() for one in agreement]]
    )
    whole = math.nan if seconds is None else costs_of(fidelities).whole
    written(folder, runs, whole, reference, agreement)
    for run in runs:
        what = "history" if run is runs[0] else ""
        print(f"{what:8} {quoted(run.folder)}  {run.label}  ({came(run)})")
    for why in left:
        print(f"rlnas: left out: {why}", file=sys.stderr)


@at_once()
def written(
    folder: Path,
    runs: Sequence[Run],
    whole: float,
    reference: str,
    agreement: Sequence[Agreement],
) -> None:
    """Figure, tables and report; and, last, what `redraw` needs."""
    measured = measure(runs, whole, reference)
    said = text(measured)
    name = measured.manifest["benchmark"]["name"]
    paths: dict[str, Path] = {}
    if agreement:
        said = f"{of_fidelities.text(name, said_of(measured.manifest), agreement)}\n\n{said}"
        paths["agreement"] = folder / AGREEMENT
        store.write_csv(paths["agreement"], of_fidelities.rows(name, agreement))
    png, svg = save(figure(measured, agreement), folder)
    store.write_csv(folder / TABLE, measured.rows)
    tell(said, folder, {"figure": png, "": svg, "table": folder / TABLE} | paths)
    write_json(
        folder / SUMMARY,
        {
            "format": FORMAT,
            "version": VERSION,
            "runs": [{"hash": run.folder.name, "agent": run.label} for run in runs],
            "whole": whole,
            "reference": reference,
            "agreement": [one._asdict() for one in agreement],
        },
    )


def redraw(folder: Path, out: Path, reference: str = "") -> None:
    """Figure, tables and report of what lies in `folder` into `out`, from the runs beside it; a
    `UserError` where these are not what it says."""
    path = folder / SUMMARY
    found = read_json(path, hint=AGAIN)
    if (found.get("format"), found.get("version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is no {FORMAT} version {VERSION}; {AGAIN}")
    check(found, RULES, path, AGAIN)
    runs = [keep.load(folder.parent / run["hash"], run["agent"]) for run in found["runs"]]
    agreement = []
    for one in found["agreement"]:
        spans = {name: Interval(*map(none, one[name])) for name in SPANS}
        agreement.append(Agreement(**one | spans | {"seconds": none(one["seconds"])}))
    written(out, runs, none(found["whole"]), reference or found["reference"], agreement)


def came(run: Run) -> str:
    """What a run took, or since when it is there."""
    if not run.new:
        return store.reused(run.manifest)
    queries = int(run.history.made.sum())
    return f"{queries:,} queries in {run.manifest['wall_seconds']:.1f} s, compilation included"
