"""`rlnas report`: the report of anything finished, again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import Folder, PageFile
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Report:
    """Print the report of finished folders again, or write it as a page; nothing is searched or
    trained.

    The figures and tables of comparisons and retrainings are drawn again from their numbers; of
    any other folder, what its command said is said again.

    Examples:
      rlnas report runs/compare-0123456789abcdef
      rlnas report runs/retrain-0123456789abcdef runs/landscape-0123456789abcdef
      rlnas report latest --html report.html
    """

    runs: Positional[tuple[Path, ...]] = ()
    """Folders that a command has written; run folders are reported together."""

    out: Folder = Path("figures")
    """Where to write the figure and table of run folders; the other folders keep theirs."""

    html: PageFile = None
    """One page, .html, with all of it, instead: curves to point at, tables to sort, the found
    architectures drawn, and where it comes from. It is one file and needs no network. Needs the
    extra `html` (Jinja2)."""

    def run(self) -> None:
        """One folder after the other, single runs together."""
        if self.html is not None:
            from rlnas.analysis.report.page import write

            if self.html.suffix.lower() not in (".html", ".htm"):
                raise UserError(f"--html is {self.html}; expected a name that ends in .html")
            return write(self.runs, self.html)
        from rlnas.analysis.report.kinds import report

        return report(self.runs, self.out)
