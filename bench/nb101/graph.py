"""The vectorised engine of the cell space: what the rest of the project imports.

A cell is a number: row r of `cells()` is the canonical representative of an isomorphism class, and
everything else refers to it by r. How it is done stands in `forms` (enumeration), `rows` (from any
graph to its row), `neighbours` and `official` (module hashes, parameters).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import WriteError, atomic_path, cache_dir
from rlnas.bench.nb101.cell import MAX_VERTICES
from rlnas.bench.nb101.forms import (
    NUM_OPS,
    UNUSED,
    Cells,
    RowIndex,
    check_max_vertices,
    enumerate_space,
)
from rlnas.bench.nb101.neighbours import all_neighbours, neighbours_of
from rlnas.bench.nb101.official import module_hashes, parameters
from rlnas.bench.nb101.rows import (
    INPUT,
    OUTPUT,
    adjacency_of,
    labels_of,
    row_index,
    row_of,
    rows_of,
)
from rlnas.bench.npz import digest_of_arrays, read_arrays

__all__ = [
    "INPUT",
    "NUM_OPS",
    "OUTPUT",
    "UNUSED",
    "Cells",
    "RowIndex",
    "adjacency_of",
    "cells",
    "enumerate_cells",
    "hashes",
    "labels_of",
    "module_hashes",
    "neighbour_lists",
    "neighbours_of",
    "parameters",
    "row_index",
    "row_of",
    "rows_of",
]

CACHE_VERSION = 1  # raise it when the rule of the neighbours or the order of the rows changes
NEIGHBOURS = {
    6: "f3f4b23e0f371d3cf4647b39cb019b2ebc1b1bb4c3e8cd428db75400e83e0511",
    7: "be0915235ec085f093c54365d95aaf89d64aa1900dff8ec18911f2b8fb0cc528",
}
HASHES = {
    6: "b4cbbe8e83cd213525d7b8f719f243e70527a5fe4317d321bd3d9a3b7f8f61a3",
    7: "d3fbc37beee521ed2648cd3fd70334dabe93686f8ec05ee953e5f252b5a0102c",
}
"""What the files in the cache must hold, by the vertices of the space."""
SMALL = 5  # spaces up to this many vertices are computed faster than a file is read
Arrays = dict[str, np.ndarray]


def enumerate_cells(max_vertices: int) -> Cells:
    """All cells with at most `max_vertices` (2..7) vertices, in canonical order: by (V, bits, ops),
    a cell being represented by the smallest (bits, ops) of its upper-triangular forms. So the cells
    with fewer vertices are a prefix: 1, 7, 91, 2532, 64542, 423624 rows for 2..7. Read-only
    arrays."""
    return enumerate_space(max_vertices)[0]


def cells(max_vertices: int = MAX_VERTICES) -> Cells:
    """`enumerate_cells`, all 423,624 unless told otherwise. Takes 0.1 s once a process, less than a
    file would, so there is none."""
    return enumerate_cells(max_vertices)


def neighbour_lists(max_vertices: int = MAX_VERTICES) -> tuple[np.ndarray, np.ndarray]:
    """The cells one edit away from every cell of the space; the rule stands in
    `rlnas.bench.nb101.neighbours`.

    Returns offsets int32 [M + 1] and flat int32 [E]: row r's neighbours are
    flat[offsets[r] : offsets[r + 1]], ascending, none twice, r not among them. Those of a smaller
    space are those of the whole space that lie in it.
    """
    check_max_vertices(max_vertices)
    arrays = _cached(
        f"nb101-neighbours-v{CACHE_VERSION}-{max_vertices}.npz",
        lambda: dict(zip(("offsets", "flat"), all_neighbours(max_vertices), strict=True)),
        NEIGHBOURS.get(max_vertices, ""),
        worthwhile=max_vertices > SMALL,
    )
    return arrays["offsets"], arrays["flat"]


def hashes(max_vertices: int = MAX_VERTICES) -> np.ndarray:
    """uint8 [M, 16]: the official module hash (md5) of every row of `cells(max_vertices)`.

    Only to match files that name cells by it. About 20 s for all, once; then a file of 6.8 MB.
    """
    every = cells(max_vertices)
    arrays = _cached(
        f"nb101-hashes-v{CACHE_VERSION}-{max_vertices}.npz",
        lambda: {"md5": module_hashes(every)},
        HASHES.get(max_vertices, ""),
        worthwhile=max_vertices > SMALL,
    )
    return arrays["md5"]


def _cached(
    name: str,
    build: Callable[[], Arrays],
    digest: str,
    *,
    worthwhile: bool = True,
) -> Arrays:
    """The arrays of a file in the cache folder; built and written if it is missing, or not what
    `digest` says (of `digest_of_arrays`): whoever can write to the folder changes no result.

    The .npz is not compressed, so that it loads fast. A folder that cannot be written costs the
    time to build again, nothing else.
    """
    if not worthwhile:
        return build()
    path = cache_dir() / name
    try:
        arrays = read_arrays(path)
        if digest_of_arrays(arrays) == digest:
            return arrays
    except UserError:
        pass  # whatever is wrong with it, the cure is to write it again
    arrays = build()
    try:
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
    except WriteError:
        pass
    return arrays
