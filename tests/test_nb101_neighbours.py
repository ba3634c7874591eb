"""The neighbour lists against the readable rule, and their cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nb101_cells import TOTALS, cell_of, columns
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import from_bits
from rlnas.bench.nb101.forms import enumerate_space, labellings
from rlnas.bench.nb101.graph import Cells
from rlnas.bench.nb101.neighbours import all_neighbours, neighbours_of


@pytest.fixture(scope="module")
def every() -> Cells:
    return graph.cells(7)


@pytest.fixture(scope="module")
def lists() -> tuple[np.ndarray, np.ndarray]:
    return all_neighbours(7)  # computed here: the user's cached file is not what is tested


def test_neighbours_are_those_of_the_reference_whatever_the_form(every, lists):
    # Any form with any labelling, not the canonical one: the rule must not see the numbering.
    offsets, flat = lists
    forms = enumerate_space(7)[1]
    rng = np.random.default_rng(2)
    for v in range(2, 8):
        of_size = np.flatnonzero((forms.keys >> v * (v - 1) // 2) == 1)
        for form in rng.permutation(of_size)[:12]:
            labelling = int(rng.integers(3 ** (v - 2)))
            bits = int(forms.keys[form]) & ((1 << v * (v - 1) // 2) - 1)
            cell = from_bits(v, bits, labellings(v)[labelling].tolist())
            row = int(forms.rows[forms.offsets[form] + labelling])
            expected = set(graph.rows_of(columns(neighbours_of(cell))).tolist()) - {row}
            assert -1 not in expected
            assert flat[offsets[row] : offsets[row + 1]].tolist() == sorted(expected)


def test_the_smallest_cell_has_the_neighbours_of_the_rule(every, lists):
    # input -> output: no edge to add, one that cannot go, and a vertex beside it with any
    # operation.
    offsets, flat = lists
    assert [cell_of(every, row) for row in flat[: offsets[1]]] == [
        from_bits(3, 0b111, [op]) for op in range(3)
    ]


def test_the_lists_are_sorted_without_doubles_or_the_cell_itself(lists):
    offsets, flat = lists
    owner = np.repeat(np.arange(TOTALS[7]), np.diff(offsets))
    same_owner = owner[1:] == owner[:-1]
    assert (np.diff(flat)[same_owner] > 0).all()
    assert (flat != owner).all() and flat.min() >= 0 and flat.max() < TOTALS[7]
    assert np.diff(offsets).min() == 3  # no dead end: an agent can always move
    assert offsets.dtype == flat.dtype == np.int32


def test_the_rule_is_the_one_of_this_cache_version(lists):
    # If these change, so did the neighbours: raise graph.CACHE_VERSION.
    assert graph.CACHE_VERSION == 1
    assert (len(lists[1]), int(np.diff(lists[0]).max())) == (8_258_603, 84)
    assert len(all_neighbours(5)[1]) == 38_561


@pytest.mark.parametrize("max_vertices", [2, 3, 4, 5, 6])
def test_a_smaller_space_has_the_neighbours_that_lie_in_it(lists, max_vertices):
    offsets, flat = all_neighbours(max_vertices)
    rows = TOTALS[max_vertices]
    kept = lists[1][: lists[0][rows]] < rows
    np.testing.assert_array_equal(flat, lists[1][: lists[0][rows]][kept])
    np.testing.assert_array_equal(
        offsets, np.concatenate([[0], np.cumsum(kept)])[lists[0][: rows + 1]]
    )


def test_what_keeps_or_adds_a_vertex_can_be_undone(every):
    offsets, flat = all_neighbours(6)
    owner = np.repeat(np.arange(TOTALS[6]), np.diff(offsets))
    there, back = owner * TOTALS[6] + flat, flat.astype(np.int64) * TOTALS[6] + owner
    undone = np.isin(back, there)
    removes = every.num_vertices[flat] < every.num_vertices[owner]
    assert undone[~removes].all()
    assert 0 < undone[removes].mean() < 1


# The cache


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / f"nb101-neighbours-v{graph.CACHE_VERSION}-6.npz"


def test_the_lists_are_built_once(cached, monkeypatch):
    first = graph.neighbour_lists(6)
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]
    monkeypatch.setattr(graph, "all_neighbours", lambda _: pytest.fail("built again"))
    for built, loaded in zip(first, graph.neighbour_lists(6), strict=True):
        np.testing.assert_array_equal(built, loaded)
        assert built.dtype == loaded.dtype


@pytest.mark.parametrize(
    "damage",
    [
        "empty", "cut", "flipped", "garbage", "other arrays", "other shape", "a lone array",
        "other neighbours", "a row too high", "floats",
    ],
)  # fmt: skip
def test_a_damaged_file_is_built_again(cached, damage):
    expected = graph.neighbour_lists(6)
    intact = cached.read_bytes()
    data = bytearray(intact)
    if damage == "empty":
        cached.write_bytes(b"")
    elif damage == "cut":
        cached.write_bytes(data[: len(data) // 2])
    elif damage == "flipped":
        data[len(data) // 2] ^= 4
        cached.write_bytes(data)
    elif damage == "garbage":
        cached.write_bytes(b"garbage" * 100)
    elif damage == "other arrays":
        np.savez(cached, x=np.zeros(3))
    elif damage == "other shape":
        np.savez(cached, offsets=expected[0][:-1], flat=expected[1])
    elif damage == "other neighbours":
        np.savez(cached, offsets=expected[0], flat=expected[1][::-1])
    elif damage == "a row too high":
        np.savez(cached, offsets=expected[0], flat=np.where(expected[1] == 5, 10**9, expected[1]))
    elif damage == "floats":
        np.savez(cached, offsets=expected[0], flat=expected[1].astype(np.float64))
    else:
        with open(cached, "wb") as file:
            np.save(file, np.zeros(3))
    for found, right in zip(graph.neighbour_lists(6), expected, strict=True):
        np.testing.assert_array_equal(found, right)
    assert cached.read_bytes() == intact


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RLNAS_CACHE", str(tmp_path / "file"))
    assert len(graph.neighbour_lists(6)[0]) == TOTALS[6] + 1
