"""How far the neighbour lists of a partial table still hold together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int


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
