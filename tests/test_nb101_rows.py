"""From any graph to its canonical row, against the readable reference of a cell."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nb101_cells import TOTALS, cell_of, columns, sample, unpack
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_bits, module_hash, parse
from rlnas.bench.nb101.graph import INPUT, OUTPUT, UNUSED, Cells
from wl_hash import wl_hash

row_of_one = jax.jit(graph.row_of)
row_of_many = jax.jit(jax.vmap(graph.row_of, in_axes=(None, 0, 0)))


@pytest.fixture(scope="module")
def every() -> Cells:
    return graph.cells(7)


@pytest.fixture(scope="module")
def index() -> graph.RowIndex:
    return graph.row_index(7)


def test_every_cell_is_found_at_its_row(every):
    np.testing.assert_array_equal(graph.rows_of(every), np.arange(TOTALS[7]))
    small = graph.rows_of(every, max_vertices=5)
    np.testing.assert_array_equal(
        small, np.where(np.arange(TOTALS[7]) < TOTALS[5], np.arange(TOTALS[7]), -1)
    )


@settings(max_examples=100, deadline=None)
@given(row=st.integers(0, TOTALS[7] - 1), order=st.permutations(range(1, 7)))
def test_the_row_does_not_depend_on_the_numbering_nor_on_where_the_padding_is(
    every, index, row, order
):
    matrix, labels = unpack(every, row)
    order = [0, *order]
    matrix, labels = matrix[np.ix_(order, order)], labels[order]
    assert row_of_one(index, matrix, labels) == row
    assert graph.row_of(index, matrix, labels, np) == row
    assert wl_hash(matrix, labels, np) == wl_hash(*unpack(every, row), np)


@settings(max_examples=200, deadline=None)
@given(
    edges=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12),
    labels=st.lists(st.integers(0, 2), min_size=6, max_size=6),
    output=st.integers(1, 6),
)
def test_any_graph_gets_the_row_of_the_reference_or_none(every, index, edges, labels, output):
    matrix = np.zeros((7, 7), bool)
    for x, y in edges:
        matrix[x, y] = True
    vertex_labels = np.array([INPUT, *labels])
    vertex_labels[output] = OUTPUT
    row = int(row_of_one(index, matrix, vertex_labels))
    expected = reference_of(matrix, vertex_labels, output)
    if expected is None:
        assert row == -1
    else:
        assert module_hash(cell_of(every, row)) == module_hash(expected)


def reference_of(matrix: np.ndarray, labels: np.ndarray, output: int) -> Cell | None:
    """By `parse`: the interior in some order along the edges, without what parse could not
    express."""
    order, left = [], set(range(7))
    while left:
        ready = [v for v in sorted(left) if not any(matrix[u, v] for u in left)]
        if not ready:
            return None  # a cycle
        order.append(ready[0])
        left.remove(ready[0])
    # Edges into the input or out of the output are on no path from one to the other.
    order = [0, *(v for v in order if v not in (0, output)), output]
    matrix = matrix.copy()
    matrix[:, 0] = matrix[output] = False
    names = from_bits(5, 0, [0, 1, 2]).ops
    try:
        return parse(
            matrix[np.ix_(order, order)].astype(int).tolist(),
            ["input", *(names[1 + labels[v]] for v in order[1:-1]), "output"],
        )
    except UserError:
        return None


@pytest.mark.long
def test_a_batch_is_its_singles_in_numpy_and_in_jax(every, index):
    rows = sample(every, 20)
    matrix, labels = unpack(every, rows)
    expected = [int(row_of_one(index, m, lab)) for m, lab in zip(matrix, labels, strict=True)]
    np.testing.assert_array_equal(row_of_many(index, matrix.astype(np.uint8), labels), expected)
    np.testing.assert_array_equal(graph.row_of(index, matrix, labels), expected)
    np.testing.assert_array_equal(graph.row_of(index, matrix, labels, np), rows)


def test_a_row_is_found_inside_a_scan(every, index):
    matrix, labels = map(jnp.asarray, unpack(every, np.array([5, 500, 50_000])))
    _, rows = jax.lax.scan(
        lambda _, each: (None, graph.row_of(index, *each)), None, (matrix, labels)
    )
    assert rows.tolist() == [5, 500, 50_000] and rows.dtype == jnp.int32


# The cell input -> conv3x3 (1) -> output (2), with room for more.
CHAIN = ((0, 1), (1, 2))
# All ten between five vertices in the order 0, 1, 3, 4, 2.
TEN = tuple(itertools.combinations((0, 1, 3, 4, 2), 2))


@pytest.mark.parametrize(
    ("reason", "edges", "labels", "in_space"),
    [
        ("a plain cell", CHAIN, {}, True),
        ("an edge out of the output is pruned", (*CHAIN, (2, 3)), {3: 0}, True),
        ("an edge into the input is pruned", (*CHAIN, (3, 0)), {3: 0}, True),
        ("a pruned vertex may have any label", (*CHAIN, (0, 3)), {3: 77}, True),
        ("a cycle on the way", (*CHAIN, (1, 3), (3, 1)), {3: 0}, False),
        ("a cycle beside the way", (*CHAIN, (3, 4), (4, 3)), {3: 0, 4: 0}, False),
        ("a loop", (*CHAIN, (1, 1)), {}, False),
        ("a cycle through input and output", (*CHAIN, (2, 0)), {}, False),
        ("no path", ((0, 1),), {}, False),
        ("no edge at all", (), {}, False),
        ("no output", CHAIN, {2: 0}, False),
        ("two outputs", CHAIN, {3: OUTPUT}, False),
        ("the output is the input", CHAIN, {0: OUTPUT, 2: 0}, False),
        ("padding on the way", CHAIN, {1: UNUSED}, False),
        ("a second input on the way", CHAIN, {1: INPUT}, False),
        ("a negative label on the way", CHAIN, {1: -1}, False),
        ("ten edges", TEN, {3: 0, 4: 0}, False),
    ],
)  # fmt: skip
def test_what_is_outside_the_space_has_no_row(every, index, reason, edges, labels, in_space):
    matrix, vertex_labels = np.zeros((7, 7), np.uint8), np.full(7, UNUSED, np.int32)
    vertex_labels[:3] = [INPUT, 0, OUTPUT]
    for x, y in edges:
        matrix[x, y] = 1
    for vertex, label in labels.items():
        vertex_labels[vertex] = label
    assert reason != "ten edges" or matrix.sum() == 10
    expected = int(graph.rows_of(columns([from_bits(3, 0b101, [0])]))[0]) if in_space else -1
    assert int(row_of_one(index, matrix, vertex_labels)) == expected
    assert int(graph.row_of(index, matrix, vertex_labels, np)) == expected


def test_a_larger_cell_is_outside_a_smaller_space(every):
    small = graph.row_index(5)
    rows = sample(every, 10)
    found = row_of_many(small, *unpack(every, rows))
    np.testing.assert_array_equal(found, np.where(rows < TOTALS[5], rows, -1))


def test_malformed_rows_of_a_file_have_no_row(every):
    cells = Cells(*(column[[100, 101, 102, 103]].copy() for column in every))
    cells.num_vertices[0] = 9
    cells.bits[1] |= 1 << 20  # an edge of a seventh vertex
    cells.ops[2, 0] = 7
    assert graph.rows_of(cells).tolist() == [-1, -1, -1, 103]


def test_every_form_of_a_cell_and_unpruned_specifications_are_found(every):
    rng = np.random.default_rng(1)
    raw = [
        from_bits(7, int(bits), labels)
        for bits, labels in zip(
            rng.integers(0, 1 << 21, 300), rng.integers(0, 3, (300, 5)).tolist(), strict=True
        )
    ]
    valid = 0
    for cell, row in zip(raw, graph.rows_of(columns(raw)), strict=True):
        try:
            expected = module_hash(parse(cell.matrix, cell.ops))
        except UserError:
            assert row == -1
            continue
        valid += 1
        assert module_hash(cell_of(every, row)) == expected
    assert 50 < valid < 250
