"""The trees of one fitted model as plain arrays: what every model file is read into, and what is
packed from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from rlnas.bench.errors import UserError


@dataclass(frozen=True, eq=False)
class Forest:
    """A sum of regression trees. The nodes of all trees lie one after the other, each tree's root
    first.

    offsets: where each tree's nodes start, and the end. feature, threshold: of a split,
    `x[feature] < threshold` goes left (`<=` where `inclusive`: LightGBM). left, right: children,
    counted from the tree's own root; -1 in a leaf.
    value: of a leaf. base: what the leaves' sum is added to. Missing values are not kept: an
    architecture has none.
    """

    offsets: Int[np.ndarray, " trees_and_end"]
    feature: Int[np.ndarray, " nodes"]
    threshold: Float[np.ndarray, " nodes"]
    left: Int[np.ndarray, " nodes"]
    right: Int[np.ndarray, " nodes"]
    value: Float[np.ndarray, " nodes"]
    base: float
    inclusive: bool

    @property
    def trees(self) -> int:
        return len(self.offsets) - 1

    def check(self, where: str, num_features: int) -> None:
        """`UserError` where a child, a feature or a number is none. Cycles are found when the trees
        are walked."""
        size = np.repeat(np.diff(self.offsets), np.diff(self.offsets))
        inner = self.left >= 0
        bad = ((self.left < -1) | (self.right < -1) | (inner != (self.right >= 0))).any()
        bad |= bool(
            (self.left >= size).any()
            or (self.right >= size).any()
            or (np.diff(self.offsets) < 1).any()
        )
        if bad or not self.trees:
            raise UserError(
                f"{where}: damaged (a node points outside its tree); get the file again"
            )
        if bool((inner & ((self.feature < 0) | (self.feature >= num_features))).any()):
            raise UserError(
                f"{where}: splits on a feature beyond the {num_features} of NAS-Bench-301; not "
                "its model"
            )
        used = np.where(inner, self.threshold, self.value)
        if (
            np.isnan(self.threshold[inner]).any()
            or not np.isfinite(used[~inner]).all()
            or not np.isfinite(self.base)
        ):
            raise UserError(
                f"{where}: damaged (a threshold or leaf is no number); get the file again"
            )


def evaluate(forest: Forest, x: Shaped[np.ndarray, " features"]) -> float:
    """The slow, readable reference: walk every tree. Compares in the thresholds' precision, adds in
    double."""
    total = forest.base
    x = x.astype(forest.threshold.dtype)
    for start in forest.offsets[:-1].tolist():
        node = start
        while forest.left[node] >= 0:
            found, limit = x[forest.feature[node]], forest.threshold[node]
            left = found <= limit if forest.inclusive else found < limit
            node = start + int(forest.left[node] if left else forest.right[node])
        total += float(forest.value[node])
    return total
