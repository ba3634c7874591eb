"""`rlnas landscape`: what a benchmark is like to walk on, before any agent does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.bounds import Epochs, Folder, Searches, Seed, Within
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Landscape:
    """Measure how rugged a benchmark is and what its rewards look like; nothing is searched.

    Random-walk autocorrelation and correlation length; local optima, the basins from which steepest
    ascent ends in them, and how far from the best test accuracy it ends; neighbours against rank of
    accuracy; and the distribution of the shaped reward of a random move. Accuracies are means over
    the repeats. Writes a figure, CSV files and a JSON summary.

    Examples:
      rlnas landscape
      rlnas landscape --benchmark nb101 --epochs 36 --walks 10000
      rlnas landscape --alphas 1 2 4 8 16 32
    """

    benchmark: str = "nb101-digits"
    """What to measure: a name that `rlnas bench list` shows, or the path of a table."""

    walks: Searches = 1000
    """Random walks; the intervals are over them, and there is none of fewer than 10."""

    length: Annotated[int, Within(2, 1000000)] = 200
    """Cells of a walk, after LAGS more at its start that are not counted."""

    lags: Annotated[int, Within(1, 1000000)] = 30
    """The longest lag of the autocorrelation, in steps."""

    alphas: Annotated[tuple[float, ...], Within(0, 1000, open=True)] = (1.0, 6.0, 32.0)
    """Shapes of the reward: exp(alpha (accuracy after - 1)) - exp(alpha (accuracy before - 1))."""

    seed: Seed = 0
    """Root of all randomness."""

    epochs: Epochs = None
    """Training budget of the table in epochs; None takes the longest."""

    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""

    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder landscape-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        check_at_least(1, walks=self.walks)
        if not 1 <= self.lags < self.length:
            raise UserError(
                f"--lags is {self.lags}; expected at least 1 and less than --length {self.length}"
            )
        if not self.alphas or not all(0 < alpha < 1000 for alpha in self.alphas):
            raise UserError(
                f"--alphas is {' '.join(map(str, self.alphas)) or 'empty'}; expected numbers from "
                "0 to 1000"
            )
        check_seed(self.seed)
        check_folder(self.out)

    def run(self) -> None:
        """Measure, write the files, print the table and where they lie."""
        from rlnas.analysis.landscape.write import finish

        self.check()
        finish(**vars(self))
