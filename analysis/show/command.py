"""`rlnas show`: one architecture, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from rlnas.bench.bounds import Epochs, PictureFile
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Show:
    """Draw an architecture and say where it stands: its row, its neighbours, its rank.

    The text says what leads where, what each training budget came to, and what the architecture
    costs; the picture draws its cell beside the accuracies of all architectures (of a space that is
    too large to ask, of 1,000 that are drawn at random). Accuracies are means over the repeats.

    Examples:
      rlnas show "110101 input,conv3x3-bn-relu,maxpool3x3,output"
      rlnas show 17 --benchmark nb101-mnist --out cell.svg
      rlnas show "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|none~2|" --benchmark \
nb201-cifar100
    """

    cell: Positional[str]
    """An architecture as `rlnas bench export` or a report writes it, in any form that its family
    knows; or, of a table, its number."""

    benchmark: str = "nb101-digits"
    """Where to look it up: a name that `rlnas bench list` shows, or the path of a table."""

    epochs: Epochs = None
    """Training budget that ranks and neighbours are of; None takes the longest."""

    out: PictureFile = None
    """The picture, .png or .svg; default: figures/cell-<hash of the benchmark and the
    architecture>.png."""

    def run(self) -> None:
        """Look it up, print, draw."""
        from rlnas.analysis.show.write import show

        if self.out is not None and self.out.suffix.lower() not in (".png", ".svg"):
            raise UserError(f"--out is {self.out}; expected a name that ends in .png or .svg")
        show(self.cell, self.benchmark, self.epochs, self.out)
