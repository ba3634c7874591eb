"""How far the neighbour lists of a partial table still hold together."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int


class Connectivity(NamedTuple):
    """cells: how many. isolated: of them without a neighbour. mean_degree: neighbours a cell.
    largest: the numbers of the cells in the largest connected component, ascending; the direction
    of a move does not count."""

    cells: int
    isolated: int
    mean_degree: float
    largest: Int[np.ndarray, " L"]

    @property
    def whole(self) -> bool:
        """Whether the component is everything."""
        return len(self.largest) == self.cells

    def __str__(self) -> str:
        share = 100 * self.isolated / self.cells
        return (
            f"{share:.1f} % of them without neighbours, mean degree {self.mean_degree:.2f}, "
            f"largest connected component {len(self.largest):,} cells"
        )


def connectivity(
    offsets: Int[np.ndarray, " bounds"], flat: Int[np.ndarray, " E"], kept: np.ndarray | None = None
) -> Connectivity:
    """Of neighbour lists (see `Listed`), all rows or those `kept`, bool [M], and the moves between
    them."""
    size = len(offsets) - 1
    kept = np.ones(size, bool) if kept is None else kept
    source = np.repeat(np.arange(size), np.diff(offsets))
    target = np.asarray(flat)[: len(source)]
    inside = kept[source] & kept[target]
    source, target = source[inside], target[inside]
    degree = np.bincount(source, minlength=size)[kept]
    labels = _components(size, source, target)[kept]
    names, counts = np.unique(labels, return_counts=True)
    largest = np.flatnonzero(kept)[labels == names[counts.argmax()]]
    return Connectivity(int(kept.sum()), int((degree == 0).sum()), float(degree.mean()), largest)


def moves_from(
    offsets: Int[np.ndarray, " bounds"], flat: Int[np.ndarray, " E"], start: int
) -> Float64[np.ndarray, " M"]:
    """Of neighbour lists: the fewest moves from row `start` to each row, infinite where none leads
    there."""
    size = len(offsets) - 1
    source = np.repeat(np.arange(size), np.diff(offsets))
    target = np.asarray(flat)[: len(source)]
    moves = np.full(size, np.inf)
    moves[start], last = 0, 0
    while (new := target[moves[source] == last])[np.isinf(moves[new])].size:
        moves[new] = np.minimum(moves[new], last + 1)
        last += 1
    return moves


def region(
    offsets: Int[np.ndarray, " bounds"],
    flat: Int[np.ndarray, " E"],
    count: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " count"]:
    """A compact connected region of `count` rows, ascending. It grows from a random row of the
    largest connected component by the row around it that has the largest share of its neighbours
    inside, a random one of equals, so that those outside keep theirs. At most the component is
    reached; the direction of a move does not count."""
    size = len(offsets) - 1
    source = np.repeat(np.arange(size), np.diff(offsets))
    target = np.asarray(flat)[: len(source)]
    pairs = np.unique(np.concatenate([source * size + target, target * size + source]))
    source, target = np.divmod(pairs, size)
    degree = np.bincount(source, minlength=size)
    near = np.split(target, np.cumsum(degree)[:-1])
    order = rng.permutation(size)
    start = int(rng.choice(connectivity(offsets, flat).largest))
    inside, touched = np.zeros(size, bool), np.zeros(size, np.int64)
    around = [(0.0, 0, start)]
    for _ in range(count):
        while around and inside[around[0][2]]:  # it came in when it had a larger share
            heapq.heappop(around)
        if not around:
            break
        row = heapq.heappop(around)[2]
        inside[row] = True
        touched[near[row]] += 1
        for other in near[row][~inside[near[row]]].tolist():
            heapq.heappush(around, (-touched[other] / degree[other], int(order[other]), other))
    return np.flatnonzero(inside)


def _components(size: int, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The lowest row of every row's component."""
    label = np.arange(size)
    while True:
        low = label.copy()
        np.minimum.at(low, source, label[target])
        np.minimum.at(low, target, label[source])
        low = low[low]  # halves the way to the lowest
        if (low == label).all():
            return label
        label = low
