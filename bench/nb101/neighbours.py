"""Which cells are one edit away from which.

The paper (arXiv 2410.01431) names the moves and no more: a vertex added or removed, an edge added
or removed, an operation changed. Everything else here is ours:

- change the operation of one interior vertex;
- remove an edge;
- add an edge u -> v between two vertices that are not adjacent, wherever no path v -> u exists (so
u is
  not the output and v not the input);
- remove an interior vertex with its edges;
- add a vertex with any operation, one edge in from u and one edge out to v, for all u != v without
a
  path v -> u (u -> v itself may be an edge or not);

each followed by pruning, and kept if it is a valid cell and another cell. Edits are judged on the
graph, not on its matrix: a cell's neighbours do not depend on how its vertices are numbered.

The relation is not symmetric and is not made so. One edit undoes a change of operation, the adding
of anything, the removal of an edge that prunes nothing, and the removal of a vertex with one edge
in and one edge out that prunes nothing else. One-way are removals that prune more than they name,
and the removal of a vertex with more than one edge in or out, unless the same cell is reached
another way.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import MAX_EDGES, MAX_VERTICES, Cell, parse
from rlnas.bench.nb101.cell import OPS as OP_NAMES
from rlnas.bench.nb101.forms import NUM_OPS, enumerate_space
from rlnas.bench.nb101.rows import adjacency_of, find_form, reachability, to_form, weights_of
from rlnas.bench.progress import bar


def _edits(v: int, matrix: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, int | None]]:
    """Every edit of the structure of cells with v vertices, one kind after the other.

    matrix: bool [C, 7, 7], the classes' graphs. Yields: the classes that allow the edit, int [K];
    what becomes of them, bool [K, 7, 7]; the vertex whose operation is then free (any of the
    three), or None. The first place after the output takes an added vertex, so the output stays
    vertex v - 1.
    """
    reach = reachability(matrix)
    num_edges = matrix.sum((1, 2))
    everything = np.arange(len(matrix))
    for x in range(1, v - 1):
        yield everything, matrix, x
        removed = matrix.copy()
        removed[:, x, :] = removed[:, :, x] = False
        yield everything, removed, None
    for x in range(v):
        for y in range(v):
            which = np.flatnonzero(matrix[:, x, y])
            removed = matrix[which]
            removed[:, x, y] = False
            yield which, removed, None
            if x == y or x == v - 1 or y == 0:
                continue
            allowed = ~reach[:, y, x]
            which = np.flatnonzero(allowed & ~matrix[:, x, y] & (num_edges < MAX_EDGES))
            added = matrix[which]
            added[:, x, y] = True
            yield which, added, None
            if v < MAX_VERTICES:
                which = np.flatnonzero(allowed & (num_edges + 2 <= MAX_EDGES))
                added = matrix[which]
                added[:, x, v] = added[:, v, y] = True
                yield which, added, v


def _candidates(v: int, class_bits: np.ndarray, max_vertices: int) -> tuple[np.ndarray, ...]:
    """All edits of the classes, by class, as what they do to a labelling: it becomes, as an index
    into the rows of the space, `start + labels @ weights`.

    class_bits: uint32 [C]. Returns class int [K] ascending, weights int32 [K, 7], start int32 [K].
    """
    index = enumerate_space(max_vertices)[1]
    parts = []
    for which, matrix, free in _edits(v, adjacency_of(class_bits)):
        num_vertices, bits, place = to_form(matrix, np.full(len(matrix), v - 1))
        weights = weights_of(num_vertices, place)
        start, found = find_form(index, num_vertices, bits)
        which, weights, start = which[found], weights[found], start[found]
        if free is None:
            parts.append((which, weights, start))
        else:
            weight = weights[:, free].copy()
            weights[:, free] = 0
            parts.extend((which, weights, start + op * weight) for op in range(NUM_OPS))
    which, weights, start = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(which, kind="stable")
    return which[order], weights[order], start[order]


def all_neighbours(max_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """The neighbours of every cell of the space, computed (see `graph.neighbour_lists` for the
    cached).

    Returns offsets int32 [M + 1] and flat int32 [E]: row r's neighbours are
    flat[offsets[r] : offsets[r + 1]], ascending.
    """
    cells, index = enumerate_space(max_vertices)
    counts, flat = [], []
    with bar("neighbours", len(cells.bits), unit="cell") as progress:
        for v in range(2, max_vertices + 1):
            first, end = np.searchsorted(cells.num_vertices, [v, v + 1])
            class_bits, starts = np.unique(cells.bits[first:end], return_index=True)
            ends = np.append(starts[1:], end - first) + first
            which, weights, start = _candidates(v, class_bits, max_vertices)
            labels = np.zeros((end - first, MAX_VERTICES), np.int32)
            labels[:, 1 : v - 1] = cells.ops[first:end, : v - 2]
            bounds = np.searchsorted(which, np.arange(len(class_bits) + 1))
            for c, (a, b) in enumerate(zip(starts + first, ends, strict=True)):
                edits = slice(bounds[c], bounds[c + 1])
                # One class at a time: all its labellings against all its edits.
                found = index.rows[labels[a - first : b - first] @ weights[edits].T + start[edits]]
                found.sort(axis=1)
                fresh = found != np.arange(a, b, dtype=np.int32)[:, None]
                fresh[:, 1:] &= found[:, 1:] != found[:, :-1]
                counts.append(fresh.sum(1))
                flat.append(found[fresh])
                progress.update(int(b - a))
    offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int32)
    return offsets, np.concatenate(flat).astype(np.int32)


def neighbours_of(cell: Cell, max_vertices: int = MAX_VERTICES) -> list[Cell]:
    """The readable reference of the rule: every valid cell one edit away, in no order, isomorphic
    duplicates and the cell itself included. Slow; `all_neighbours` is tested against it."""
    n = cell.num_vertices
    edges = {(x, y) for x in range(n) for y in range(n) if cell.matrix[x][y]}
    ops = dict(enumerate(cell.ops))
    reach = reachability(np.array(cell.matrix))
    may_join = [
        (x, y)
        for x in range(n)
        for y in range(n)
        if x not in (y, n - 1) and y != 0 and not reach[y, x]
    ]

    edited: list[tuple[set[tuple[int, int]], dict[int, str]]] = []
    for x in range(1, n - 1):
        edited += [(edges, {**ops, x: op}) for op in OP_NAMES]
        edited += [
            ({edge for edge in edges if x not in edge}, {v: op for v, op in ops.items() if v != x})
        ]
    edited += [(edges - {edge}, ops) for edge in edges]
    edited += [(edges | {edge}, ops) for edge in may_join if edge not in edges]
    edited += [(edges | {(x, n), (n, y)}, {**ops, n: op}) for x, y in may_join for op in OP_NAMES]

    found = []
    for new_edges, new_ops in edited:
        order = _topological(new_edges, sorted(new_ops), last=n - 1)
        matrix = [[int((x, y) in new_edges) for y in order] for x in order]
        try:
            neighbour = parse(matrix, [new_ops[x] for x in order])
        except UserError:
            continue
        if neighbour.num_vertices <= max_vertices:
            found.append(neighbour)
    return found


def _topological(edges: set[tuple[int, int]], vertices: list[int], last: int) -> list[int]:
    """The vertices in an order along the edges, the input 0 first and the output `last` last."""
    order: list[int] = []
    left = [v for v in vertices if v not in (0, last)]
    while left:
        ready = next(v for v in left if not any((u, v) in edges for u in left))
        order.append(ready)
        left.remove(ready)
    return [0, *order, last]
