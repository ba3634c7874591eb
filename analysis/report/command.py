"""`rlnas report`: the report of anything finished, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import Folder


@dataclass(frozen=True)
class Report:
    """Print the report of finished folders again; nothing is searched or trained.

    The figures and tables of comparisons and retrainings are drawn again from their numbers; of
    any other folder, what its command said is said again.

    Examples:
      rlnas report runs/compare-0123456789abcdef
      rlnas report runs/retrain-0123456789abcdef runs/landscape-0123456789abcdef
    """

    runs: Positional[tuple[Path, ...]] = ()
    """Folders that a command has written; run folders are reported together."""

    out: Folder = Path("figures")
    """Where to write the figure and table of run folders; the other folders keep theirs."""

    def run(self) -> None:
        """One folder after the other, single runs together."""
        from rlnas.analysis.report.kinds import report

        report(self.runs, self.out)
