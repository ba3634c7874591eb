"""Rank correlation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import rankdata


def spearman(
    x: Num[np.ndarray, "*any n"], y: Num[np.ndarray, "*any n"]
) -> Float[np.ndarray, "*any"]:
    """Spearman's rho along the last axis, ties sharing their mean rank; NaN where one side is
    constant."""
    a, b = (rankdata(v, axis=-1) for v in (x, y))
    a, b = (v - v.mean(axis=-1, keepdims=True) for v in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1)))
