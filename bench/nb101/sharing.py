"""Which cells share their weights, and which of them a step of a supernet's training takes.

Split: few-shot NAS (Zhao et al. 2021, arXiv 2006.06863) has several supernets of parts of the
space, so that fewer cells pull at the same weights. Which parts is ours: cells with the same
operations at the same positions, and as many vertices that the output concatenates, so that a
weight is always used, and with all its channels; or cells of the same graph.

Sampling: uniform (Guo et al. 2020, arXiv 1904.00420); strictly fair (FairNAS, Chu et al. 2021,
arXiv 1907.01845), every operation once at every position before the weights are moved; sandwich
(Yu and Huang 2019, arXiv 1903.05134), the largest cell and the smallest beside a drawn one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, Literal

from rlnas.bench.nb101.cell import INPUT, OPS, OUTPUT, Cell, trainable_parameters

Sampling = Literal["uniform", "fair", "sandwich"]
Split = Literal["none", "operations", "graph"]
Whole = Callable[[int], int]
"""n -> a drawn whole number from 0 to n - 1."""
ORDERS = tuple(permutations(OPS))


def parts(cells: Sequence[Cell], split: Split) -> list[list[int]]:
    """The places of the cells that share their weights; none in two parts, each part ascending.

    operations: cells with the same operations at their positions, and as many vertices (but the
    input) before the output, which decide the channels. graph: cells of the same matrix; canonical
    cells of isomorphic graphs have the same.
    """
    found: dict[Any, list[int]] = {}
    for place, cell in enumerate(cells):
        before = sum(row[-1] for row in cell.matrix[1:])
        alike = {"none": None, "operations": (cell.ops, before), "graph": cell.matrix}[split]
        found.setdefault(alike, []).append(place)
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
    sizes = [trainable_parameters(cell) for cell in cells]
    ends = cells[sizes.index(max(sizes))], cells[sizes.index(min(sizes))]
    return lambda whole: [*ends, *uniform(whole)]
