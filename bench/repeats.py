"""Repeated trainings of the same architectures."""

from __future__ import annotations

import numpy as np


def repeat_mean(values: np.ndarray) -> np.ndarray:
    """float64 [..., R] -> [...]: the mean over the repeats that are there, NaN where none is."""
    there = ~np.isnan(values)
    total = np.where(there, values, 0).sum(axis=-1, dtype=np.float64)
    count = there.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
