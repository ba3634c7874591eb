"""What the official tools say of a cell, for many at once: the md5 module hash and the parameters.

`cell.module_hash` and `cell.trainable_parameters` are the readable versions of both.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from rlnas.bench.nb101.cell import MAX_VERTICES
from rlnas.bench.nb101.forms import Cells
from rlnas.bench.nb101.md5 import md5_hex
from rlnas.bench.nb101.rows import adjacency_of
from rlnas.bench.progress import bar

_CHUNK = 1 << 13


def module_hashes(cells: Cells) -> np.ndarray:
    """uint8 [M, 16]: the official module hashes of pruned cells (their md5 as bytes), in any
    isomorphic form.

    Every vertex starts as the md5 of `str((out_degree, in_degree, label))`, is hashed with its
    neighbours' hashes as often as there are vertices, and the sorted hashes are hashed once more.
    """
    result = np.empty((len(cells.bits), 16), np.uint8)
    with bar("module hashes", len(result), unit="cell") as progress:
        for v in range(2, MAX_VERTICES + 1):
            of_size = np.flatnonzero(cells.num_vertices == v)
            for start in range(0, len(of_size), _CHUNK):
                chunk = of_size[start : start + _CHUNK]
                matrix = adjacency_of(cells.bits[chunk])[:, :v, :v]
                hexed = _hashes_of_size(matrix, cells.ops[chunk, : v - 2])
                nibbles = np.where(hexed > ord("9"), hexed - ord("a") + 10, hexed - ord("0"))
                result[chunk] = nibbles[:, ::2] << 4 | nibbles[:, 1::2]
                progress.update(len(chunk))
    return result


def _hashes_of_size(matrix: np.ndarray, ops: np.ndarray) -> np.ndarray:
    """uint8 [K, 32], ASCII: the module hashes of cells with v vertices; matrix bool [K, v, v], ops
    [K, v - 2]."""
    k, v, _ = matrix.shape
    out_degree, in_degree = matrix.sum(2), matrix.sum(1)
    labels = np.concatenate([np.full((k, 1), -1), ops, np.full((k, 1), -2)], axis=1)
    signatures = [(o, i, label) for o in range(v) for i in range(v) for label in range(-2, 3)]
    digests = [hashlib.md5(str(s).encode(), usedforsecurity=False).hexdigest() for s in signatures]
    table = np.frombuffer("".join(digests).encode(), np.uint8).reshape(-1, 32)
    hashes = table[(out_degree * v + in_degree) * 5 + labels + 2]  # [K, v, 32]
    # Messages are as long as the degrees say: vertices with equal degrees are hashed together.
    degrees = in_degree * v + out_degree
    groups = [np.nonzero(degrees == d) for d in np.unique(degrees)]
    for _ in range(v):
        rank = _ranks(hashes)
        new = np.empty_like(hashes)
        for cell, vertex in groups:
            n_in, n_out = in_degree[cell[0], vertex[0]], out_degree[cell[0], vertex[0]]
            into = np.argsort(
                np.where(matrix[cell, :, vertex], rank[cell], v), axis=1, kind="stable"
            )[:, :n_in]
            out = np.argsort(
                np.where(matrix[cell, vertex, :], rank[cell], v), axis=1, kind="stable"
            )[:, :n_out]
            bar = np.full((len(cell), 1), ord("|"), np.uint8)
            around = [hashes[cell[:, None], near].reshape(len(cell), -1) for near in (into, out)]
            message = np.concatenate([around[0], bar, around[1], bar, hashes[cell, vertex]], axis=1)
            new[cell, vertex] = md5_hex(message)
        hashes = new
    hashes = np.sort(hashes.view("S32")[..., 0], axis=1)
    text = np.frombuffer(str(["*" * 32] * v).encode(), np.uint8)  # Python's way to write a list
    message = np.tile(text, (k, 1))
    message[:, text == ord("*")] = hashes.view(np.uint8)
    return md5_hex(message)


def _ranks(hashes: np.ndarray) -> np.ndarray:
    """int64 [K, v]: the place of every hash, ASCII [K, v, 32], among its cell's in the order of
    strings."""
    return np.argsort(np.argsort(hashes.view("S32")[..., 0], axis=1), axis=1)


def parameters(
    cells: Cells,
    *,
    in_channels: int = 3,
    stem_channels: int = 128,
    stacks: int = 3,
    modules: int = 3,
    classes: int = 10,
) -> np.ndarray:
    """int32 [M]: trainable parameters of the whole network of pruned cells; the defaults give the
    official count."""
    matrix, size = adjacency_of(cells.bits), cells.num_vertices.astype(np.int64)
    everywhere, vertices = np.arange(len(size)), np.arange(MAX_VERTICES)
    feeds = matrix[everywhere, :, size - 1] & (
        vertices > 0
    )  # interior vertices with an edge to the output
    projected = matrix[:, 0]
    position = np.cumsum(feeds, axis=1) - 1
    # The weights of a convolution for one pair of channels; 0 for max pooling, which has no
    # parameters.
    kernel = np.pad(np.where(cells.ops == 0, 9, np.where(cells.ops == 1, 1, 0)), ((0, 0), (1, 1)))

    def conv_bn(weights: Any, channels_in: Any, channels_out: Any) -> Any:
        return weights * channels_in * channels_out + 2 * channels_out

    total = np.full(len(size), conv_bn(9, in_channels, stem_channels), np.int64)
    width_in = stem_channels
    for stack in range(stacks):
        width = stem_channels << stack
        share, extra = np.divmod(width, np.maximum(feeds.sum(1), 1))
        channels = np.where(feeds, share[:, None] + (position < extra[:, None]), 0)
        for x in range(
            MAX_VERTICES - 2, 0, -1
        ):  # what does not feed the output is as wide as its widest reader
            readers = np.where(matrix[:, x], channels, 0).max(1)
            channels[:, x] = np.where(feeds[:, x] | (x >= size - 1), channels[:, x], readers)
        channels[everywhere, size - 1] = width
        own = np.where(kernel > 0, conv_bn(kernel, channels, channels), 0).sum(1)
        for _ in range(modules):
            total += own + np.where(projected, conv_bn(1, width_in, channels), 0).sum(1)
            width_in = width
    return (total + width_in * classes + classes).astype(np.int32)
