"""`rlnas oneshot ghn`: what predicted weights know of cells that were never trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.ghn.settings import PRESETS, GhnSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class Ghn(GhnSettings):
    """Predict the weights of cells that were never trained; rank the cells by them.

    A graph hypernetwork (Zhang, Ren and Urtasun 2019, arXiv 1810.05749) reads a cell's graph and
    makes the weights of its convolutions, one forward pass a cell; it is trained on random cells of
    a table, on its images, splits and macro structure, some cells held out. A cell's score is its
    accuracy on the validation images with the predicted weights. Beside it: one supernet trained
    as long on the same cells, and the number of parameters; all against the table's own trainings.

    Writes OUT/ghn-<hash>/: scores.parquet, manifest.json and the figure, which `rlnas report` draws
    again. Interrupted, it goes on from the last epoch. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas oneshot ghn
      rlnas oneshot ghn --preset smoke
      rlnas oneshot ghn --held 1000 --seeds 5
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Ghn:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, PRESETS))

    def run(self) -> None:
        """Train what is missing, write the files, print the table and where they lie."""
        self.check()
        from rlnas.analysis.ghn.run import finish

        finish(self)
