"""Statistics of a comparison, after Agarwal et al. 2021, "Deep RL at the edge of the statistical
precipice".

Values are [*points, trainings, seeds]: a learned agent is trained several times, and each training
searches under several seeds; what is not learned has one training. Seeds are the last axis, so that
sorting them is fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

LEVEL = 0.95
REPLICATES = 2000

Values = Float[np.ndarray, "*points _trainings _seeds"]


class Interval(NamedTuple):
    """A statistic and the ends of its 95 % bootstrap interval: three numbers, or three arrays of
    one shape. NaN where one is not defined; the ends are, too, where there is too little to say."""

    value: Any
    low: Any
    high: Any


UNKNOWN = Interval(math.nan, math.nan, math.nan)


def interval(
    value: Any, replicates: Float[np.ndarray, "*points n"], level: float = LEVEL
) -> Interval:
    """`value` and the percentiles of its bootstrap replicates. NaNs among these say nothing and are
    left out; without any other, the ends are NaN.

    So they are where both ends are the same: then (nearly) all units agree, the bootstrap has
    nothing to vary, and an interval of no width would claim what nobody knows.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    undefined = np.isnan(replicates)
    if undefined.any():
        nothing = undefined.all(axis=-1, keepdims=True)
        low, high = np.nanquantile(np.where(nothing, 0.0, replicates), tails, axis=-1)
    else:
        low, high = np.quantile(replicates, tails, axis=-1)
    same = high - low <= 1e-12 * np.maximum(1, np.abs(high))
    return Interval(value, *(np.where(same, np.nan, end)[()] for end in (low, high)))


@dataclass(frozen=True)
class Ordered:
    """A mean of sorted values, e.g. of their middle half. kept: n -> (from, to), which of n."""

    kept: Callable[[int], tuple[int, int]]

    def resampled(
        self, values: Float[np.ndarray, "*points k"], counts: Float[np.ndarray, "k replicates"]
    ) -> Float[np.ndarray, "*points replicates"]:
        """Of resamples that have each of the ascending `values` so often, all of one size."""
        upto = np.cumsum(counts, axis=0)
        first, last = self.kept(int(upto[-1, 0]))
        np.clip(upto, first, last, out=upto)
        # Summed by parts: value i weighs upto[i] - upto[i - 1].
        total = last * values[..., -1:] - first * values[..., :1]
        return (total - np.diff(values, axis=-1) @ upto[:-1]) / (last - first)

    def __call__(self, values: Float[np.ndarray, "*points n"]) -> Float[np.ndarray, "*points"]:
        """Over the last axis. NaN as soon as one value is: a seed without an answer must not
        vanish from the average."""
        first, last = self.kept(values.shape[-1])
        found = np.sort(values, axis=-1)[..., first:last].mean(axis=-1)
        return np.where(np.isnan(values).any(axis=-1), np.nan, found)


iqm = Ordered(lambda n: (n // 4, n - n // 4))
"""Interquartile mean: floor(n / 4) values are cut off at either end, and the rest averaged. As
`scipy.stats.trim_mean(values, .25)`, which rliable uses."""
mean = Ordered(lambda n: (0, n))
median = Ordered(lambda n: ((n - 1) // 2, n - (n - 1) // 2))


def bootstrap(
    strata: Sequence[Values],
    statistic: Ordered = iqm,
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of a statistic of all seeds of all strata together; points' intervals,
    each by itself.

    strata: one array a benchmark, of the same points. Every replicate draws, in each stratum, as
    many seeds as there are, with replacement. Several trainings are drawn first, and then seeds
    within each drawn one: what a learned agent is worth varies with both.
    """
    points = strata[0].shape[:-2]
    flat = np.concatenate([x.reshape(-1, x.shape[-2] * x.shape[-1]) for x in strata], axis=-1)
    value = statistic(np.asarray(flat, np.float64))
    known = np.flatnonzero(~np.isnan(value))
    ordered = np.sort(np.asarray(flat[known], np.float64), axis=-1)
    counts = np.concatenate(drawn(tuple(x.shape[-2:] for x in strata), replicates, seed))
    if len(strata) == 1 and 1 in strata[0].shape[-2:]:
        # All are drawn alike, so it does not matter which of them is which: a resample is so many
        # of the smallest, of the next, ..., and the same at all points.
        resampled = statistic.resampled(ordered, counts)
    else:
        order = np.argsort(flat[known], axis=-1)
        resampled = np.empty((len(known), replicates))
        for i, (row, places) in enumerate(zip(ordered, order, strict=True)):
            times, first = counts[places], np.flatnonzero(np.diff(row, prepend=-np.inf))
            if len(first) < len(row):  # equal values are one
                times = np.add.reduceat(times, first, axis=0)
            resampled[i] = statistic.resampled(row[first], times)
    low, high = np.full((2, len(value)), np.nan)
    _, low[known], high[known] = interval(value[known], resampled, level)
    return Interval(value.reshape(points), low.reshape(points), high.reshape(points))


@lru_cache(maxsize=4)
def drawn(
    shapes: tuple[tuple[int, ...], ...], replicates: int, seed: int
) -> list[Float[np.ndarray, "k replicates"]]:
    """How often each run of each stratum, (trainings, seeds), is in each resample. Strata of
    equally many trainings are of the same ones, which are drawn together."""
    rng = np.random.default_rng(seed)
    picked = np.zeros((replicates, 1), np.int64)
    found = []
    for trainings, seeds in shapes:
        if picked.shape[1] != trainings:
            picked = rng.integers(trainings, size=(replicates, trainings))
        places = (
            rng.integers(seeds, size=(replicates, trainings, seeds)) + seeds * picked[..., None]
        )
        flat = places.reshape(replicates, -1) * replicates + np.arange(replicates)[:, None]
        k = trainings * seeds
        counts = np.bincount(flat.ravel(), minlength=k * replicates).reshape(k, replicates)
        found.append(counts.astype(np.float32))  # whole numbers, and fast to multiply
    return found


class Improvement(NamedTuple):
    """How often a run of X ends above a run of Y, a tie counting as half. equal: how often they
    tie."""

    above: Interval
    equal: float


def probability_of_improvement(
    x: Sequence[Values],
    y: Sequence[Values],
    *,
    replicates: int = REPLICATES,
    level: float = LEVEL,
    seed: int = 0,
) -> Improvement:
    """P(X > Y) + P(X = Y) / 2 over all pairs of runs, mean over strata (one array a benchmark,
    without points), with a bootstrap interval: runs of X and Y are drawn apart, as `bootstrap`
    draws.

    It is the Mann-Whitney U statistic of X over n m. NaN as soon as one value is.
    """
    if any(np.isnan(values).any() for values in (*x, *y)):
        return Improvement(UNKNOWN, math.nan)
    times_x, times_y = (
        drawn(tuple(values.shape for values in side), replicates, seed + i)
        for i, side in enumerate((x, y))
    )
    resampled, above, equal = np.zeros(replicates), 0.0, 0.0
    for a, b, times_a, times_b in zip(x, y, times_x, times_y, strict=True):
        wins, ties = a.ravel()[:, None] > b.ravel(), a.ravel()[:, None] == b.ravel()
        wins = (wins + 0.5 * ties).astype(np.float32)
        resampled += ((wins.T @ times_a) * times_b).sum(axis=0) / wins.size
        above, equal = above + float(wins.mean(dtype=np.float64)), equal + float(ties.mean())
    n = len(x)
    return Improvement(interval(above / n, resampled / n, level), equal / n)
