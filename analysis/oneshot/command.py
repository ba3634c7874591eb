"""`rlnas oneshot`: how well one network with shared weights ranks the cells that a table trained
one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.oneshot.settings import ENAS_PRESETS, PRESETS, EnasSettings, OneShotSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class OneShot(OneShotSettings):
    """Train networks that hold the weights of many cells; score every cell with them, and compare
    with the table.

    A supernet is trained on single paths (Guo et al. 2020, arXiv 1904.00420) on the images, splits
    and macro structure of the table; a cell's score is how well it does on the validation images
    with the shared weights. Cells with the same operations share them (few-shot NAS, Zhao et al.
    2021, arXiv 2006.06863); `--preset single` has one supernet of all cells. Reports rank
    correlations with intervals, what picking by the score costs, and the time saved (ENAS's trade,
    arXiv 1802.03268), beside what one real training of each cell, a short one and the number of
    parameters tell.

    Writes OUT/oneshot-<hash>/: scores.parquet, manifest.json and the figure. Interrupted, it goes
    on from the last epoch; seeds that are done are kept. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas oneshot
      rlnas oneshot --preset smoke
      rlnas oneshot --preset single --sampling fair
      rlnas oneshot --steps 100 --seeds 5
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


@dataclass(frozen=True)
class Enas(EnasSettings):
    """Train a controller and shared weights by turns; what does its choice cost?

    ENAS (Pham et al. 2018, arXiv 1802.03268), on the cells, images and macro structure of a table:
    the LSTM controller of the agent `enas_controller` draws the cells that the shared weights are
    trained on, and learns from their accuracy on a batch of validation images. At the end the best
    of its cells by shared weights are trained for real, which is looked up in the table (the same
    recipe, for real). Beside it, chance with as many trainings, and the controller on the table
    itself, a real training a query.

    Writes OUT/enas-<hash>/: a file a seed, manifest.json and the figure. Interrupted, it goes on
    from the last epoch; seeds that are done are kept. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas oneshot enas
      rlnas oneshot enas --preset smoke
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Enas:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, ENAS_PRESETS))

    def run(self) -> None:
        """Search, compare, write the files, print the table and where they lie."""
        self.check()
        from rlnas.analysis.oneshot.enas import finish

        finish(self)
