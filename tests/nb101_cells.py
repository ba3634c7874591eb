"""All cells of NAS-Bench-101 for the tests of the engine, and the ways to and from the readable
reference."""

from __future__ import annotations

import numpy as np

from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_bits
from rlnas.bench.nb101.graph import UNUSED, Cells

TOTALS = {2: 1, 3: 7, 4: 91, 5: 2_532, 6: 64_542, 7: 423_624}


def cell_of(cells: Cells, row: int) -> Cell:
    v = int(cells.num_vertices[row])
    return from_bits(v, int(cells.bits[row]), cells.ops[row][: v - 2].tolist())


def columns(cells: list[Cell]) -> Cells:
    ops = np.full((len(cells), 5), UNUSED, np.uint8)
    for row, cell in zip(ops, cells, strict=True):
        row[: cell.num_vertices - 2] = cell.labels
    sizes = np.array([cell.num_vertices for cell in cells], np.uint8)
    return Cells(sizes, np.array([cell.bits for cell in cells], np.uint32), ops)


def sample(cells: Cells, of_each_size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(cells.num_vertices == v) for v in np.unique(cells.num_vertices)]
    return np.concatenate([rng.permutation(r)[:of_each_size] for r in rows])


def unpack(cells: Cells, rows) -> tuple[np.ndarray, np.ndarray]:
    """Matrix [..., 7, 7] and labels [..., 7] as `row_of` takes them."""
    return graph.adjacency_of(cells.bits[rows]), graph.labels_of(
        cells.num_vertices[rows], cells.ops[rows]
    )
