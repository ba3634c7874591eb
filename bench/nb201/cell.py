"""The cell of NAS-Bench-201 and of TransNAS-Bench-101's micro space, in plain Python.

Four nodes; each sums what its edges bring from all earlier ones; node 0 is the input, node 3 the
output. A cell is six digits, the operations of the edges 0->1, 0->2, 1->2, 0->3, 1->3, 2->3.
Sources: Dong and Yang 2020 (arXiv 2001.00326) and D-X-Y/AutoDL-Projects; Duan et al. 2021 (arXiv
2105.11871) and yawen-d/TransNASBench.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from rlnas.bench.arguments import sequence, shown, whole
from rlnas.bench.errors import UserError

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
NONE, SKIP, CONV1, CONV3, POOL = range(len(OPS))
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""(from, to) of every digit."""
Digits = tuple[int, ...]

_SHUFFLE_SEED = 88  # of NAS-Bench-201's list of architectures (exps/NAS-Bench-201/main.py)
_TRANSNAS = re.compile(r"(?:64-41414-)?([0-3])_?([0-3]{2})_?([0-3]{3})")


@dataclass(frozen=True)
class Variant:
    """One of the two spaces.

    prefix: of its benchmarks' names. title: its name. ops: operations an edge may have, the first
    so many of `OPS`. strided: whether some of its cells halve the image, so that a skip from the
    input is a convolution there (a FactorizedReduce) and no identity.
    """

    prefix: str
    title: str
    ops: int
    strided: bool

    @property
    def size(self) -> int:
        return self.ops ** len(EDGES)


NB201 = Variant("nb201", "NAS-Bench-201", 5, strided=False)
TRANSNAS = Variant("tnb101", "TransNAS-Bench-101 micro", 4, strided=True)
VARIANTS = (NB201, TRANSNAS)


def of_ops(ops: int) -> Variant:
    """The space whose edges have so many operations."""
    return next(variant for variant in VARIANTS if variant.ops == ops)


def digits_of(variant: Variant, found: Any) -> Digits:
    """The digits of a cell given by its text (`from_text`), or by its six digits in a list or an
    array of any library. Raises `UserError`."""
    if isinstance(found, str):
        return from_text(variant, found)
    digits = sequence(found, "a cell", f"{len(EDGES)} operations, or its text")
    if len(digits) != len(EDGES):
        raise UserError(f"found a cell of {len(digits)} digits; expected {len(EDGES)}")
    return tuple(
        whole(digit, f"edge {place} of a cell", most=variant.ops - 1)
        for place, digit in enumerate(digits)
    )


def to_text(variant: Variant, cell: Any) -> str:
    """The official string: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`, or `64-41414-1_02_333`. cell: as
    `digits_of` takes it."""
    digits = digits_of(variant, cell)
    if variant is TRANSNAS:
        word = "".join(map(str, digits))
        return f"64-41414-{word[0]}_{word[1:3]}_{word[3:]}"
    edges = [f"{OPS[digit]}~{source}" for digit, (source, _) in zip(digits, EDGES, strict=True)]
    return "+".join(f"|{'|'.join(node)}|" for node in (edges[:1], edges[1:3], edges[3:]))


def from_text(variant: Variant, text: str) -> Digits:
    """The digits of an official string, or of six digits; `UserError` with the reason."""
    text = text.strip()
    form = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|" if variant is NB201 else "64-41414-1_02_333"
    if variant is TRANSNAS and (match := _TRANSNAS.fullmatch(text)):
        return tuple(map(int, "".join(match.groups())))
    if variant is NB201 and re.fullmatch(r"[0-4]{6}", text):
        return tuple(map(int, text))
    if re.fullmatch(rf"[0-{variant.ops - 1}]{{1,{len(EDGES) - 1}}}", text):
        raise UserError(
            f"{text} has {len(text)} of {len(EDGES)} digits: leading zeros are missing, as when a "
            "spreadsheet takes them for a number; make the file again with that column as text"
        )
    if not text.startswith("|"):
        raise UserError(
            f"{shown(text)} is no cell of {variant.title}; expected {form}, or six digits from 0 "
            f"to {variant.ops - 1}"
        )
    nodes = [node.strip("|").split("|") for node in text.split("+")]
    if [len(node) for node in nodes] != [1, 2, 3]:
        raise UserError(
            f"{shown(text)} has nodes with {[len(node) for node in nodes]} inputs; expected "
            f"[1, 2, 3]: {form}"
        )
    digits = []
    for (source, _), edge in zip(EDGES, itertools.chain(*nodes), strict=True):
        op, _, end = edge.partition("~")
        if op not in OPS[: variant.ops] or end != str(source):
            raise UserError(
                f"{shown(text)} has the edge {shown(edge)}; expected {source} after ~, and one of "
                f"{', '.join(OPS[: variant.ops])}"
            )
        digits.append(OPS.index(op))
    return tuple(digits)


@cache
def official_order(variant: Variant) -> tuple[Digits, ...]:
    """All cells by their number. NAS-Bench-201's is the official index: Python's shuffle, seeded
    with 88. TransNAS-Bench-101 names its cells, it does not number them: here their digits do."""
    cells = list(itertools.product(range(variant.ops), repeat=len(EDGES)))
    if variant is NB201:
        random.Random(_SHUFFLE_SEED).shuffle(cells)
    return tuple(cells)


def unique_text(variant: Variant, digits: Sequence[int]) -> str:
    """A text that isomorphic cells share: `to_unique_str(consider_zero=True)` of NAS-Bench-201.

    A skip passes on its node's sum; what comes from nothing is nothing; a sum's terms are sorted.
    Sums inside sums are not sorted again and nothing is not left out of a sum, so some equal
    networks still differ (they would be 4,930 in NAS-Bench-201, where the rule finds 6,466).
    Ours for TransNAS-Bench-101: a skip from the input is an operation like others (see `Variant`).
    """
    nothing = "#"
    nodes = ["0"]
    edges = iter(zip(digits, EDGES, strict=True))
    for node in (1, 2, 3):
        terms = []
        for digit, (source, _) in itertools.islice(edges, node):
            text = nodes[source]
            if digit == NONE or text == nothing:
                terms.append(nothing)
            elif digit == SKIP and not (variant.strided and source == 0):
                terms.append(text)
            else:
                terms.append(f"({text})@{OPS[digit]}")
        nodes.append("+".join(sorted(terms)))
    return nodes[-1]


@cache
def representatives(variant: Variant) -> tuple[int, ...]:
    """By a cell's number: the lowest number among the cells isomorphic to it."""
    first: dict[str, int] = {}
    return tuple(
        first.setdefault(unique_text(variant, digits), number)
        for number, digits in enumerate(official_order(variant))
    )


# NAS-Bench-201's network around the cell (`skeleton`).

STEM_CHANNELS = 16
CELLS_A_STAGE = 5
STAGES = 3


def flops(
    digits: Sequence[int],
    *,
    classes: int = 10,
    channels: int = STEM_CHANNELS,
    cells: int = CELLS_A_STAGE,
    stages: int = STAGES,
    in_channels: int = 3,
    side: int = 32,
) -> int:
    """Of NAS-Bench-201's network of a cell for an image of side x side, in closed form.

    Counted as NASLib does (tensorwatch): a convolution's and the classifier's multiply-adds; 2 an
    element for batch norm and 1 for ReLU; a pool's window for each of its outputs, (s + 1)^2 for
    the last one over s x s. (The paper's own numbers hold convolutions and classifier alone.)
    """
    widths = [channels * 2**stage for stage in range(stages)]
    sides = [-(-side // 2**stage) for stage in range(stages)]
    areas = [s * s for s in sides]
    total = (9 * in_channels + 2) * channels * areas[0]
    for stage in range(1, stages):
        before, after, area = widths[stage - 1], widths[stage], areas[stage]
        total += before * areas[stage - 1]  # ReLU before the convolution of stride 2
        total += (9 * before * after + 9 * after * after + before * after) * area
        total += (2 + 1 + 2) * after * area + 4 * before * area  # norms and ReLU; the 2 x 2 pool
    a_stage = {NONE: 0, SKIP: 0, POOL: 9}
    for digit in digits:
        for width, area in zip(widths, areas, strict=True):
            each = a_stage.get(digit, (1 if digit == CONV1 else 9) * width + 3)
            total += cells * each * width * area
    last = widths[-1]
    return total + last * (3 * areas[-1] + (sides[-1] + 1) ** 2) + last * classes
