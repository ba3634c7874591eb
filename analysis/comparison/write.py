"""How every comparison is written: figure, table and summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis import store
from rlnas.analysis.comparison.figure import comparison
from rlnas.analysis.comparison.measures import measure, summary
from rlnas.analysis.comparison.runs import SUMMARY, check_comparable
from rlnas.analysis.comparison.table import text
from rlnas.analysis.outcome import finished
from rlnas.analysis.store import Run
from rlnas.analysis.style import save
from rlnas.analysis.text import places
from rlnas.bench.files import at_once, quoted


@at_once()
def draw(runs: Sequence[Run], folder: Path, reference: str = "") -> str:
    """Figure, CSV and JSON into `folder`; the table and the paths, to be said. reference: as
    `measure` takes it."""
    check_comparable(runs)
    measured = measure(runs, reference)
    store.write_csv(folder / "table.csv", measured.rows)
    png, svg = save(comparison(runs, measured), folder)
    store.write_json(folder / SUMMARY, summary(runs, measured))
    files = {"figure": png, "": svg, "table": folder / "table.csv", "summary": folder / SUMMARY}
    return f"{text(runs, measured)}\n\n{places(files)}"


def write(runs: Sequence[Run], folder: Path, reference: str = "") -> None:
    """`draw`, and say it."""
    print(draw(runs, folder, reference))


def folder_for(runs: Sequence[Run], out: Path, reference: str = "") -> Path:
    """Named by the hash of the runs in their order and of the reference that was asked for."""
    identity = [[run.manifest["hash"], run.label] for run in runs]
    return store.folder_of(out, "compare", [*identity, *([reference] if reference else [])])


def finish(runs: Sequence[Run], out: Path, reference: str = "") -> None:
    """A comparison in its own folder; then where the runs lie, and what they took or since when
    they are there."""
    folder = folder_for(runs, out, reference)
    write(runs, folder, reference)
    finished(folder)
    histories(runs)


def histories(runs: Sequence[Run]) -> None:
    """Where each run lies, and what it took or since when it is there."""
    for run in runs:
        what = "history" if run is runs[0] else ""
        print(f"{what:8} {quoted(run.folder)}  {run.label}  ({origin(run)})")
    print(f"memory   {store.peak_mb():,.0f} MB at most")


def origin(run: Run) -> str:
    """What a run took, or since when it, or a part of it, is there."""
    if not run.new:
        return store.reused(run.manifest)
    manifest, known = run.manifest, run.manifest["beginning"]
    seeds, queries = manifest["seeds"], manifest["budget"]
    there = known["seeds"] if known else 0
    parts = []
    if there < seeds:
        took = f"{(seeds - there) * queries:,} queries in {manifest['wall_seconds']:.1f} s"
        parts.append(f"{took}, compilation included")
    if there:
        parts.append(f"{there} of {seeds} seeds {store.reused(known)}")
    return "; ".join(parts)
