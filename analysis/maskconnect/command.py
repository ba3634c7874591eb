"""`rlnas maskconnect`: vertices that learn which inputs to take, in one training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.maskconnect.settings import PRESETS, MaskConnectSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class MaskConnect(MaskConnectSettings):
    """Learn which vertices are connected: binary masks of K inputs, in one training.

    After MaskConnect (Ahmed and Torresani 2018, arXiv 1709.09582), on the images, splits and macro
    structure of a table: every step samples K active inputs of each vertex by their scores, whose
    gradients go straight through the binary mask. Operations are given; what has the highest scores
    in the end is a cell of the table, compared there with all masks of K inputs, with those of as
    many edges once what leads nowhere is pruned, and with the mask of most parameters. Networks in
    training add parts up where the table's concatenate.

    Writes OUT/maskconnect-<hash>/: masks.parquet, choices.parquet, manifest.json and the figure,
    which `rlnas report` draws again. Interrupted, it goes on where it was. Needs the extra
    `retrain` (torch, nasbench-pytorch, scikit-learn).

    Examples:
      rlnas maskconnect
      rlnas maskconnect --preset smoke
      rlnas maskconnect --active 1 --sets 27
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> MaskConnect:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, PRESETS))

    def run(self) -> None:
        """Train what is missing, write the files, print the table and where they lie."""
        self.check()
        from rlnas.analysis.maskconnect.run import finish

        finish(self)
