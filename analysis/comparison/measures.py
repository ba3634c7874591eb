"""The numbers of a comparison at a few query counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlnas.analysis import stats, store
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.runs import reference_of
from rlnas.analysis.store import Run

CHECKPOINTS = (10, 20, 50, 100, 150, 200, 300)

Row = dict[str, Any]
"""One agent after so many queries. Accuracies and regrets are fractions; None where nothing is
defined."""


def checkpoints(budget: int) -> list[int]:
    """10, 20, 50, 100, 150, 200, 300 as far as the budget goes, and the budget itself."""
    return sorted({c for c in CHECKPOINTS if c <= budget} | {budget})


def rows(runs: Sequence[Run]) -> list[Row]:
    """The table, by queries and then in the order of `runs`."""
    at = checkpoints(runs[0].manifest["budget"])
    reference = reference_of(runs)
    against = None if reference is None else curves.incumbent_values(reference.history)
    by_run = [_rows_of(run, at, None if run is reference else against) for run in runs]
    return [column[i] for i in range(len(at)) for column in by_run]


def _rows_of(run: Run, at: Sequence[int], against: np.ndarray | None) -> list[Row]:
    manifest, places = run.manifest, np.asarray(at) - 1
    values = curves.incumbent_values(run.history)
    picked = values[:, places].T
    iqm, mean = (
        stats.bootstrap([picked[:, None]], statistic) for statistic in (stats.iqm, stats.mean)
    )
    median = stats.median(picked)
    validation = stats.iqm(
        curves.incumbent_values(run.history, of=np.asarray(run.history.val))[:, places].T
    )
    distinct = curves.distinct(run.history)[:, places].mean(axis=0)
    seconds = curves.elapsed(run.history)[:, places].mean(axis=0)
    seconds = seconds if np.any(run.history.valid) else np.full(len(at), math.nan)
    optimum = math.nan if manifest["optimum"] is None else manifest["optimum"]
    pretraining = manifest["pretraining"] or {}
    found = []
    for i, queries in enumerate(at):
        better = (
            None
            if against is None
            else stats.probability_of_improvement(
                [picked[i][None]], [against[None, :, queries - 1]]
            )
        )
        row = {
            "benchmark": manifest["benchmark"].get("name"),
            "noise": manifest["benchmark"].get("noise"),
            "agent": run.label,
            "seeds": manifest["seeds"],
            "queries": queries,
            "accuracy_iqm": iqm.value[i],
            "accuracy_iqm_low": iqm.low[i],
            "accuracy_iqm_high": iqm.high[i],
            "accuracy_mean": mean.value[i],
            "accuracy_mean_low": mean.low[i],
            "accuracy_mean_high": mean.high[i],
            "accuracy_median": median[i],
            "validation_iqm": validation[i],
            "regret_iqm": optimum - iqm.value[i],
            "regret_iqm_low": optimum - iqm.high[i],
            "regret_iqm_high": optimum - iqm.low[i],
            "regret_mean": optimum - mean.value[i],
            "regret_mean_low": optimum - mean.high[i],
            "regret_mean_high": optimum - mean.low[i],
            "regret_median": optimum - median[i],
            "improvement_over_random": better and better.above.value,
            "improvement_over_random_low": better and better.above.low,
            "improvement_over_random_high": better and better.above.high,
            "equal_to_random": better and better.equal,
            "distinct_queries_mean": distinct[i],
            "simulated_seconds_mean": seconds[i],
            "pretraining_lookups": pretraining.get("lookups", 0),
            "trained_on": pretraining.get("trained_on"),
            "unseen_incumbents": pretraining["unseen_incumbents"][queries - 1]
            if "unseen_incumbents" in pretraining
            else None,
        }
        found.append(store.to_json(row))
    return found


def summary(runs: Sequence[Run], table: Sequence[Row]) -> dict[str, Any]:
    """The comparison as JSON: what was compared, which runs, how the statistics were made, the
    table."""
    manifest, reference = runs[0].manifest, reference_of(runs)
    return {
        "format": "rlnas-comparison",
        "version": 1,
        "benchmark": manifest["benchmark"],
        "reports": manifest["reports"],
        "optimum": manifest["optimum"],
        "budget": manifest["budget"],
        "reference": reference.label if reference else None,
        "runs": [
            {
                "hash": run.manifest["hash"],
                "agent": run.label,
                "settings": run.manifest["config"],
                "seed": run.manifest["seed"],
                "seeds": run.manifest["seeds"],
                "pretraining": run.manifest["pretraining"],
            }
            for run in runs
        ],
        "statistics": {
            "iqm": "mean of the middle half of the seeds (floor(n/4) cut at either end)",
            "interval": (
                f"{stats.LEVEL:.0%} percentile bootstrap over seeds, {stats.REPLICATES} replicates"
            ),
            "improvement_over_random": "P(X > Y) + P(X = Y)/2 over all pairs of seeds",
        },
        "table": list(table),
    }
