"""The numbers of a comparison whose queries may be at any fidelity: by simulated seconds, or by
queries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from rlnas.agents.timed import TimedHistory
from rlnas.analysis import stats, store
from rlnas.analysis.comparison.entrants import Entrant, entrants
from rlnas.analysis.comparison.measures import against, leaders, mirrored, reference_among, spread
from rlnas.analysis.store import Run

SHARES = (0.1, 0.2, 0.5, 1.0)
"""Of the budget, after which the table says what was reached."""
POINTS = 120
"""Of a curve."""


@dataclass(frozen=True)
class Measured:
    """whole: mean seconds of a whole training. grid: [points] seconds, or queries; curves: label ->
    what is reported there. rows: by these, then in the order of the agents."""

    entrants: tuple[Entrant, ...]
    reference: str | None
    leaders: tuple[str, ...]
    whole: float
    grid: Float[np.ndarray, " points"]
    curves: dict[str, stats.Interval]
    rows: tuple[dict[str, Any], ...]

    @property
    def by_seconds(self) -> bool:
        return "seconds" in self.manifest

    @property
    def manifest(self) -> dict[str, Any]:
        return self.entrants[0].manifest

    def last(self, label: str) -> dict[str, Any]:
        """The row of an agent at the end of the budget."""
        return next(row for row in reversed(self.rows) if row["agent"] == label)


def spent_by(history: TimedHistory, by_seconds: bool = True) -> Float[np.ndarray, "seeds most"]:
    """Seconds, or queries, up to the end of each query; inf of what was not made."""
    each = np.asarray(history.sim_seconds if by_seconds else history.made, np.float64)
    return np.where(history.made, np.cumsum(each, axis=1), np.inf)


def worth(
    history: TimedHistory, grid: Num[np.ndarray, " points"], by_seconds: bool = True
) -> Float[np.ndarray, "seeds points"]:
    """What the incumbent is reported as at each second, or query: that after the last query
    finished by then, up to the end of the budget, in which no other fits. NaN before the first."""
    spent = spent_by(history, by_seconds)
    values = np.asarray(history.reported, np.float64)
    found = np.take_along_axis(values, np.maximum(history.incumbent, 0), axis=1)
    found = np.where(history.incumbent >= 0, found, np.nan)
    done = np.stack([np.searchsorted(row, grid, side="right") for row in spent])
    picked = np.take_along_axis(found, np.maximum(done - 1, 0), axis=1)
    return np.where(done > 0, picked, np.nan)


def asked(history: TimedHistory, seconds: float) -> Float[np.ndarray, " seeds"]:
    """Queries made by then."""
    within: Any = history.made & (spent_by(history) <= seconds)
    return within.sum(1).astype(np.float64)


def paid(history: TimedHistory, queries: float) -> Float[np.ndarray, " seeds"]:
    """Seconds spent in so many queries, NaN where they are not known."""
    within = history.made & (spent_by(history, False) <= queries)
    return np.where(within, np.asarray(history.sim_seconds, np.float64), 0).sum(1)


def measure(runs: Sequence[Run], whole: float, reference: str = "") -> Measured:
    """whole: mean seconds of a whole training, for the table. reference: the label of an agent; ""
    for the best of those that are not trained, at the end."""
    entered = entrants(runs)
    by_seconds = "seconds" in entered[0].manifest
    budget = entered[0].manifest["seconds" if by_seconds else "budget"]
    if by_seconds:
        grid = np.geomspace(min(whole, budget / 2), budget, POINTS)
        at = np.array([share * budget for share in SHARES], np.float64)
    else:
        grid = np.unique(np.geomspace(1, budget, POINTS).round())
        at = np.unique([max(1.0, float(round(share * budget))) for share in SHARES])
    after = at.tolist()
    # The last point is the budget, whatever the rounding of a sum.
    at[-1] = grid[-1] = np.inf
    table = {e.label: e.each(lambda h: worth(h, at, by_seconds)) for e in entered}
    ends = {label: [values[-1]] for label, values in table.items()}
    against_whom = reference_among(entered, ends, reference)
    compared = against({label: [values] for label, values in table.items()}, against_whom)
    curves = {
        e.label: stats.bootstrap([e.each(lambda h: worth(h, grid, by_seconds))]) for e in entered
    }
    by_agent = []
    for e in entered:
        said = _spending(e, at, after, whole) if by_seconds else _asking(e, at, after)
        by_agent.append(_rows(e, table[e.label], compared[e.label], said))
    rows = [store.to_json(column[i]) for i in range(len(at)) for column in by_agent]
    grid = np.append(grid[:-1], budget)
    return Measured(
        tuple(entered), against_whom, leaders(ends), whole, grid, curves, tuple(rows)
    )  # fmt: skip


def _spending(entrant: Entrant, at: Any, after: list[float], whole: float) -> dict[str, Any]:
    """Columns of a comparison by seconds."""
    return {
        "seconds": after,
        "whole_trainings": [seconds / whole for seconds in after],
        "queries_mean": [
            np.mean([asked(run.history, seconds).mean() for run in entrant.runs]) for seconds in at
        ],
    }


def _asking(entrant: Entrant, at: Any, after: list[float]) -> dict[str, Any]:
    """Columns of a comparison by queries."""
    return {
        "queries": [int(queries) for queries in after],
        "seconds_mean": [
            np.mean([paid(run.history, queries).mean() for run in entrant.runs]) for queries in at
        ],
    }


def _rows(
    entrant: Entrant, values: Any, compared: Any, spent: dict[str, Any]
) -> list[dict[str, Any]]:
    manifest = entrant.manifest
    optimum = math.nan if manifest["optimum"] is None else manifest["optimum"]
    accuracy = stats.bootstrap([values])
    columns: dict[str, Any] = {
        **spread({"accuracy_iqm": accuracy, "regret_iqm": mirrored(accuracy, optimum)}),
        "accuracy_mean": values.mean((1, 2)),
        **compared,
    }
    columns = spent | columns
    facts = {
        "benchmark": manifest["benchmark"].get("name"),
        "noise": manifest["benchmark"].get("noise"),
        "agent": entrant.label,
        "seeds": entrant.seeds,
        "pretraining_lookups": entrant.pretraining.get("lookups", 0),
    }
    return [
        facts | {name: None if column is None else column[i] for name, column in columns.items()}
        for i in range(len(values))
    ]
