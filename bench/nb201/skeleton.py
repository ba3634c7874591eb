"""The networks around a cell, as data: NAS-Bench-201's and TransNAS-Bench-101's. Needs no torch.

Sources: TinyNetwork of D-X-Y/AutoDL-Projects (Dong and Yang 2020, arXiv 2001.00326); MacroNet of
yawen-d/TransNASBench (Duan et al. 2021, arXiv 2105.11871), whose micro networks are called
`64-41414-<cell>`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.cell import CONV1, CONV3, EDGES, SKIP, TRANSNAS, Digits, Variant

MACRO = "41414"
"""TransNAS-Bench-101's modules: 4 halves the image and doubles the channels, 1 keeps both."""


class Part(NamedTuple):
    """What an image of `before` channels goes through to be one of `after`; stride 2 halves it.

    conv: 3 x 3, BatchNorm. residual: two of them, beside a pool of stride 2 and a 1 x 1
    convolution. cell: the edges from its input stride, the others keep the size.
    """

    kind: Literal["conv", "residual", "cell"]
    before: int
    after: int
    stride: int


@dataclass(frozen=True)
class Skeleton:
    """stem: convolutions, a ReLU between two. body: what follows. last_norm: BatchNorm and ReLU
    before the mean over the image and the linear classifier. fan_out: convolutions are drawn by
    fan-out (He et al. 2015), else as torch draws them."""

    stem: tuple[Part, ...]
    body: tuple[Part, ...]
    last_norm: bool
    fan_out: bool

    @property
    def width(self) -> int:
        """Channels at the end."""
        return self.body[-1].after


def nb201(
    channels: int = cell.STEM_CHANNELS,
    modules: int = cell.STAGES,
    cells: int = cell.CELLS_A_STAGE,
    in_channels: int = 3,
) -> Skeleton:
    """Modules of equal cells, a residual block of stride 2 before all but the first."""
    body: list[Part] = []
    for module in range(modules):
        width = channels * 2**module
        if module:
            body.append(Part("residual", width // 2, width, 2))
        body += [Part("cell", width, width, 1)] * cells
    stem = Part("conv", in_channels, channels, 1)
    return Skeleton((stem,), tuple(body), last_norm=True, fan_out=False)


def transnas(
    channels: int = 64, modules: int = len(MACRO), cells: int = 2, in_channels: int = 3
) -> Skeleton:
    """The classification network: modules as `MACRO` says, over and over, the first cell of a
    module for its stride; a stem that quarters the image."""
    if channels < 2:
        raise UserError(f"found {channels} channels for a stem of two halves; expected at least 2")
    body: list[Part] = []
    width = channels
    for code in itertools.islice(itertools.cycle(MACRO[:2]), modules):
        before, stride = width, 1
        if code == "4":
            width, stride = 2 * width, 2
        body += [Part("cell", before, width, stride)] + [Part("cell", width, width, 1)] * (
            cells - 1
        )
    half = channels // 2
    stem = (Part("conv", in_channels, half, 2), Part("conv", half, channels, 2))
    return Skeleton(stem, tuple(body), last_norm=False, fan_out=True)


def around(variant: Variant, *sizes: int) -> Skeleton:
    """The network around the cells of a space. sizes: channels of the stem, modules, cells of each,
    channels of an image; the published ones where they are left out."""
    made = transnas if variant == TRANSNAS else nb201
    return made(*sizes)


def is_identity(part: Part, source: int) -> bool:
    """Whether a skip from node `source` of a cell passes its image on as it is."""
    return source > 0 or (part.stride == 1 and part.before == part.after)


def trainable_parameters(digits: Digits, made: Skeleton, classes: int = 10) -> int:
    """Of the network of a cell, in closed form."""
    total = sum(_conv_bn(3, part.before, part.after) for part in made.stem)
    for part in made.body:
        _, before, after, _ = part
        if part.kind == "residual":
            total += _conv_bn(3, before, after) + _conv_bn(3, after, after) + before * after
            continue
        for digit, (source, _) in zip(digits, EDGES, strict=True):
            width = after if source else before
            if digit in (CONV1, CONV3):
                total += _conv_bn(1 if digit == CONV1 else 3, width, after)
            elif digit == SKIP and not is_identity(part, source):
                total += _conv_bn(1, width, after)  # two halves
    return total + 2 * made.width * made.last_norm + (made.width + 1) * classes


def _conv_bn(kernel: int, before: int, after: int) -> int:
    """Parameters of a convolution without bias and its BatchNorm."""
    return kernel**2 * before * after + 2 * after
