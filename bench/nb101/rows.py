"""From any labelled graph to its canonical row: prune, number upper-triangularly, look up.

Written once for numpy and jax.numpy (the argument `xp`), over any leading axes, without sorting or
data-dependent shapes: jit- and vmap-safe.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import jax.numpy as jnp
import numpy as np

from rlnas.bench.nb101.cell import MAX_VERTICES
from rlnas.bench.nb101.forms import (
    EDGE_X,
    EDGE_Y,
    NUM_OPS,
    UNUSED,
    Cells,
    RowIndex,
    enumerate_space,
    form_key,
    num_bits,
)

INPUT, OUTPUT = 3, 4  # labels beside the operations 0, 1, 2; `UNUSED` (255) for padding


def reachability(matrix: Any, xp: ModuleType = np) -> Any:
    """bool [..., n, n]: a path of at least one edge leads x -> y; so a true entry [x, x] is a
    vertex on a cycle. Warshall's algorithm."""
    reach = xp.asarray(matrix) != 0
    for k in range(reach.shape[-1]):
        reach = reach | (reach[..., :, k, None] & reach[..., None, k, :])
    return reach


def to_form(matrix: Any, output: Any, xp: ModuleType = np) -> tuple[Any, Any, Any]:
    """Prune graphs in any vertex numbering and number what is left upper-triangularly.

    matrix: bool [..., n, n], n <= 7, vertex 0 the input; output: int [...], the output vertex.
    Returns num_vertices int32 [...], 0 where no graph is left (a cycle anywhere, or no path); bits
    int32 [...], of any number of edges; place int32 [..., n], every vertex's new number, 7 if
    pruned.
    """
    matrix = xp.asarray(matrix) != 0
    vertices = xp.arange(matrix.shape[-1])
    reach = reachability(matrix, xp)
    same = vertices[:, None] == vertices
    cyclic = (reach & same).any((-2, -1))
    reach = reach | same
    is_output = vertices == xp.asarray(output)[..., None]
    keep = reach[..., 0, :] & (reach & is_output[..., None, :]).any(-1)
    # A kept vertex has more kept ancestors than each of them has, the input fewest, the output
    # most: so counting them, ties in the old order, is a topological order.
    ancestors = (reach & keep[..., :, None]).sum(-2, dtype=xp.int32)
    before = (ancestors[..., :, None] < ancestors[..., None, :]) | (
        (ancestors[..., :, None] == ancestors[..., None, :]) & (vertices[:, None] < vertices)
    )
    place = (before & keep[..., :, None]).sum(-2, dtype=xp.int32)
    matrix = matrix & keep[..., :, None] & keep[..., None, :]
    bit = place[..., :, None] + num_bits(place)[..., None, :]
    edges = xp.where(matrix, xp.int32(1) << bit, 0)
    valid = ~cyclic & keep[..., 0] & ~is_output[..., 0] & is_output.any(-1)
    num_vertices = xp.where(valid, keep.sum(-1, dtype=xp.int32), 0)
    return num_vertices, edges.sum((-2, -1), dtype=xp.int32), xp.where(keep, place, MAX_VERTICES)


def weights_of(num_vertices: Any, place: Any, xp: ModuleType = np) -> Any:
    """int32 [..., n]: what every vertex's operation counts in the labelling of the form of
    `to_form`; 0 for the input, the output and the pruned."""
    exponent = xp.asarray(num_vertices)[..., None] - 2 - place
    powers = xp.asarray(NUM_OPS ** np.arange(MAX_VERTICES), xp.int32)
    interior = (place > 0) & (exponent >= 0)
    return xp.where(interior, powers[xp.clip(exponent, 0, MAX_VERTICES - 1)], 0)


def find_form(
    index: RowIndex, num_vertices: Any, bits: Any, xp: ModuleType = np
) -> tuple[Any, Any]:
    """Where a form's labellings start in `index.rows`, int32 [...], and whether there is one, bool
    [...]: not for `num_vertices` 0, nor for more than 9 edges, of which the index has no form."""
    num_vertices, keys = xp.asarray(num_vertices), xp.asarray(index.keys)
    key = form_key(num_vertices, xp.asarray(bits))
    where = xp.clip(xp.searchsorted(keys, key), 0, len(keys) - 1)
    return xp.asarray(index.offsets)[where], (keys[where] == key) & (num_vertices > 1)


def row_of(index: RowIndex, adjacency: Any, labels: Any, xp: ModuleType = jnp) -> Any:
    """The canonical row of labelled graphs in any vertex numbering, int32 [...]; -1 outside the
    space.

    index: of `row_index`. adjacency: uint8 or bool [..., 7, 7], entry [x, y] the edge x -> y;
    labels: int [..., 7], 0 conv3x3, 1 conv1x1, 2 maxpool3x3, 4 (`OUTPUT`) on exactly one vertex,
    255 (or anything) on padding. Vertex 0 is the input, whatever its label. Vertices that are on no
    path from input to output are pruned and their labels do not matter, as in the official API.
    Outside the space is: a cycle anywhere, no path, more than 9 edges or more vertices than the
    index has after pruning, another label than 0, 1, 2 on a vertex that stays.
    """
    labels = xp.asarray(labels).astype(xp.int32)
    at_output = (labels == OUTPUT) & (xp.arange(labels.shape[-1]) > 0)
    one_output = at_output.sum(-1, dtype=xp.int32) == 1
    num_vertices, bits, place = to_form(adjacency, xp.argmax(at_output, -1), xp)
    weights = weights_of(num_vertices, place, xp)
    known = ((labels >= 0) & (labels < NUM_OPS)) | (weights == 0)
    start, found = find_form(index, num_vertices, bits, xp)
    valid = found & one_output & known.all(-1)
    labelling = (labels * weights).sum(-1, dtype=xp.int32)
    rows = xp.asarray(index.rows)
    return xp.where(valid, rows[xp.where(valid, start + labelling, 0)], xp.int32(-1))


def row_index(max_vertices: int = MAX_VERTICES) -> RowIndex:
    """The index for `row_of` of the space with at most `max_vertices` (2..7), as JAX arrays; 5.2 MB
    for 7."""
    return RowIndex(*map(jnp.asarray, enumerate_space(max_vertices)[1]))


def adjacency_of(bits: Any) -> np.ndarray:
    """bool [..., 7, 7] of `Cells.bits` [...]: entry [x, y] is the edge x -> y."""
    bits = np.asarray(bits, np.uint32)
    matrix = np.zeros((*bits.shape, MAX_VERTICES, MAX_VERTICES), bool)
    matrix[..., EDGE_X, EDGE_Y] = bits[..., None] >> np.arange(
        len(EDGE_X), dtype=np.uint32
    ) & np.uint32(1)
    return matrix


def labels_of(num_vertices: Any, ops: Any) -> np.ndarray:
    """uint8 [..., 7]: the labels of the vertices, as `row_of` takes them: 3 the input, 0..2 the
    operations, 4 the output (vertex V-1), 255 no vertex. Of `Cells` columns [...] and [..., 5]."""
    num_vertices, ops = np.asarray(num_vertices)[..., None], np.asarray(ops)
    edge = [(0, 0)] * (ops.ndim - 1) + [(1, 1)]
    vertices = np.arange(MAX_VERTICES)
    labels = np.where(vertices < num_vertices - 1, np.pad(ops, edge), UNUSED)
    labels[..., 0] = INPUT
    return np.where(vertices == num_vertices - 1, OUTPUT, labels).astype(np.uint8)


def rows_of(cells: Cells, max_vertices: int = MAX_VERTICES) -> np.ndarray:
    """int32 [K]: the canonical row of every cell of a file; -1 where it is not in the space.

    cells: upper-triangular specifications in the format of `Cells`, any isomorphic form, pruned or
    not. In numpy, about a million cells/s; graphs in other vertex numberings go to `row_of`.
    """
    index = enumerate_space(max_vertices)[1]
    num_vertices, bits, ops = (np.asarray(column) for column in cells)
    rows = np.full(len(bits), -1, np.int32)
    v = np.where((num_vertices >= 2) & (num_vertices <= MAX_VERTICES), num_vertices, 0).astype(
        np.int64
    )
    # Edges that reach beyond the last vertex make a malformed specification, not one to prune.
    todo = np.flatnonzero((v > 0) & (bits.astype(np.uint64) >> num_bits(v).astype(np.uint64) == 0))
    for start in range(0, len(todo), 1 << 14):
        chunk = todo[start : start + (1 << 14)]
        rows[chunk] = row_of(index, adjacency_of(bits[chunk]), labels_of(v[chunk], ops[chunk]), np)
    return rows
