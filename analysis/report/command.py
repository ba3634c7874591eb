"""`rlnas report`: the report of anything finished, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Report:
    """Print the report of finished folders and draw their figures again; nothing is searched or
    trained.

    Examples:
      rlnas report runs/compare-0123456789abcdef
      rlnas report runs/retrain-0123456789abcdef
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """`compare-...` and `retrain-...` folders, and run folders, which are reported together."""

    out: Path = Path("figures")
    """Where to write the figure and table of run folders; the other folders keep theirs."""


def run(config: Report) -> None:
    """Retrainings and comparisons one by one, single runs together."""
    from rlnas.analysis.comparison import redraw
    from rlnas.analysis.retrain import run as retrain_run
    from rlnas.analysis.retrain import verdict as retrain_verdict

    if not config.runs:
        raise UserError("no folders given; expected compare-..., retrain-... or run folders")
    single: list[Path] = []
    for folder in config.runs:
        if retrain_run.is_retraining(folder):
            retrain_verdict.write(folder)
        elif (folder / redraw.SUMMARY).is_file():
            redraw.write(redraw.collect([folder]), folder)
        else:
            single.append(folder)
    if single:
        redraw.write(redraw.collect(single), config.out)
