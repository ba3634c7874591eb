"""The numbers of a comparison by simulated seconds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

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
    """whole: mean seconds of a whole training. grid: float [POINTS] seconds; curves: label -> what
    is reported there. rows: by seconds, then in the order of the agents."""

    entrants: tuple[Entrant, ...]
    reference: str | None
    leaders: tuple[str, ...]
    whole: float
    grid: Float[np.ndarray, " points"]
    curves: dict[str, stats.Interval]
    rows: tuple[dict[str, Any], ...]

    @property
    def manifest(self) -> dict[str, Any]:
        return self.entrants[0].manifest

    def last(self, label: str) -> dict[str, Any]:
        """The row of an agent at the end of the budget."""
        return next(row for row in reversed(self.rows) if row["agent"] == label)


def worth(history: Any, grid: Float[np.ndarray, " points"]) -> Float[np.ndarray, "seeds points"]:
    """What the incumbent is reported as at each second: that after the last query finished by
    then, up to the end of the budget, in which no other fits. NaN before the first."""
    spent = np.cumsum(np.asarray(history.sim_seconds, np.float64), axis=1)
    spent = np.where(history.made, spent, np.inf)
    values = np.asarray(history.reported, np.float64)
    found = np.take_along_axis(values, np.maximum(history.incumbent, 0), axis=1)
    found = np.where(history.incumbent >= 0, found, np.nan)
    done = np.stack([np.searchsorted(row, grid, side="right") for row in spent])
    picked = np.take_along_axis(found, np.maximum(done - 1, 0), axis=1)
    return np.where(done > 0, picked, np.nan)


def asked(history: TimedHistory, seconds: float) -> Float[np.ndarray, " seeds"]:
    """Queries made by then."""
    spent = np.cumsum(np.asarray(history.sim_seconds, np.float64), axis=1)
    within: Any = history.made & (spent <= seconds)
    return within.sum(1).astype(np.float64)


def measure(runs: Sequence[Run], whole: float, reference: str = "") -> Measured:
    """whole: mean seconds of a whole training, for the table. reference: the label of an agent; ""
    for the best of those that are not trained, at the end."""
    entered = entrants(runs)
    budget = float(entered[0].manifest["seconds"])
    grid = np.geomspace(min(whole, budget / 2), budget, POINTS)
    at = np.array([share * budget for share in SHARES])
    # The last point is the budget, whatever the rounding of a sum.
    at[-1] = grid[-1] = np.inf
    table = {e.label: e.each(lambda h: worth(h, at)) for e in entered}
    ends = {label: [values[-1]] for label, values in table.items()}
    against_whom = reference_among(entered, ends, reference)
    compared = against({label: [values] for label, values in table.items()}, against_whom)
    curves = {e.label: stats.bootstrap([e.each(lambda h: worth(h, grid))]) for e in entered}
    by_agent = [
        _rows(e, table[e.label], at, budget, whole, compared[e.label]) for e in entered
    ]  # fmt: skip
    rows = [store.to_json(column[i]) for i in range(len(at)) for column in by_agent]
    grid = np.append(grid[:-1], budget)
    return Measured(
        tuple(entered), against_whom, leaders(ends), whole, grid, curves, tuple(rows)
    )  # fmt: skip


def _rows(
    entrant: Entrant, values: Any, at: Any, budget: float, whole: float, compared: Any
) -> list[dict[str, Any]]:
    manifest = entrant.manifest
    optimum = math.nan if manifest["optimum"] is None else manifest["optimum"]
    accuracy = stats.bootstrap([values])
    columns: dict[str, Any] = {
        **spread({"accuracy_iqm": accuracy, "regret_iqm": mirrored(accuracy, optimum)}),
        "accuracy_mean": values.mean((1, 2)),
        **compared,
        "queries_mean": [
            np.mean([asked(run.history, seconds).mean() for run in entrant.runs]) for seconds in at
        ],
    }
    facts = {
        "benchmark": manifest["benchmark"].get("name"),
        "noise": manifest["benchmark"].get("noise"),
        "agent": entrant.label,
        "seeds": entrant.seeds,
        "pretraining_lookups": entrant.pretraining.get("lookups", 0),
    }
    return [
        facts
        | {"seconds": share * budget, "whole_trainings": share * budget / whole}
        | {name: None if column is None else column[i] for name, column in columns.items()}
        for i, share in enumerate(SHARES)
    ]
