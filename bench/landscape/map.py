"""Architectures as points of a plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def principal_components(
    points: Float[np.ndarray, "M d"] | Int[np.ndarray, "M d"], count: int = 2
) -> tuple[Float[np.ndarray, "M k"], Float[np.ndarray, " k"]]:
    """PCA: the points' coordinates along the `count` directions of largest variance, and the shares
    of it.

    Works on the d x d covariance, so M may be large. A direction's largest component is positive.
    """
    centred = points - points.mean(axis=0, dtype=np.float64)
    variance, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variance, directions = variance[::-1], directions[:, ::-1][:, :count]
    directions = directions * np.sign(
        directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    )
    return centred @ directions, variance[:count] / max(variance.sum(), np.finfo(float).tiny)
