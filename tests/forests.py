"""Random forests for the tests, and the slow way to ask them."""

from __future__ import annotations

import numpy as np

from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.genotype import CONSTANTS


def random_forest(
    seed: int, trees: int = 5, depth: int = 6, inclusive: bool = False, features: int = 56
) -> Forest:
    """Splits on any feature (constants too) at any threshold between -2 and 11, whole numbers and
    halves: many splits contradict those above them. Children in any order."""
    rng = np.random.default_rng(seed)
    allowed = rng.permutation(len(CONSTANTS))[:features]
    dtype = np.float64 if inclusive else np.float32
    parts, offsets = [], [0]
    for _ in range(trees):
        nodes: list[list[float]] = [[0, 0, -1, -1, rng.normal()]]
        open_ = [(0, 0)]
        while open_:
            node, level = open_.pop(int(rng.integers(len(open_))))
            if level == depth or rng.random() < 0.15:
                continue
            children = rng.permutation([len(nodes), len(nodes) + 1])
            nodes[node] = [rng.choice(allowed), rng.integers(-4, 23) / 2, *children, 0]
            for child in (len(nodes), len(nodes) + 1):
                nodes.append([0, 0, -1, -1, rng.normal()])
                open_.append((child, level + 1))
        parts.append(np.array(nodes))
        offsets.append(offsets[-1] + len(nodes))
    feature, threshold, left, right, value = np.concatenate(parts).T
    return Forest(
        offsets=np.array(offsets),
        feature=feature.astype(np.int32),
        threshold=threshold.astype(dtype),
        left=left.astype(np.int32),
        right=right.astype(np.int32),
        value=value.astype(dtype),
        base=float(rng.normal()),
        inclusive=inclusive,
    )
