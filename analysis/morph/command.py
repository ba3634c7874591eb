"""`rlnas morph`: what inherited weights are worth, and a search by edits that keep the function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.morph.settings import PRESETS, MorphSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class Morph(MorphSettings):
    """Grow cells by edits that change no output; train on from inherited weights.

    After EAS (Cai et al. 2018, arXiv 1707.04873) and its path-level edits (arXiv 1806.02639), on
    the images, splits and macro structure of a table. First, pairs of a cell and an edit of it: how
    many epochs the edited cell needs, from its parent's weights, to the accuracy that trainings
    from scratch have in the table. Then a search: REINFORCE actors choose edits of a start cell,
    every new cell is trained on from the start's weights, and the best is compared with the
    table's; the same with random edits.

    Writes OUT/morph-<hash>/: pairs.parquet, nets.parquet, manifest.json and the figure, which
    `rlnas report` draws again. Interrupted, it goes on where it was; pairs and searches that are
    done are kept. Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).

    Examples:
      rlnas morph
      rlnas morph --preset smoke
      rlnas morph --pairs 60 --seeds 5
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Morph:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, PRESETS))

    def run(self) -> None:
        """Train what is missing, compare, write the files, print the tables and where they lie."""
        self.check()
        from rlnas.analysis.morph.run import finish

        finish(self)
