"""Repeated trainings of the same architectures."""

from __future__ import annotations

import numpy as np


def repeat_mean(values: np.ndarray) -> np.ndarray:
    """float64 [..., R] -> [...]: the mean over the repeats that are there, NaN where none is."""
    there = ~np.isnan(values)
    total = np.where(there, values, 0).sum(axis=-1, dtype=np.float64)
    count = there.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def repeat_cost(seconds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """float64 [..., R], [..., R] -> [...]: what the trainings took that have a value, together.
    Those whose seconds are unknown count as the mean of the others; NaN where none is known."""
    measured = ~np.isnan(values)
    return repeat_mean(np.where(measured, seconds, np.nan)) * measured.sum(axis=-1)
