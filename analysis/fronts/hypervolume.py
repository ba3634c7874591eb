"""Fronts of points and the hypervolume they dominate. Objectives are to be minimised, from 0 to 1;
the reference is (1, ..., 1), and what lies beyond it counts as on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from rlnas.bench.errors import UserError

Points = Float[np.ndarray, "n k"]


def is_front(points: Points) -> Bool[np.ndarray, " n"]:
    """Which points no other dominates: one is nowhere worse and somewhere better. Of equal points
    the first counts; NaN is on no front."""
    known = ~np.isnan(points).any(axis=1)
    order = np.lexsort(points.T[::-1])  # by the first objective, then the second, ...
    found = np.zeros(len(points), bool)
    kept = np.empty((0, points.shape[1]))
    if points.shape[1] == 2:
        values = np.where(known[order, None], points[order], np.inf)
        before = np.concatenate([[np.inf], np.minimum.accumulate(values[:-1, 1])])
        found[order] = (values[:, 1] < before) & known[order]
        return found
    for i in order:  # what comes later dominates nothing that came before
        if known[i] and not (kept <= points[i]).all(axis=1).any():
            found[i] = True
            kept = np.concatenate([kept, points[i : i + 1]])
    return found


def hypervolume(points: Points) -> float:
    """What the points dominate of the unit cube; exact."""
    if points.shape[1] == 2:
        return float(anytime(points[None])[0, -1]) if len(points) else 0.0
    return _moocore(within(points))


def within(points: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
    """In the unit cube, NaN (no answer, a cost that is not known) at the reference."""
    known = ~np.isnan(points).any(axis=-1, keepdims=True)
    return np.where(known, np.clip(points, 0, 1), 1.0)


def anytime(
    points: Float[np.ndarray, "runs queries k"], at: Any = None
) -> Float[np.ndarray, "runs counts"]:
    """The hypervolume of the first n points of each run; n as in `at` (whole numbers), by default
    1, 2, 3, ..."""
    points = within(np.asarray(points, np.float64))
    queries = points.shape[1]
    counts = np.arange(1, queries + 1) if at is None else np.asarray(at)
    if points.shape[2] == 2:
        return _sweep(points)[:, counts - 1]
    return np.array([[_moocore(run[:n]) for n in counts] for run in points])


def _sweep(points: Float[np.ndarray, "runs queries 2"]) -> Float[np.ndarray, "runs queries"]:
    """Two objectives, all runs at once: along the first, `lowest` is the least second so far, which
    is where the dominated area begins. A point changes it only where none dominates it, and these
    are few."""
    runs, queries = points.shape[:2]
    order = np.argsort(points[..., 0], axis=1, kind="stable")
    place = np.argsort(order, axis=1, kind="stable")
    x = np.take_along_axis(points[..., 0], order, axis=1)
    width = np.diff(x, append=1.0, axis=1)
    lowest = np.ones((runs, queries))
    everywhere, along = np.arange(runs), np.arange(queries)
    found = np.zeros((runs, queries))
    volume = np.zeros(runs)
    for t in range(queries):
        y, at = points[:, t, 1], place[:, t]
        new = np.flatnonzero(y < lowest[everywhere, at])
        if len(new):
            beyond = np.where(along >= at[new, None], y[new, None], 1.0)
            lowest[new] = np.minimum(lowest[new], beyond)
            volume[new] = ((1 - lowest[new]) * width[new]).sum(axis=1)
        found[:, t] = volume
    return found


def _moocore(points: Points) -> float:
    try:
        import moocore  # an extra
    except ImportError:
        raise UserError(
            "moocore is not installed; `pip install 'rlnas[objectives]'` for the hypervolume of "
            "three objectives and more"
        ) from None
    return float(moocore.hypervolume(points, ref=[1.0] * points.shape[1]))


def igd_plus(points: Points, front: Float[np.ndarray, "f k"]) -> float:
    """IGD+ (Ishibuchi et al. 2015): how far the front is beyond the points, mean over the front."""
    if not len(points):
        return float("nan")
    beyond = np.maximum(within(points)[:, None] - front[None], 0)
    return float(np.sqrt((beyond**2).sum(-1)).min(axis=0).mean())


def attained(
    runs: Float[np.ndarray, "runs queries 2"], grid: Float[np.ndarray, " x"]
) -> Float[np.ndarray, "runs x"]:
    """The least second objective of a run at no more than `grid` of the first; infinite where it
    has none. Its quantiles over runs are the attainment surfaces (Fonseca and Fleming 1996)."""
    known = np.where(np.isnan(runs).any(axis=-1, keepdims=True), np.inf, runs)
    found = np.full((len(known), len(grid)), np.inf)
    for i, run in enumerate(known):
        order = np.argsort(run[:, 0], kind="stable")
        x, lowest = run[order, 0], np.minimum.accumulate(run[order, 1])
        place = np.searchsorted(x, grid, side="right")
        found[i] = np.where(place > 0, lowest[np.maximum(place - 1, 0)], np.inf)
    return found


def knee(front: Points) -> int:
    """Of a front of two objectives, normalised: the point farthest below the line between its two
    ends; -1 of fewer than three."""
    if len(front) < 3 or front.shape[1] != 2:
        return -1
    first, last = front[front[:, 0].argmin()], front[front[:, 0].argmax()]
    along = last - first
    below = along[1] * (front[:, 0] - first[0]) - along[0] * (front[:, 1] - first[1])
    return int(below.argmax())
