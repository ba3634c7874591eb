"""The enumeration of the cells, their hashes and parameters, against the readable reference of a
cell and against the official hashes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import jax
import numpy as np
import pytest

from nb101_cells import TOTALS, cell_of, sample, unpack
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import from_bits, module_hash, parse, trainable_parameters
from rlnas.bench.nb101.forms import COUNTS
from rlnas.bench.nb101.graph import Cells
from rlnas.bench.nb101.md5 import md5_hex
from wl_hash import wl_hash


@pytest.fixture(scope="module")
def every() -> Cells:
    return graph.cells(7)


@pytest.mark.parametrize("max_vertices", range(2, 8))
def test_the_space_has_the_published_size_in_canonical_order(every, max_vertices):
    cells = graph.enumerate_cells(max_vertices)
    assert len(cells.bits) == TOTALS[max_vertices] and sum(COUNTS.values()) == TOTALS[7]
    assert np.bincount(cells.num_vertices).tolist()[2:] == [
        COUNTS[v] for v in range(2, max_vertices + 1)
    ]
    order = np.lexsort((*cells.ops.T[::-1], cells.bits, cells.num_vertices))
    assert (order == np.arange(len(order))).all()
    for column, whole in zip(cells, every, strict=True):
        np.testing.assert_array_equal(column, whole[: len(column)])
    assert [column.dtype for column in cells] == [np.uint8, np.uint32, np.uint8]


@pytest.mark.long
def test_up_to_five_vertices_it_is_what_brute_force_finds():
    smallest: dict[str, tuple[int, int, tuple[int, ...]]] = {}
    for v in range(2, 6):
        for bits, labels in itertools.product(
            range(1 << v * (v - 1) // 2), itertools.product(range(3), repeat=v - 2)
        ):
            raw = from_bits(v, bits, labels)
            try:
                cell = parse(raw.matrix, raw.ops)
            except UserError:
                continue
            if cell == raw:  # the pruned ones came with fewer vertices
                smallest.setdefault(module_hash(cell), (v, bits, labels))
    cells = graph.enumerate_cells(5)
    found = [
        (c.num_vertices, c.bits, c.labels) for c in (cell_of(cells, row) for row in range(2532))
    ]
    assert found == list(smallest.values())


def test_the_shared_arrays_cannot_be_written(every):
    with pytest.raises(ValueError, match="read-only"):
        every.bits[0] = 0


@pytest.mark.parametrize("wrong", [1, 8])
def test_another_number_of_vertices_is_refused(wrong):
    for function in (graph.cells, graph.neighbour_lists, graph.hashes, graph.row_index):
        with pytest.raises(UserError, match=f"max_vertices = {wrong}; expected 2 to 7"):
            function(wrong)


# Hashes and parameters


def test_the_wl_hash_tells_all_cells_apart(every):
    halves = [wl_hash(*unpack(every, slice(i, i + 8192)), np) for i in range(0, TOTALS[7], 8192)]
    high, low = (np.concatenate(half).astype(np.uint64) for half in zip(*halves, strict=True))
    assert len(np.unique(high << np.uint64(32) | low)) == TOTALS[7]


def test_the_wl_hash_has_the_same_bits_in_numpy_and_in_jax(every):
    matrix, labels = unpack(every, sample(every, 50))
    for mine, theirs in zip(
        wl_hash(matrix, labels, np), jax.jit(wl_hash)(matrix, labels), strict=True
    ):
        assert mine.dtype == theirs.dtype == np.uint32
        np.testing.assert_array_equal(mine, theirs)


def test_padding_does_not_change_the_wl_hash(every):
    matrix, labels = unpack(every, 3)  # three vertices
    assert wl_hash(matrix[:3, :3], labels[:3], np) == wl_hash(matrix, labels, np)


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 258])
def test_md5_of_many_is_md5(length):
    messages = np.random.default_rng(length).integers(0, 256, (5, length), dtype=np.uint8)
    expected = [hashlib.md5(row.tobytes(), usedforsecurity=False).hexdigest() for row in messages]
    assert [row.tobytes().decode() for row in md5_hex(messages)] == expected


def test_hashes_and_parameters_are_those_of_the_reference(every):
    rows = sample(every, 60)
    some = Cells(*(column[rows] for column in every))
    cells = [cell_of(every, row) for row in rows]
    assert [row.tobytes().hex() for row in graph.module_hashes(some)] == [
        module_hash(cell) for cell in cells
    ]
    assert graph.parameters(some).tolist() == [trainable_parameters(cell) for cell in cells]
    small = {"in_channels": 1, "stem_channels": 16, "modules": 1, "classes": 7}
    assert graph.parameters(some, **small).tolist() == [
        trainable_parameters(cell, **small) for cell in cells
    ]


def test_the_hashes_of_a_space_are_in_row_order():
    cells, hashes = graph.cells(5), graph.hashes(5)
    assert hashes.shape == (2532, 16) and len(np.unique(hashes, axis=0)) == 2532
    assert hashes[2000].tobytes().hex() == module_hash(cell_of(cells, 2000))


@pytest.mark.long
def test_all_official_cells_are_the_rows_with_their_hashes_and_parameters(every, real_data: Path):
    with np.load(real_data / "nb101_all_cells.npz") as file:
        official = Cells(file["num_vertices"], file["bits"], file["ops"])
        hashes, params = file["hash"], file["trainable_params"]
    rows = graph.rows_of(official)
    np.testing.assert_array_equal(np.sort(rows), np.arange(TOTALS[7]))
    np.testing.assert_array_equal(graph.parameters(official), params)
    some = np.arange(0, TOTALS[7], 11)  # all take half a minute
    np.testing.assert_array_equal(
        graph.module_hashes(Cells(*(column[rows[some]] for column in every))), hashes[some]
    )
