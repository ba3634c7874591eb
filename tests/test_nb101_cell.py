"""The readable reference of a cell, against published numbers and the official hashes."""

from __future__ import annotations

import json
import struct
import warnings
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import (
    Cell,
    from_bits,
    module_hash,
    parse,
    trainable_parameters,
    vertex_channels,
)

CONV3, CONV1, POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"

# The Inception-like cell of the official README.
README_MATRIX = [
    [0, 1, 1, 1, 0, 1, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 1, 0, 0],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 1],
    [0, 0, 0, 0, 0, 0, 0],
]
README_OPS = ["input", CONV1, CONV3, CONV3, CONV3, POOL, "output"]


def upper(n: int, *edges: tuple[int, int]) -> list[list[int]]:
    return [[int((x, y) in edges) for y in range(n)] for x in range(n)]


def renumbered(cell: Cell, priority: list[int]) -> Cell:
    """An isomorphic form: the topological order that takes, of the possible vertices, the smallest
    priority first."""
    order, left = [0], set(range(1, cell.num_vertices - 1))
    while left:
        ready = [v for v in left if not any(cell.matrix[u][v] for u in left)]
        order.append(min(ready, key=lambda v: priority[v]))
        left.remove(order[-1])
    order.append(cell.num_vertices - 1)
    return Cell(
        tuple(tuple(cell.matrix[x][y] for y in order) for x in order),
        tuple(cell.ops[x] for x in order),
    )


def test_readme_cell_has_the_published_number_of_parameters():
    cell = parse(README_MATRIX, README_OPS)
    assert (cell.num_vertices, cell.num_edges) == (7, 9)
    assert trainable_parameters(cell) == 2_694_282


def test_the_smallest_cell():
    cell = parse([[0, 1], [0, 0]], ["input", "output"])
    assert cell == from_bits(2, 1, [])
    # Three projections a stack: 128 -> 128 x 3, 128 -> 256 -> 256 -> 256, 256 -> 512 -> 512 -> 512.
    stem = 9 * 3 * 128 + 2 * 128
    pairs = [(128, 128)] * 3 + [(128, 256)] + [(256, 256)] * 2 + [(256, 512)] + [(512, 512)] * 2
    assert trainable_parameters(cell) == stem + sum(i * o + 2 * o for i, o in pairs) + 512 * 10 + 10


def test_channels_are_split_over_the_vertices_that_feed_the_output():
    # Three vertices feed the output: 128 = 43 + 43 + 42. Vertex 1 feeds only vertex 2, so it is as
    # wide.
    cell = parse(
        upper(6, (0, 1), (1, 2), (0, 3), (0, 4), (2, 5), (3, 5), (4, 5)),
        ["input", *[CONV1] * 4, "output"],
    )
    assert vertex_channels(cell, 64, 128) == [64, 43, 43, 43, 42, 128]


def test_pruning_drops_vertices_without_a_path():
    # 1 leads nowhere, 2 comes from nowhere; the rest is input -> 3 -> output.
    matrix = upper(5, (0, 1), (2, 3), (0, 3), (3, 4))
    cell = parse(matrix, ["input", CONV3, CONV3, POOL, "output"])
    assert cell == Cell(((0, 1, 0), (0, 0, 1), (0, 0, 0)), ("input", POOL, "output"))


def test_what_is_pruned_may_have_any_operation():
    matrix = upper(4, (0, 1), (0, 2), (2, 3))
    for op in ("conv5x5-bn-relu", None, 7):
        cell = parse(matrix, ["input", op, POOL, "output"])
        assert cell == parse(upper(3, (0, 1), (1, 2)), ["input", POOL, "output"])
    with pytest.raises(UserError, match="unknown operation '7'"):
        parse(matrix, ["input", POOL, 7, "output"])


def test_matrices_of_any_kind_are_read_and_no_entry_is_rounded():
    plain = upper(4, (0, 1), (0, 2), (1, 3), (2, 3))
    ops = ["input", CONV3, POOL, "output"]
    array = np.array(plain)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix(plain)
    kinds = [array.astype(bool), array.astype(float), matrix, pd.DataFrame(plain), jnp.array(plain)]
    for kind in kinds:
        for names in (ops, tuple(ops), np.array(ops), pd.Series(ops), ",".join(ops)):
            assert parse(kind, names) == parse(plain, ops)
    for entry in (0.97, np.float32(0.97), 1.5, -1, float("nan"), "x", None, [1], 2**70):
        wrong = [list(row) for row in plain]
        wrong[1][3] = entry
        with pytest.raises(UserError, match="row 1, column 3 of the adjacency matrix is ") as error:
            parse(wrong, ops)
        assert str(plain_of(entry)) in str(error.value)


def plain_of(entry: Any) -> Any:
    return entry.item() if isinstance(entry, np.generic) else entry


def test_limits_count_after_pruning():
    # Eight vertices and ten edges before pruning, one vertex and two edges of them dead.
    matrix = [[*row, 0] for row in README_MATRIX]
    matrix = [*([*row[:6], 0, row[6]] for row in matrix[:6]), [0] * 8, [0] * 8]
    matrix[1][6] = 1
    cell = parse(matrix, [*README_OPS[:6], CONV3, "output"])
    assert cell == parse(README_MATRIX, README_OPS)


@pytest.mark.parametrize(
    ("matrix", "ops", "reason"),
    [
        ([[0, 1], [0]], ["input", "output"], "square matrix"),
        ([[0, 1], [0, 0]], ["input", CONV1, "output"], "3 operations for 2 vertices"),
        ([[0]], ["input"], "at least the input and the output"),
        ([[0, 2], [0, 0]], ["input", "output"], "row 0, column 1 of the adjacency matrix is 2"),
        ([[0, 1], [1, 0]], ["input", "output"], "upper-triangular"),
        ([[1, 1], [0, 0]], ["input", "output"], "upper-triangular"),
        ([[0, 1], [0, 0]], ["output", "input"], "expected 'input' and 'output'"),
        (
            upper(3, (0, 1), (1, 2)),
            ["input", "conv5x5-bn-relu", "output"],
            "unknown operation 'conv5x5-bn-relu'",
        ),
        (upper(3, (0, 1)), ["input", CONV1, "output"], "no path"),
        (
            upper(8, *((v, v + 1) for v in range(7))),
            ["input", *[CONV1] * 6, "output"],
            "8 vertices after pruning",
        ),
        (
            upper(5, *((x, y) for y in range(5) for x in range(y))),
            ["input", *[POOL] * 3, "output"],
            "10 edges",
        ),
    ],
)
def test_an_invalid_cell_says_why(matrix, ops, reason):
    with pytest.raises(UserError, match=reason) as error:
        parse(matrix, ops)
    assert "\n" not in str(error.value)


def test_bits_number_the_edges_column_by_column():
    assert parse(upper(3, (0, 1), (1, 2)), ["input", POOL, "output"]).bits == 0b101
    cell = parse(README_MATRIX, README_OPS)
    assert from_bits(7, cell.bits, cell.labels) == cell


def test_the_hash_tells_labels_and_direction_apart():
    chain = upper(4, (0, 1), (1, 2), (2, 3))
    hashes = {
        module_hash(parse(chain, ["input", a, b, "output"]))
        for a in (CONV3, POOL)
        for b in (CONV3, POOL)
    }
    assert len(hashes) == 4


@settings(max_examples=50, deadline=None)
@given(
    bits=st.integers(0, 2**21 - 1),
    labels=st.lists(st.integers(0, 2), min_size=5, max_size=5),
    priority=st.permutations(range(7)),
)
def test_the_hash_and_the_parameters_do_not_depend_on_the_numbering(bits, labels, priority):
    # The chain 0 -> 1 -> ... -> 6, so that there is a path; what is too much goes, the lowest bits
    # first.
    chain = [v + v * (v + 1) // 2 for v in range(6)]
    bits |= sum(1 << b for b in chain)
    while bits.bit_count() > 9:
        bits &= ~(1 << next(b for b in range(21) if bits >> b & 1 and b not in chain))
    # Without one edge of the chain the numbering has some freedom.
    raw = from_bits(7, bits & ~(1 << chain[priority[0] % 6]), labels)
    try:
        cell = parse(raw.matrix, raw.ops)
    except UserError:
        return
    other = renumbered(cell, priority)
    assert module_hash(other) == module_hash(cell)
    # Channels that do not divide evenly go to the first vertices, so sizes may differ; evenly split
    # ones may not.
    feeding = sum(row[-1] for row in cell.matrix[1:])
    if feeding in (0, 1, 2, 4):
        assert trainable_parameters(other) == trainable_parameters(cell)


def test_a_sample_of_all_cells_has_the_official_hash_and_size(real_data: Path):
    with np.load(real_data / "nb101_all_cells.npz") as file:
        columns = {key: file[key][::4001] for key in file.files}
    for i in range(len(columns["bits"])):
        size = int(columns["num_vertices"][i])
        cell = from_bits(size, int(columns["bits"][i]), columns["ops"][i][: size - 2].tolist())
        assert parse(cell.matrix, cell.ops) == cell
        assert module_hash(cell) == columns["hash"][i].tobytes().hex()
        assert trainable_parameters(cell) == columns["trainable_params"][i]


def test_the_first_official_record_has_its_hash(real_data: Path):
    data = (real_data / "nb101_first_official_record.tfrecord").read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    hashed, _, adjacency, ops, _ = json.loads(data[12 : 12 + length])
    ops = ops.split(",")
    matrix = [
        [int(entry) for entry in adjacency[i : i + len(ops)]]
        for i in range(0, len(adjacency), len(ops))
    ]
    assert module_hash(parse(matrix, ops)) == hashed
