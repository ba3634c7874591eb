"""What kind of folder it is, and who reports it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis.comparison.runs import SUMMARY, collect
from rlnas.analysis.comparison.write import write
from rlnas.analysis.retrain import run as retrain_run
from rlnas.analysis.retrain import verdict as retrain_verdict
from rlnas.bench.errors import UserError


def report(folders: Sequence[Path], out: Path) -> None:
    """Retrainings and comparisons one by one, each into its own folder; run folders together, into
    `out`. `UserError` for a folder of no kind."""
    if not folders:
        raise UserError("no folders given; expected compare-..., retrain-... or run folders")
    single: list[Path] = []
    for folder in folders:
        if retrain_run.is_retraining(folder):
            retrain_verdict.write(folder)
        elif (folder / SUMMARY).is_file():
            write(collect([folder]), folder)
        else:
            single.append(folder)
    if single:
        write(collect(single), out)
