"""From what files say of a cell (module hash, parameters) to its row in the canonical table."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from rlnas.bench.nb101 import graph


class Reference:
    """All cells with at most `max_vertices` vertices, M of them, in canonical row order."""

    def __init__(self, max_vertices: int = 7) -> None:
        self.max_vertices = max_vertices
        self.cells = graph.cells(max_vertices)
        self.hashes = graph.hashes(max_vertices)  # uint8 [M, 16]

    @cached_property
    def parameters(self) -> np.ndarray:
        """int32 [M], trainable parameters of the official network."""
        return graph.parameters(self.cells)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        keys = _first_half(self.hashes)
        order = np.argsort(keys)
        return keys[order], order.astype(np.int32)

    def rows(self, hashes: np.ndarray) -> np.ndarray:
        """int32 [n] rows of the module hashes uint8 [n, 16]; -1 for an unknown one."""
        keys, order = self._sorted
        place = np.minimum(np.searchsorted(keys, _first_half(hashes)), len(keys) - 1)
        rows = order[place]
        return np.where((self.hashes[rows] == hashes).all(axis=1), rows, np.int32(-1))

    def name(self, row: int) -> str:
        """The module hash of a row, hex."""
        return self.hashes[row].tobytes().hex()


def _first_half(hashes: np.ndarray) -> np.ndarray:
    """The first 8 bytes as one number: enough to tell the cells apart (tested), cheap to search."""
    return np.ascontiguousarray(hashes[:, :8]).view(">u8")[:, 0].astype(np.uint64)
