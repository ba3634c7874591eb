"""What searches gain by the look-ups spent on training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlnas.analysis.scale.data import Training


@dataclass(frozen=True)
class Line:
    """Mean over trainings, and the lowest and highest, at each evaluation that all of them have."""

    lookups: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def line(group: Sequence[Training], *, relative: bool) -> Line:
    """How far a search is above random search, in fractions of validation accuracy; or, if
    `relative`, the share of random search's regret that is left, NaN where it has none."""
    length = min(len(t.lookups) for t in group)
    rows = []
    for t in group:
        found = t.accuracy[:length]
        regret = max(t.best - t.random, 0.0) or np.nan
        rows.append((t.best - found) / regret if relative else found - t.random)
    values = np.stack(rows)
    lookups = np.mean([t.lookups[:length] for t in group], axis=0)
    return Line(lookups, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def lookups_until(left: Line, share: float) -> float | None:
    """Look-ups until the mean is down to `share`; None where it never is."""
    at = np.flatnonzero(left.mean <= share)
    return float(left.lookups[at[0]]) if len(at) else None
