"""From histories to curves: what the incumbent is worth after each query, and at each simulated
second."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from rlnas.agents.protocol import History


def incumbent_values(
    history: History, of: Float[np.ndarray, "seeds budget"] | None = None
) -> Float[np.ndarray, "seeds budget"]:
    """What the incumbent after each query is reported as, a fraction; NaN before the first valid
    answer.

    of: another array of the history, e.g. `history.val` for the validation accuracy it was kept
    for.
    """
    values = np.asarray(history.reported if of is None else of, np.float64)
    picked = np.take_along_axis(values, np.maximum(history.incumbent, 0), axis=-1)
    return np.where(np.asarray(history.incumbent) >= 0, picked, np.nan)


def regret(values: Float[np.ndarray, "*any"], optimum: float) -> Float[np.ndarray, "*any"]:
    """How far `values` are below the best reported value of the space; a fraction."""
    return optimum - values


def distinct(history: History) -> Int[np.ndarray, "seeds budget"]:
    """How many different architectures had been looked up after each query."""
    return np.cumsum(history.is_new, axis=-1)


def elapsed(history: History) -> Float[np.ndarray, "seeds budget"]:
    """Simulated training seconds after each query; NaN from an answer on whose seconds are unknown.
    Asking again costs again; a query without an answer counts as none (it still counts as a
    query)."""
    seconds = np.asarray(history.sim_seconds, np.float64)
    return np.cumsum(np.where(history.valid, seconds, 0.0), axis=-1)


def timed(history: History) -> bool:
    """Whether the benchmark knows how long the trainings took, all of them."""
    some = np.isfinite(np.asarray(history.sim_seconds)).any()
    return bool(some and np.isfinite(elapsed(history)).all())


def on_grid(
    times: Float[np.ndarray, "seeds budget"],
    values: Float[np.ndarray, "seeds budget"],
    grid: Float[np.ndarray, " points"],
) -> Float[np.ndarray, "seeds points"]:
    """`values` as step functions of time: at t, that of the last query finished by t.

    NaN before a run's first query has finished, and after its last one: then its budget was spent,
    and what it would have done with more time nobody knows.
    """
    finished = np.stack([np.searchsorted(row, grid, side="right") for row in times])
    picked = np.take_along_axis(values, np.maximum(finished - 1, 0), axis=-1)
    return np.where((finished > 0) & (grid <= times[:, -1:]), picked, np.nan)


def time_grid(
    times: Sequence[Float[np.ndarray, "seeds budget"]], points: int = 160
) -> Float[np.ndarray, " points"]:
    """Seconds, evenly spaced in the logarithm, over which at least one agent has all its seeds at
    work.

    Empty when there is no such stretch (no simulated seconds at all).
    """
    first = min(float(row[:, 0].max()) for row in times)
    last = max(float(row[:, -1].min()) for row in times)
    return np.geomspace(first, last, points) if 0 < first < last else np.zeros(0)


def thin(budget: int, points: int = 160) -> Int[np.ndarray, " points"]:
    """Positions 0 .. budget - 1, all of them or about `points`, denser at the start; first and last
    included."""
    if budget <= points:
        return np.arange(budget)
    return np.unique(np.round(np.geomspace(1, budget, 2 * points)).astype(int)) - 1
