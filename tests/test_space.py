"""Cells as a JAX search space: encoding, neighbours, texts, partial tables."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import OPS, Cell, from_bits, parse
from rlnas.bench.nb101.graph import cells, neighbour_lists
from rlnas.bench.nb101.space import NUM_FEATURES, make_space
from tables import small_benchmark


@pytest.fixture(scope="module")
def space():
    return make_space(np.arange(2532), 5)


def encode(cell: Cell) -> np.ndarray:
    """The readable reference of `CellSpace.encode`."""
    matrix, labels = np.zeros((7, 7)), np.zeros((7, 5))
    matrix[: cell.num_vertices, : cell.num_vertices] = cell.matrix
    names = ["input", *OPS, "output"]
    for vertex, op in enumerate(cell.ops):
        labels[vertex, names.index(op)] = 1
    return np.concatenate([matrix.ravel(), labels.ravel()])


def reference_cells(max_vertices: int, rows) -> list[Cell]:
    every = cells(max_vertices)
    return [
        from_bits(int(v), int(every.bits[row]), [int(op) for op in every.ops[row][: v - 2]])
        for row in rows
        for v in [int(every.num_vertices[row])]
    ]


def test_it_is_a_search_space(space):
    assert isinstance(space, SearchSpace)
    assert space.size == 2532 and space.num_features == NUM_FEATURES == 84


def test_encodings_are_the_adjacency_and_the_one_hot_labels(space):
    rows = np.concatenate([np.arange(100), np.arange(100, 2532, 37)])
    expected = np.stack([encode(cell) for cell in reference_cells(5, rows)])
    np.testing.assert_array_equal(space.encode(jnp.asarray(rows, jnp.int32)), expected)


def test_encodings_of_seven_vertices():
    rows = np.random.default_rng(0).choice(423_624, 200, replace=False)
    rows.sort()
    space = make_space(rows, 7)
    expected = np.stack([encode(cell) for cell in reference_cells(7, rows)])
    np.testing.assert_array_equal(space.encode(jnp.arange(200, dtype=jnp.int32)), expected)


def test_texts_go_round_and_any_isomorphic_form_is_understood(space):
    for row in range(0, 2532, 50):
        assert int(space.parse(space.format(row))) == row
    one = parse(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", OPS[2], OPS[0], "output"],
    )
    other = parse(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", OPS[0], OPS[2], "output"],
    )
    assert space.row(one) == space.row(other)


@pytest.mark.parametrize(
    "text", ["", "110", "11x101 input,maxpool3x3,maxpool3x3,output", "1 input,output,"]
)
def test_a_text_that_is_no_cell_is_refused_with_an_example(space, text):
    with pytest.raises(UserError, match="expected the upper triangle row by row"):
        space.parse(text)


def test_neighbours_are_drawn_without_replacement_and_all_are_real(space):
    offsets, flat = neighbour_lists(5)
    for seed, row in enumerate((0, 5, 300, 2531)):
        archs, mask = space.neighbours(jax.random.key(seed), jnp.int32(row), 12)
        real = np.asarray(archs)[np.asarray(mask)]
        assert len(set(real)) == len(real) == min(12, offsets[row + 1] - offsets[row])
        assert set(real) <= set(flat[offsets[row] : offsets[row + 1]])
        assert (np.asarray(archs)[~np.asarray(mask)] == row).all()


def test_a_partial_table_is_the_subgraph_of_its_cells():
    rows = np.arange(0, 2532, 3)
    space = make_space(rows, 5)
    offsets, flat = neighbour_lists(5)
    for place in (0, 100, 843):
        inside = [r for r in flat[offsets[rows[place]] : offsets[rows[place] + 1]] if r % 3 == 0]
        found = space.flat[space.offsets[place] : space.offsets[place + 1]]
        np.testing.assert_array_equal(np.asarray(space.rows)[found], inside)
        assert space.cell(place) == reference_cells(5, [rows[place]])[0]
    missing = reference_cells(5, [1])[0]
    with pytest.raises(UserError, match=r"not in the table of 844 cells"):
        space.row(missing)


def test_a_row_outside_is_refused(space):
    with pytest.raises(UserError, match="the row of a cell is 2532; expected 0 to 2531"):
        space.cell(2532)


def test_the_python_side_explains_what_a_query_cannot_answer():
    benchmark = small_benchmark(4, rows=range(0, 91, 2))
    known, unknown = reference_cells(4, [4, 5])
    assert bool(benchmark.lookup(known).valid)
    with pytest.raises(UserError, match="is not in the table of 46 cells"):
        benchmark.lookup(unknown)
    with pytest.raises(UserError, match="no key was given"):
        small_benchmark(4, noise="sample").lookup(known)
