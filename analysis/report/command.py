"""`rlnas report`: the report of anything finished, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional


@dataclass(frozen=True)
class Report:
    """Print the report of finished folders and draw their figures again; nothing is searched or
    trained.

    Examples:
      rlnas report runs/compare-0123456789abcdef
      rlnas report runs/retrain-0123456789abcdef
    """

    runs: Positional[tuple[Path, ...]] = ()
    """`compare-...` and `retrain-...` folders, and run folders, which are reported together."""

    out: Path = Path("figures")
    """Where to write the figure and table of run folders; the other folders keep theirs."""

    def run(self) -> None:
        """Retrainings and comparisons one by one, single runs together."""
        from rlnas.analysis.report.kinds import report

        report(self.runs, self.out)
