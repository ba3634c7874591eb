"""Differences between two agents whose run number i has the same key: means over such pairs, and
how surprising they would be if there were no difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr  # scipy.stats takes a second to import

from rlnas.analysis.stats import Interval, Values, drawn, interval

REPLICATES = 10_000


def difference(
    x: Sequence[Values], y: Sequence[Values], *, replicates: int = REPLICATES, seed: int = 0
) -> tuple[Interval, Any]:
    """(`apart`; the two-sided p-value of no difference), at each point.

    p: where neither has several trainings, of the sign-flip test (Fisher 1935): without a
    difference the two runs of a pair might as well be each other's, so every sign of a difference
    is as likely; nothing is assumed of its distribution, and pairs that tie count as no difference.
    The observed signs are among the replicates, so that p is never 0. With several trainings these
    are what has to differ, and a flip of pairs would take searches for them: the difference is
    compared with its bootstrap standard error, by Student's t with a degree of freedom less than
    trainings, since of so few the shares of replicates on either side of 0 promise too much (of 5
    trainings, 15 % of nothing would be below .05). NaN where a value is.
    """
    a, b = pairs(x, y)
    mean, resampled = _resampled(a, b, replicates, seed)
    if all(v.shape[-2] == 1 for v in (*a, *b)):
        p = sign_flips([(v - w)[:, 0] for v, w in zip(a, b, strict=True)], replicates, seed)
    else:
        fewest = min(v.shape[-2] for v in (*a, *b) if v.shape[-2] > 1)
        error = resampled.std(axis=-1) * np.sqrt(fewest / (fewest - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(mean == 0, 1.0, 2 * stdtr(fewest - 1, -np.abs(mean) / error))
    p = np.where(np.isnan(mean), np.nan, p)
    points = x[0].shape[:-2]
    return _at(points, interval(mean, resampled)), p.reshape(points)[()]


def apart(
    x: Sequence[Values], y: Sequence[Values], *, replicates: int = REPLICATES, seed: int = 0
) -> Interval:
    """The mean of X - Y over pairs of runs with the same seed, with its 95 % bootstrap interval, at
    each point.

    x, y: one array a benchmark, and each counts the same; seeds that only one of them has are left
    out. Replicates draw seeds, the same ones for X and Y and for all their trainings, and
    trainings, those of X and Y apart: seeds and trainings are crossed.
    """
    return _at(x[0].shape[:-2], interval(*_resampled(*pairs(x, y), replicates, seed)))


def pairs(x: Sequence[Values], y: Sequence[Values]) -> tuple[list[Any], list[Any]]:
    """Both with the seeds that both have, and their points in one axis."""
    common = [min(v.shape[-1], w.shape[-1]) for v, w in zip(x, y, strict=True)]
    a, b = (
        [v.reshape(-1, *v.shape[-2:])[..., :n] for v, n in zip(side, common, strict=True)]
        for side in (x, y)
    )
    return a, b


def _resampled(a: list[Any], b: list[Any], replicates: int, seed: int) -> tuple[Any, Any]:
    """The mean difference [points], and replicates of it [points, replicates]."""
    mean = np.mean([(v.mean((1, 2)) - w.mean((1, 2))) for v, w in zip(a, b, strict=True)], axis=0)
    times_x, times_y = (
        drawn(tuple((v.shape[-2], 1) for v in side), replicates, seed + 1 + i)
        for i, side in enumerate((a, b))
    )
    seeds = drawn(tuple((1, v.shape[-1]) for v in a), replicates, seed)
    resampled = np.zeros((len(mean), replicates))
    for v, w, of_x, of_y, of_seeds in zip(a, b, times_x, times_y, seeds, strict=True):
        sides = [(v, of_x, 1), (w, of_y, -1)]
        if v.shape[-2] == w.shape[-2] == 1:  # the same, in half the time
            sides = [(v - w, of_x, 1)]
        for values, trainings, sign in sides:
            searches = values @ of_seeds / len(of_seeds)  # [points, trainings, replicates]
            resampled += sign * np.mean(searches * trainings, axis=1) / len(a)
    return mean, resampled


def _at(points: tuple[int, ...], found: Interval) -> Interval:
    return Interval(*(end.reshape(points)[()] for end in found))


def sign_flips(
    differences: Sequence[Float[np.ndarray, "points _seeds"]], replicates: int, seed: int
) -> Float[np.ndarray, " points"]:
    """How often the mean of differences with random signs is as far from 0 as it is with their own.
    One array a benchmark; each counts the same."""
    weighted = np.concatenate([d / d.shape[-1] for d in differences], axis=-1)
    signs = np.random.default_rng(seed).choice((-1.0, 1.0), size=(weighted.shape[-1], replicates))
    observed = np.abs(weighted.sum(axis=-1, keepdims=True))
    as_far = np.abs(weighted @ signs) >= observed - 1e-12
    return (1 + as_far.sum(axis=-1)) / (1 + replicates)


def holm(p: Float[np.ndarray, " tests"]) -> Float[np.ndarray, " tests"]:
    """p-values adjusted for their number (Holm 1979): the smallest times n, the next times n - 1,
    and so on, never below the one before. NaNs stay out of it."""
    adjusted = np.full_like(p, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted
