"""Where the vertices and edges of an architecture's cell stand when it is drawn: inputs to the
left, layer by layer, with few crossings."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from rlnas.bench.benchmark import Graphs

SWEEPS = 6
Point = tuple[float, float]


class Placed(NamedTuple):
    """A cell to be drawn. vertices: (label, x, y) of those on a way from an input to the output;
    labels as of `rlnas.bench.benchmark.Graph`. routes: an edge's points from its first vertex to
    its last, x rising. x: 0 to 1; y: -0.5 to 0.5. operations: the labels below are operations.
    rows: how many places the fullest layer has, all as far apart."""

    vertices: tuple[tuple[int, float, float], ...]
    routes: tuple[tuple[Point, ...], ...]
    operations: int
    rows: int

    @property
    def used(self) -> set[int]:
        """The operations that are in it."""
        return {label for label, _, _ in self.vertices if label < self.operations}


def layers(edges: np.ndarray, real: np.ndarray) -> np.ndarray:
    """int [V]: the length of the longest way to each vertex."""
    found = np.zeros(len(real), int)
    for _ in range(len(real)):
        ways = np.where(edges & real[:, None] & real[None, :], found[:, None] + 1, 0)
        found = np.maximum(found, ways.max(axis=0))
    return found


def connected(edges: np.ndarray, labels: np.ndarray, output: int) -> np.ndarray:
    """bool [V]: the vertices on a way from an input (labels above `output`) to the output; the ends
    in any case."""
    forward, backward = labels > output, labels == output
    ends = forward | backward
    for _ in range(len(labels)):
        forward = forward | (edges & forward[:, None]).any(axis=0)
        backward = backward | (edges & backward[None, :]).any(axis=1)
    found: np.ndarray = (forward & backward) | ends
    return found


def cell_graph(space: Graphs, arch: Any, cell: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(labels [V], edges [V, V]) of one cell, without what is on no way from an input to the
    output."""
    graph = space.graph(arch)
    labels, edges = np.asarray(graph.labels)[cell], np.asarray(graph.edges)[cell]
    output = space.graph_operations
    real = labels >= 0
    # Nothing leads on from the output, or into an input.
    edges = edges & (labels != output)[:, None] & (labels <= output)[None, :]
    edges = edges & real[:, None] & real[None, :]
    kept = np.flatnonzero(connected(edges, labels, output) & real)
    return labels[kept], edges[np.ix_(kept, kept)]


def place(space: Graphs, arch: Any, cell: int = 0) -> Placed:
    """Layers by the longest way from an input, an edge over several of them keeps a place free in
    each; then each layer is ordered by where its neighbours are."""
    labels, edges = cell_graph(space, arch, cell)
    output = space.graph_operations
    layer = layers(edges, np.ones(len(labels), bool))
    layer[labels == output] = last = max(int(layer.max()), 1)
    pairs = list(zip(*(ends.tolist() for ends in np.nonzero(edges)), strict=True))
    rows: list[list[int]] = [np.flatnonzero(layer == i).tolist() for i in range(last + 1)]
    near: dict[int, list[int]] = {v: [] for v in range(len(labels))}
    chains = []
    for a, b in pairs:
        chain = [a]
        for level in range(layer[a] + 1, layer[b]):  # a place of its own in each layer between
            near[len(near)] = []
            chain.append(len(near) - 1)
            rows[level].append(chain[-1])
        chain.append(b)
        for x, y in pairwise(chain):
            near[x].append(y)
            near[y].append(x)
        chains.append(chain)
    where = ordered(rows, near)
    x = {v: i / last for i, row in enumerate(rows) for v in row}
    vertices = tuple((int(labels[v]), x[v], where[v]) for v in range(len(labels)))
    routes = tuple(tuple((x[v], where[v]) for v in chain) for chain in chains)
    return Placed(vertices, routes, output, max(map(len, rows)))


def ordered(rows: list[list[int]], near: dict[int, list[int]]) -> dict[int, float]:
    """The height of each vertex: as far apart in all layers, each near the mean of its
    neighbours."""
    step = 1 / max(2, *map(len, rows))

    def heights(row: list[int]) -> dict[int, float]:
        return {v: (i - (len(row) - 1) / 2) * step for i, v in enumerate(row)}

    where = {v: y for row in rows for v, y in heights(row).items()}
    for i in range(SWEEPS):
        for row in rows if i % 2 == 0 else rows[::-1]:
            row.sort(key=lambda v: sum(where[u] for u in near[v]) / max(1, len(near[v])))
            where |= heights(row)
    return where
