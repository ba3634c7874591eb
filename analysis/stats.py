"""Statistics of a comparison, after Agarwal et al. 2021, "Deep RL at the edge of the statistical
precipice".

Seeds are the last axis everywhere, so that sorting them is fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Num

LEVEL = 0.95
REPLICATES = 2000
BLOCK = 4_000_000  # numbers resampled at a time: 32 MB

Statistic = Callable[[Float[np.ndarray, "*points seeds"]], Float[np.ndarray, "*points"]]
"""Reduces the last axis."""


class Interval(NamedTuple):
    """A statistic and the ends of its 95 % bootstrap interval: three numbers, or three arrays of
    one shape. NaN where one is not defined, or there is too little to say."""

    value: Any
    low: Any
    high: Any


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def interval(value: float, replicates: Float[np.ndarray, " n"], level: float = LEVEL) -> Interval:
    """`value` and the percentiles of its bootstrap replicates. NaNs among these say nothing and are
    left out; without any other, the ends are NaN."""
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return Interval(value, math.nan, math.nan)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def iqm(values: Float[np.ndarray, "*points seeds"]) -> Float[np.ndarray, "*points"]:
    """Interquartile mean: floor(n / 4) values are cut off at either end, and the rest averaged.

    As `scipy.stats.trim_mean(values, .25)`, which rliable uses. NaN as soon as one value is: a seed
    without an answer must not vanish from the average.
    """
    n = values.shape[-1]
    cut = n // 4
    middle = np.sort(values, axis=-1)[..., cut : n - cut].mean(axis=-1)
    return np.where(np.isnan(values).any(axis=-1), np.nan, middle)


def mean(values: Float[np.ndarray, "*points seeds"]) -> Float[np.ndarray, "*points"]:
    """Mean over seeds."""
    return np.asarray(values.mean(axis=-1))


def median(values: Float[np.ndarray, "*points seeds"]) -> Float[np.ndarray, "*points"]:
    """Median over seeds; NaN as soon as one value is."""
    return np.where(
        np.isnan(values).any(axis=-1), np.nan, np.median(np.nan_to_num(values), axis=-1)
    )


def bootstrap(
    strata: Sequence[Float[np.ndarray, "*points seeds"]],
    statistic: Statistic = iqm,
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Stratified percentile bootstrap of a statistic of all seeds of all strata together.

    strata: one array a benchmark (a single one in a comparison on one benchmark), equal but for the
    number of seeds. Every replicate draws, in each stratum, as many seeds as there are, with
    replacement; a seed is drawn with all its points, so that a curve is resampled whole. The
    interval holds point by point.
    """
    points = strata[0].shape[:-1]
    flat = [
        np.ascontiguousarray(stratum, np.float64).reshape(-1, stratum.shape[-1])
        for stratum in strata
    ]
    value = statistic(np.concatenate(flat, axis=-1))
    rng = np.random.default_rng(seed)
    draws = [rng.integers(rows.shape[-1], size=(replicates, rows.shape[-1])) for rows in flat]
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.full((2, len(value)), np.nan)
    defined = np.flatnonzero(~np.isnan(value))
    block = max(1, BLOCK // sum(draw.size for draw in draws))
    for start in range(0, len(defined), block):
        part = defined[start : start + block]
        resampled = np.concatenate(
            [rows[part][:, draw] for rows, draw in zip(flat, draws, strict=True)], axis=-1
        )
        low[part], high[part] = np.quantile(statistic(resampled), tails, axis=-1)
    return Interval(value.reshape(points), low.reshape(points), high.reshape(points))


class Improvement(NamedTuple):
    """How often a run of X ends above a run of Y, a tie counting as half. equal: how often they
    tie."""

    above: Interval
    equal: float


def probability_of_improvement(
    x: Num[np.ndarray, " n"],
    y: Num[np.ndarray, " m"],
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> Improvement:
    """P(X > Y) + P(X = Y) / 2 over all pairs of seeds, with a bootstrap interval (seeds of X and Y
    drawn apart).

    It is the Mann-Whitney U statistic of X over n m. NaN as soon as one value is.
    """
    if np.isnan(x).any() or np.isnan(y).any():
        return Improvement(UNKNOWN, math.nan)
    n, m = len(x), len(y)
    above, equal = x[:, None] > y[None, :], x[:, None] == y[None, :]
    wins = above + 0.5 * equal
    rng = np.random.default_rng(seed)
    # A resample of n seeds is n throws into n boxes; only how often each was drawn counts.
    times_x = rng.multinomial(n, np.full(n, 1 / n), size=replicates)
    times_y = rng.multinomial(m, np.full(m, 1 / m), size=replicates)
    resampled = ((times_x @ wins) * times_y).sum(axis=1) / (n * m)
    return Improvement(interval(float(wins.mean()), resampled, level), float(equal.mean()))
