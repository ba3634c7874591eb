"""Rank correlations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import kendalltau, rankdata

PAIRWISE = 100  # values, up to which all pairs are compared at once
BLOCK = 2_000_000  # signs of pairs at a time
FEWEST = 10
"""Units (architectures, walks) below which a correlation has no bootstrap interval: resamples of a
few are mostly repetitions, and of four that happen to agree all would say 1.00 (ours)."""


def spearman(
    x: Num[np.ndarray, "*any n"], y: Num[np.ndarray, "*any n"]
) -> Float[np.ndarray, "*any"]:
    """Spearman's rho along the last axis, ties sharing their mean rank; NaN where one side is
    constant."""
    a, b = (rankdata(v, axis=-1) for v in (x, y))
    a, b = (v - v.mean(axis=-1, keepdims=True) for v in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1)))


def kendall(
    x: Num[np.ndarray, "*any n"], y: Num[np.ndarray, "*any n"]
) -> Float[np.ndarray, "*any"]:
    """Kendall's tau-b along the last axis; NaN where one side is constant."""
    n = x.shape[-1]
    rows = x.reshape(-1, n), y.reshape(-1, n)
    if n > PAIRWISE:  # scipy sorts, which is faster then
        pairs = zip(*rows, strict=True)
        return np.array([kendalltau(*pair).statistic for pair in pairs]).reshape(x.shape[:-1])
    step = max(1, BLOCK // max(1, n * n))
    parts = [_tau_b(*(v[i : i + step] for v in rows)) for i in range(0, len(rows[0]), step)]
    return np.concatenate(parts).reshape(x.shape[:-1])


def _tau_b(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    a, b = (np.sign(v[:, :, None] - v[:, None, :]) for v in (x, y))
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.sqrt((a * a).sum((-1, -2)) * (b * b).sum((-1, -2)))
        return np.asarray((a * b).sum((-1, -2)) / total)
