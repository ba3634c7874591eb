"""The vectorised engine against the readable reference of a cell, and against the official
hashes."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_bits, module_hash, parse, trainable_parameters
from rlnas.bench.nb101.forms import COUNTS, enumerate_space, labellings
from rlnas.bench.nb101.graph import INPUT, OUTPUT, UNUSED, Cells
from rlnas.bench.nb101.md5 import md5_hex
from rlnas.bench.nb101.neighbours import all_neighbours, neighbours_of

TOTALS = {2: 1, 3: 7, 4: 91, 5: 2_532, 6: 64_542, 7: 423_624}
row_of_one = jax.jit(graph.row_of)
row_of_many = jax.jit(jax.vmap(graph.row_of, in_axes=(None, 0, 0)))


@pytest.fixture(scope="module")
def every() -> Cells:
    return graph.cells(7)


@pytest.fixture(scope="module")
def index() -> graph.RowIndex:
    return graph.row_index(7)


@pytest.fixture(scope="module")
def lists() -> tuple[np.ndarray, np.ndarray]:
    return all_neighbours(7)  # computed here: the user's cached file is not what is tested


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


# --- Enumeration
# -----------------------------------------------------------------------------------


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


# --- From a graph to its row
# -----------------------------------------------------------------------


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
    assert graph.wl_hash(matrix, labels, np) == graph.wl_hash(*unpack(every, row), np)


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
        ("ten edges", tuple((x, y) for y in (1, 3, 4, 2) for x in (0, 1, 3, 4, 2)[: (1, 3, 4, 2).index(y) + 1]),
         {3: 0, 4: 0}, False),
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


# --- Hashes and parameters
# -------------------------------------------------------------------------


def test_the_wl_hash_tells_all_cells_apart(every):
    halves = [
        graph.wl_hash(*unpack(every, slice(i, i + 8192)), np) for i in range(0, TOTALS[7], 8192)
    ]
    high, low = (np.concatenate(half).astype(np.uint64) for half in zip(*halves, strict=True))
    assert len(np.unique(high << np.uint64(32) | low)) == TOTALS[7]


def test_the_wl_hash_has_the_same_bits_in_numpy_and_in_jax(every):
    matrix, labels = unpack(every, sample(every, 50))
    for mine, theirs in zip(
        graph.wl_hash(matrix, labels, np), jax.jit(graph.wl_hash)(matrix, labels), strict=True
    ):
        assert mine.dtype == theirs.dtype == np.uint32
        np.testing.assert_array_equal(mine, theirs)


def test_padding_does_not_change_the_wl_hash(every):
    matrix, labels = unpack(every, 3)  # three vertices
    assert graph.wl_hash(matrix[:3, :3], labels[:3], np) == graph.wl_hash(matrix, labels, np)


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


def test_all_official_cells_are_the_rows_with_their_hashes_and_parameters(every, real_data: Path):
    with np.load(real_data / "nb101_all_cells.npz") as file:
        official = Cells(file["num_vertices"], file["bits"], file["ops"])
        hashes, params = file["hash"], file["trainable_params"]
    rows = graph.rows_of(official)
    np.testing.assert_array_equal(np.sort(rows), np.arange(TOTALS[7]))
    np.testing.assert_array_equal(graph.parameters(official), params)
    np.testing.assert_array_equal(graph.module_hashes(every)[rows], hashes)


# --- Neighbours
# ------------------------------------------------------------------------------------


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


# --- The cache
# -------------------------------------------------------------------------------------


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
    "damage", ["empty", "cut", "flipped", "garbage", "other arrays", "other shape", "a lone array"]
)
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
