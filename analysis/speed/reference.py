"""Plain Python counterparts of the hot paths: what `rlnas speed` measures against.

One architecture at a time, dictionaries and lists, no JAX: what a careful researcher would write
first.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import OPS, Cell, module_hash, parse
from rlnas.bench.nb101.tfrecord import parse_payload


@dataclass(frozen=True)
class PlainTable:
    """val: M accuracies. neighbours: M lists of rows. encodings: int8 [M, f]."""

    val: list[float]
    neighbours: list[list[int]]
    encodings: np.ndarray


def look_up(known: dict[str, float], matrix: list[list[int]], ops: list[str]) -> float:
    """The official way: prune, md5 module hash, dictionary."""
    return known[module_hash(parse(matrix, ops))]


class PlainMDP:
    """The incremental MDP, a step at a time (see `rlnas.bench.mdp`)."""

    def __init__(
        self, table: PlainTable, rng: np.random.Generator, neighbours: int = 25, horizon: int = 50
    ):
        self.table, self.rng, self.n, self.horizon = table, rng, neighbours, horizon

    def reset(self) -> np.ndarray:
        self.arch, self.t = int(self.rng.integers(len(self.table.val))), 0
        return self._observe()

    def step(self, action: int) -> tuple[np.ndarray, float, bool]:
        new = self.shown[action]
        reward = np.exp(6 * (self.table.val[new] - 1)) - np.exp(6 * (self.table.val[self.arch] - 1))
        self.arch, self.t = new, self.t + 1
        truncated = self.t >= self.horizon
        return (self.reset() if truncated else self._observe()), float(reward), truncated

    def _observe(self) -> np.ndarray:
        every = self.table.neighbours[self.arch]
        chosen = self.rng.permutation(len(every))[: self.n]
        self.shown = [every[i] for i in chosen]
        observation = np.zeros((self.n + 1, self.table.encodings.shape[1]), np.int8)
        observation[: len(self.shown) + 1] = self.table.encodings[[self.arch, *self.shown]]
        return observation


def random_search(table: PlainTable, rng: np.random.Generator, budget: int) -> float:
    best = -1.0
    for _ in range(budget):
        best = max(best, table.val[int(rng.integers(len(table.val)))])
    return best


def evolution(
    table: PlainTable, rng: np.random.Generator, budget: int, population: int = 30, sample: int = 10
) -> float:
    alive: deque[int] = deque(maxlen=population)  # the oldest dies
    best = -1.0
    for query in range(budget):
        if query < sample:
            child = int(rng.integers(len(table.val)))
        else:
            tournament = rng.integers(len(alive), size=sample)
            parent = max((alive[i] for i in tournament), key=table.val.__getitem__)
            near = table.neighbours[parent]
            child = near[int(rng.integers(len(near)))]
        alive.append(child)
        best = max(best, table.val[child])
    return best


def local_search(
    table: PlainTable, rng: np.random.Generator, budget: int, initial: int = 10
) -> float:
    """Neighbours asked before cost no second query, as in `rlnas.agents.local_search`."""
    best, queries = -1.0, 0
    asked: set[int] = set()
    while queries < budget:
        start = [int(rng.integers(len(table.val))) for _ in range(min(initial, budget - queries))]
        queries += len(start)
        asked.update(start)
        current = max(start, key=table.val.__getitem__)
        improved = True
        while improved and queries < budget:
            improved = False
            for i in rng.permutation(len(table.neighbours[current])):
                candidate = table.neighbours[current][i]
                if candidate in asked:
                    continue
                asked.add(candidate)
                queries += 1
                if table.val[candidate] > table.val[current]:
                    current, improved = candidate, True
                    break
                if queries >= budget:
                    break
        best = max(best, table.val[current])
    return best


def enumerate_cells(max_vertices: int) -> dict[str, Cell]:
    """Every cell by its module hash: all matrices, all labellings, one md5 hash each."""
    found: dict[str, Cell] = {}
    for n in range(2, max_vertices + 1):
        pairs = [(x, y) for x in range(n) for y in range(x + 1, n)]
        for edges in product((0, 1), repeat=len(pairs)):
            matrix = [[0] * n for _ in range(n)]
            for (x, y), edge in zip(pairs, edges, strict=True):
                matrix[x][y] = edge
            try:
                if parse(matrix, ["input", *[OPS[0]] * (n - 2), "output"]).num_vertices < n:
                    continue
            except UserError:
                continue
            for ops in product(OPS, repeat=n - 2):
                cell = parse(matrix, ["input", *ops, "output"])
                found.setdefault(module_hash(cell), cell)
    return found


def read_tfrecord(path: Path, count: int) -> dict[tuple[str, int], list[float]]:
    """The first `count` records, one at a time: frame, JSON, base64, protobuf; no checksums, as the
    official reader."""
    found: dict[tuple[str, int], list[float]] = {}
    with open(path, "rb") as file:
        for _ in range(count):
            (length,) = struct.unpack("<Q", file.read(8))
            file.seek(4, 1)
            payload = parse_payload(file.read(length))
            file.seek(4, 1)
            found.setdefault((payload.module_hash, payload.epochs), []).append(
                payload.metrics.evaluations[-1].val
            )
    return found


def anytime_hypervolume(points: list[tuple[float, float]]) -> list[float]:
    """What the first 1, 2, 3, ... points dominate of the unit square, the front kept as a list."""
    found: list[float] = []
    front: list[tuple[float, float]] = []
    for x, y in points:
        if not any(a <= x and b <= y for a, b in front):
            front = sorted([*((a, b) for a, b in front if a < x or b < y), (x, y)])
        volume, above = 0.0, 1.0
        for a, b in front:
            volume, above = volume + (1 - a) * (above - b), b
        found.append(volume)
    return found
