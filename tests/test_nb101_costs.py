"""What a cell's network computes, against other people's counts and a plain one."""

from __future__ import annotations

import csv
import gzip
from contextlib import suppress
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench.benchmark import Costed
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import costs
from rlnas.bench.nb101.cell import MAX_VERTICES, OPS, Cell, parse, vertex_channels
from rlnas.bench.nb101.space import make_space

NASLIB = ("input", "output", "maxpool3x3", "conv1x1-bn-relu", "conv3x3-bn-relu")


def random_cells(draws: int) -> list[Cell]:
    rng = np.random.default_rng(0)
    # Steps from vertex to vertex are likelier, so that large cells are among them.
    likely = np.triu(np.full((7, 7), 0.2), 1) + np.eye(7, k=1) / 2
    cells = []
    for _ in range(draws):
        matrix = (rng.random((7, 7)) < likely).astype(int)
        with suppress(UserError):  # no path, or too many edges
            cells.append(parse(matrix.tolist(), ["input", *rng.choice(OPS, 5).tolist(), "output"]))
    return cells


def counted(cells: list[Cell]) -> tuple[np.ndarray, np.ndarray]:
    """(FLOPs, density) of each."""
    bits = jnp.array([cell.bits for cell in cells], jnp.uint32)
    labels = [[*cell.labels, 3, 3, 3, 3, 3][: MAX_VERTICES - 2] for cell in cells]
    ops = jnp.array([sum(x << 2 * i for i, x in enumerate(row)) for row in labels], jnp.uint32)
    both = jax.jit(jax.vmap(lambda *cell: (costs.flops(*cell), costs.density(*cell))))
    flops, density = both(bits, ops)
    return np.asarray(flops), np.asarray(density)


def plain_flops(cell: Cell) -> float:
    def conv(area: int, kernel: int, channels_in: int, channels_out: int) -> int:
        return area * channels_out * (kernel * kernel * channels_in + 3)

    kernels = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
    total, before = 201_728 + conv(32 * 32, 3, 3, 128), 128
    for width, side in ((128, 32), (256, 16), (512, 8)):
        area = side * side
        for _ in range(3):
            channels = vertex_channels(cell, before, width)
            for v in range(1, cell.num_vertices):
                if cell.matrix[0][v]:
                    total += conv(area, 1, before, channels[v])
                if (op := cell.ops[v]) in kernels:
                    total += conv(area, kernels[op], channels[v], channels[v])
                elif op == "maxpool3x3":
                    total += area * 9 * channels[v]
            before = width
    return total


def test_closed_forms_agree_with_a_plain_count_for_cells_of_every_size() -> None:
    cells = random_cells(300)
    assert {cell.num_vertices for cell in cells} == {2, 3, 4, 5, 6, 7}
    flops, density = counted(cells)
    np.testing.assert_allclose(flops, [plain_flops(cell) for cell in cells], rtol=1e-6)
    expected = [cell.num_edges / cell.num_vertices for cell in cells]
    np.testing.assert_allclose(density, expected, rtol=1e-6)


def test_naslib_counts_the_same(real_data: Path) -> None:
    with gzip.open(real_data / "nb101_zero_cost_sample.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    cells = []
    for row in rows:
        matrix = np.array([int(digit) for digit in row["adjacency"]]).reshape(7, 7)
        cells.append(parse(matrix.tolist(), [NASLIB[int(op)] for op in row["ops"].split()]))
    assert len(cells) == 500
    expected = [float(row["flops"]) * 1e6 for row in rows]
    np.testing.assert_allclose(counted(cells)[0], expected, rtol=1e-6)


def test_a_space_tells_them() -> None:
    space = make_space(np.arange(50), 5)
    assert isinstance(space, Costed)
    cell = space.cell(40)
    assert float(space.flops(jnp.int32(40))) == pytest.approx(plain_flops(cell), rel=1e-6)
    assert float(space.density(jnp.int32(40))) == pytest.approx(cell.num_edges / cell.num_vertices)
