"""The files of `rlnas landscape`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlnas import bench
from rlnas.analysis import store
from rlnas.analysis.landscape.figure import figure
from rlnas.analysis.landscape.measures import measure, summary, tables
from rlnas.analysis.landscape.text import text
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.style import save
from rlnas.analysis.text import tell
from rlnas.bench.files import at_once
from rlnas.bench.progress import bar


def finish(
    benchmark: str,
    walks: int,
    length: int,
    lags: int,
    alphas: Sequence[float],
    seed: int,
    epochs: int | None,
    rehearsal: bool,
    out: Path,
) -> Path:
    """Measure, write the files into a folder of `out`, print the table and where they lie; the
    options of the command."""
    there = bench.load(benchmark, epochs=epochs)
    check_rehearsal(there, rehearsal)
    settings = {"walks": walks, "length": length, "lags": lags, "alphas": alphas, "seed": seed}
    identity = {
        "format": "rlnas-landscape",
        "version": 1,
        "benchmark": there.describe(),
        **settings,
        **store.decided_by(there, measure),
    }
    with bar(f"landscape of {there.name}", 1, unit="benchmark") as shown:
        measured = measure(there, walks=walks, length=length, lags=lags, alphas=alphas, seed=seed)
        shown.update()
    folder = store.folder_of(out, "landscape", identity)
    with at_once():
        for name, rows in tables(measured).items():
            store.write_csv(folder / f"{name}.csv", rows)
        png, svg = save(figure(measured), folder)
        results = {"results": summary(measured), "versions": store.versions()}
        store.write_json(folder / "summary.json", identity | results)
        paths = {"figure": png, "": svg, "tables": folder, "summary": folder / "summary.json"}
        tell(text(measured), folder, paths)
    return folder
