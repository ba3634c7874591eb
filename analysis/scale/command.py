"""`rlnas scale`: what learning to search costs in spaces of different size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import Folder, Queries
from rlnas.bench.files import at_once


@dataclass(frozen=True)
class Scale:
    """Draw how searches improve with the look-ups spent on training; one line a benchmark.

    Reads trainings of `rlnas train`, writes figure and table. Trainings that differ by their seeds
    only are one line with its range; those of other settings have lines of their own, named by what
    differs. All in validation accuracy, which every benchmark knows. Left: the
    incumbent's above random search's after as many queries. Right: the share of random search's
    regret that is left; regret is measured from the best accuracy that any of the trainings'
    searches found in the space.

    Example:
      rlnas scale runs/train-* --queries 20
    """

    trainings: Positional[tuple[Path, ...]]
    """Folders that `rlnas train` wrote."""
    queries: Queries = 20
    """Queries of a search; the trainings' evaluations must have this count (10, 20 and 50 unless
    told otherwise)."""
    out: Folder = Path("runs/scale")
    """Folder to write figure.png, figure.svg and table.csv to."""

    def run(self) -> None:
        """Read, draw, and print the table."""
        from rlnas.analysis.folders import tell as tell_left
        from rlnas.analysis.scale import figure, text
        from rlnas.analysis.scale.data import grouped, read_all
        from rlnas.analysis.text import tell

        found, left = read_all(self.trainings, self.queries)
        groups = grouped(found)
        with at_once():
            png, svg = figure.write(self.out, groups, self.queries)
            table = text.write_table(self.out / "table.csv", groups)
            files = {"figure": png, "": svg, "table": table}
            tell(text.summary(groups, self.queries), self.out, files)
        tell_left(left)
