"""`rlnas oneshot`: how well one network with shared weights ranks the cells that a table trained
one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.oneshot.settings import PRESETS, OneShotSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class OneShot(OneShotSettings):
    """Train one network that holds the weights of all cells; score every cell with them, and
    compare with the table.

    The supernet is trained by single-path uniform sampling (Guo et al. 2020, arXiv 1904.00420) on
    the images, splits and macro structure of the table; a cell's score is how well it does on the
    validation images with the shared weights. Reports rank correlations with intervals, what
    picking by the score costs, and the time saved (ENAS's trade, arXiv 1802.03268), beside what one
    real training of each cell, a short one and the number of parameters tell.

    Writes OUT/oneshot-<hash>/: scores.parquet, manifest.json and the figure. Interrupted, it goes
    on from the last epoch; seeds that are done are kept. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas oneshot
      rlnas oneshot --preset smoke
      rlnas oneshot --seeds 5 --epochs 80
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> OneShot:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, PRESETS))

    def run(self) -> None:
        """Train what is missing, compare, write the files, print the table and where they lie."""
        self.check()
        from rlnas.analysis.oneshot.train import finish

        finish(self)
