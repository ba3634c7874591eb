"""All cells up to isomorphism, exactly: permute, compare, keep the smallest. Nothing is hashed.

A *form* is an upper-triangular, pruned, unlabelled graph: its number of vertices V and its edges as
one integer (`bits`: bit x + y(y-1)/2 is the edge x -> y, x < y). An isomorphism fixes the input and
the output, so the forms isomorphic to one are what the at most 5! = 120 permutations of the
interior vertices make of it. A class of forms is represented by its smallest `bits`, a cell by
these and its smallest `ops` under the permutations that leave the bits alone. There are only 6,472
forms in 2,494 classes, so a table of all forms times all labellings turns any cell into its row:
`RowIndex`.

A labelling is one integer too: the interior operations as digits of base 3, vertex 1 first, so that
the order of the integers is the lexicographic order of `ops`.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import MAX_EDGES, MAX_VERTICES, OPS

NUM_OPS = len(OPS)
UNUSED = 255  # in `Cells.ops` and in label vectors: no vertex here
COUNTS = {
    2: 1,
    3: 6,
    4: 84,
    5: 2441,
    6: 62010,
    7: 359082,
}  # cells by vertices (Ying et al. 2019: 423,624)
EDGE_X, EDGE_Y = np.array(
    [(x, y) for y in range(MAX_VERTICES) for x in range(y)]
).T  # ends of the edge of every bit


class Cells(NamedTuple):
    """Cells as columns. `num_vertices` uint8 [M], `bits` uint32 [M] (bit x + y(y-1)/2 is the edge
    x -> y), `ops` uint8 [M, 5] (0 conv3x3, 1 conv1x1, 2 maxpool3x3, 255 no such vertex)."""

    num_vertices: np.ndarray
    bits: np.ndarray
    ops: np.ndarray


class RowIndex(NamedTuple):
    """The canonical row of every form with every labelling; a pytree, of numpy or of JAX arrays.

    The row of form i with a labelling is `rows[offsets[i] + labelling]`.
    """

    keys: Any  # int32 [F] ascending: `form_key` of every form
    offsets: Any  # int32 [F]
    rows: Any  # int32 [T]


def check_max_vertices(max_vertices: int) -> None:
    """Raises `UserError` unless 2 <= max_vertices <= 7."""
    if max_vertices not in COUNTS:
        raise UserError(f"found max_vertices = {max_vertices}; expected 2 to {MAX_VERTICES}")


def num_bits(num_vertices: Any) -> Any:
    """How many edges an upper-triangular graph can have; ints or arrays."""
    return num_vertices * (num_vertices - 1) // 2


def form_key(num_vertices: Any, bits: Any) -> Any:
    """Number of vertices and edges in one integer, in canonical order: a 1 stands above the
    edges."""
    return bits | (1 << num_bits(num_vertices))


def labellings(v: int) -> np.ndarray:
    """uint8 [3^(V-2), V-2]: the operations of every labelling, in lexicographic order."""
    return (np.arange(NUM_OPS ** (v - 2))[:, None] // label_weights(v) % NUM_OPS).astype(np.uint8)


def label_weights(v: int) -> np.ndarray:
    """int64 [V-2]: what the operation of every interior vertex counts in a labelling."""
    return NUM_OPS ** np.arange(v - 3, -1, -1)


def _all_forms(v: int) -> np.ndarray:
    """uint32, ascending: the edge sets of at most 9 edges in which every vertex is on a path.

    In an upper-triangular graph that is the same as: every vertex but the input has an edge in,
    every vertex but the output an edge out. By induction an edge in leads back to vertex 0.
    """
    bits = np.arange(1 << num_bits(v), dtype=np.uint32)
    bits = bits[np.bitwise_count(bits) <= MAX_EDGES]
    for end, vertices in ((EDGE_Y, range(1, v)), (EDGE_X, range(v - 1))):
        for vertex in vertices:
            mask = sum(1 << b for b in range(num_bits(v)) if end[b] == vertex)
            bits = bits[bits & np.uint32(mask) != 0]
    return bits


def _permuted(bits: np.ndarray, permutation: np.ndarray) -> np.ndarray:
    """The edges after vertex x became permutation[x]; bit 31 is set where one now points back."""
    result = np.zeros_like(bits)
    for b in range(num_bits(len(permutation))):
        x, y = int(permutation[EDGE_X[b]]), int(permutation[EDGE_Y[b]])
        moved = np.uint32(1 << (x + num_bits(y)) if x < y else 1 << 31)
        result |= (bits >> np.uint32(b) & np.uint32(1)) * moved
    return result


def _enumerate(v: int) -> tuple[Cells, np.ndarray, np.ndarray]:
    """The cells with exactly v vertices; the forms' bits uint32 [F]; the cell of every form and
    labelling, int32 [F, 3^(V-2)], counted from the first cell with v vertices."""
    interiors = np.array(list(permutations(range(1, v - 1))), np.int64)  # the identity comes first
    every = np.pad(interiors, ((0, 0), (1, 1)), constant_values=((0, 0), (0, v - 1)))
    digits, weights = labellings(v).astype(np.int64), label_weights(v)
    # Vertex x's operation moves to vertex permutation[x], so there it gets that vertex's weight.
    relabelled = np.stack([digits @ weights[p[1:-1] - 1] for p in every])

    forms = _all_forms(v)
    smallest, by = forms.copy(), np.zeros(len(forms), np.int64)
    for p, permutation in enumerate(every):
        moved = _permuted(forms, permutation)
        better = moved < smallest
        smallest[better], by[better] = moved[better], p
    classes = forms[smallest == forms]

    # The permutations that leave a class's bits alone are a group: its orbits are the cells.
    identity = np.arange(len(digits))
    canonical = np.tile(identity, (len(classes), 1))
    for permutation, relabel in zip(every, relabelled, strict=True):
        same = _permuted(classes, permutation) == classes
        canonical[same] = np.minimum(canonical[same], relabel)
    which_class, labelling = np.nonzero(canonical == identity)  # in order of (bits, ops)
    ops = np.full((len(labelling), MAX_VERTICES - 2), UNUSED, np.uint8)
    ops[:, : v - 2] = digits[labelling]
    cells = Cells(np.full(len(labelling), v, np.uint8), classes[which_class], ops)

    cell = np.empty(canonical.shape, np.int32)
    cell[which_class, labelling] = np.arange(len(labelling))
    cell = np.take_along_axis(cell, canonical, axis=1)
    cell_of_form = cell[np.searchsorted(classes, smallest)[:, None], relabelled[by]]
    return cells, forms, cell_of_form


@lru_cache
def enumerate_space(max_vertices: int) -> tuple[Cells, RowIndex]:
    """All cells with at most `max_vertices` (2..7) vertices and the index of their rows (numpy).

    Canonical order: by (V, bits, ops), a cell standing for its isomorphism class by the smallest
    (bits, ops) of its upper-triangular forms. So cells with fewer vertices are a prefix: 1, 7, 91,
    2532, 64542, 423624 rows for 2..7. Takes a fraction of a second, which is why no file keeps it;
    the arrays are kept for the life of the process and are read-only.
    """
    check_max_vertices(max_vertices)
    cells, keys, offsets, rows, first, size = [], [], [], [], 0, 0
    for v in range(2, max_vertices + 1):
        part, forms, cell_of_form = _enumerate(v)
        if len(part.bits) != COUNTS[v]:
            raise AssertionError(
                f"found {len(part.bits)} cells with {v} vertices; expected {COUNTS[v]}"
            )
        cells.append(part)
        keys.append(form_key(v, forms).astype(np.int32))
        offsets.append(size + cell_of_form.shape[1] * np.arange(len(forms), dtype=np.int32))
        rows.append(first + cell_of_form.ravel())
        first, size = first + len(part.bits), size + cell_of_form.size
    result = (
        Cells(*(np.concatenate(column) for column in zip(*cells, strict=True))),
        RowIndex(
            np.concatenate(keys),
            np.concatenate(offsets).astype(np.int32),
            np.concatenate(rows).astype(np.int32),
        ),
    )
    for array in (*result[0], *result[1]):
        array.flags.writeable = False
    return result
