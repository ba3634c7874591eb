"""Which cells share their weights, and which of them a step of a supernet's training takes.

Split: few-shot NAS (Zhao et al. 2021, arXiv 2006.06863) has several supernets of parts of the
space, so that fewer cells pull at the same weights. Ours is its extreme: one for each graph, whose
cells differ in their operations alone.

Sampling: uniform (Guo et al. 2020, arXiv 1904.00420); strictly fair (FairNAS, Chu et al. 2021,
arXiv 1907.01845), every operation once at every position before the weights are moved; sandwich
(Yu and Huang 2019, arXiv 1903.05134), the largest cell and the smallest beside a drawn one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Literal

from rlnas.bench.nb101.cell import INPUT, OPS, OUTPUT, Cell, trainable_parameters

Sampling = Literal["uniform", "fair", "sandwich"]
Split = Literal["none", "graph"]
Whole = Callable[[int], int]
"""n -> a drawn whole number from 0 to n - 1."""
ORDERS = tuple(permutations(OPS))


def parts(cells: Sequence[Cell], split: Split) -> list[list[int]]:
    """The places of the cells that share their weights; none in two parts, each part ascending.

    graph: cells of the same matrix. Canonical cells of isomorphic graphs have the same.
    """
    if split == "none":
        return [list(range(len(cells)))]
    found: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for place, cell in enumerate(cells):
        found.setdefault(cell.matrix, []).append(place)
    return list(found.values())


def sampler(cells: Sequence[Cell], sampling: Sampling) -> Callable[[Whole], list[Cell]]:
    """What draws the cells of a step, whose gradients are averaged.

    fair: three with the matrix of a drawn cell; at each position, each of the operations in one of
    them. They need not be canonical, nor among `cells`.
    """

    def uniform(whole: Whole) -> list[Cell]:
        return [cells[whole(len(cells))]]

    def fair(whole: Whole) -> list[Cell]:
        (cell,) = uniform(whole)
        orders = [ORDERS[whole(len(ORDERS))] for _ in cell.ops[1:-1]]
        rows = [(INPUT, *(order[i] for order in orders), OUTPUT) for i in range(len(OPS))]
        return [Cell(cell.matrix, row) for row in rows]

    if sampling == "fair":
        return fair
    if sampling == "uniform":
        return uniform
    ends = max(cells, key=trainable_parameters), min(cells, key=trainable_parameters)
    return lambda whole: [*ends, *uniform(whole)]
