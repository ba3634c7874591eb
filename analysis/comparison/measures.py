"""The numbers of a comparison at a few query counts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from rlnas.analysis import paired, stats, store
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.entrants import Entrant, entrants
from rlnas.analysis.stats import Interval, Values
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError

CHECKPOINTS = (10, 20, 50, 100, 150, 200, 300)

worst_tenth = stats.Ordered(lambda n: (0, max(1, n // 10)))
"""Mean of the lowest tenth."""
FEWEST = 50
"""Runs below which the worst tenth has no interval: it would be over a handful (ours)."""

TOLD_APART = 0.05
"""The level of a test, below which two agents are told apart."""

Row = dict[str, Any]
"""One agent after so many queries. Accuracies and regrets are fractions; None where nothing is
defined."""


@dataclass(frozen=True)
class Measured:
    """A comparison in numbers. reference: the label of the agent that differences are to; None
    where there is none. rows: by queries, then in the order of the agents. profile, leaders: see
    `profile_of` and `leaders`."""

    entrants: tuple[Entrant, ...]
    reference: str | None
    rows: tuple[Row, ...]
    profile: dict[str, Any]
    leaders: tuple[str, ...]

    def __repr__(self) -> str:
        return f"<Measured {', '.join(e.label for e in self.entrants)}: {len(self.rows)} rows>"

    @property
    def manifest(self) -> dict[str, Any]:
        return self.entrants[0].manifest

    def last(self, label: str) -> Row:
        """The row of an agent after its last query."""
        return next(row for row in reversed(self.rows) if row["agent"] == label)


def measure(runs: Sequence[Run], reference: str = "") -> Measured:
    """All numbers of a comparison. reference: the label of an agent; "" for the best of those that
    are not trained, by what is reported after the last query. `UserError` for a label of none."""
    entered = entrants(runs)
    ends = {entrant.label: [entrant.reported[-1]] for entrant in entered}
    against = reference_among(entered, ends, reference)
    table = rows(entered, against)
    return Measured(tuple(entered), against, tuple(table), profile_of(ends), leaders(ends))


def checkpoints(budget: int) -> list[int]:
    """10, 20, 50, 100, 150, 200, 300 as far as the budget goes, and the budget itself."""
    return sorted({c for c in CHECKPOINTS if c <= budget} | {budget})


def reference_among(
    entered: Sequence[Entrant], ends: Mapping[str, Sequence[Values]], wanted: str = ""
) -> str | None:
    """See `measure`. An agent may also be named by the label of one of its runs. ends: what agents
    are judged by after the last query, an array [trainings, seeds] a benchmark."""
    for entrant in entered:
        if wanted and wanted in (entrant.label, *(run.label for run in entrant.runs)):
            return entrant.label
    if wanted:
        known = ", ".join(entrant.label for entrant in entered)
        raise UserError(f"--reference {wanted} is no agent of this comparison; expected {known}")
    found = {e.label: middle(ends[e.label]) for e in entered if not e.learned}
    valued = {label: end for label, end in found.items() if not math.isnan(end)}
    return max(valued, key=lambda label: valued[label]) if valued else next(iter(found), None)


def middle(ends: Sequence[Values]) -> float:
    """The interquartile mean of all runs on all benchmarks."""
    return float(stats.iqm(np.concatenate([end.ravel() for end in ends])))


def leaders(ends: Mapping[str, Sequence[Values]]) -> tuple[str, ...]:
    """The agent with the highest interquartile mean, and behind it those that it is not told apart
    from: whose paired differences to it have a p-value of .05 or more, adjusted for their number
    (Holm). ends: as of `reference_among`; agents without an answer are left out."""
    found = {label: middle(values) for label, values in ends.items()}
    ranked = [label for label in found if not math.isnan(found[label])]
    ranked.sort(key=lambda label: -found[label])
    if len(ranked) < 2:
        return tuple(ranked)
    first, *others = ranked
    points = {label: [end[None] for end in ends[label]] for label in ranked}
    p = [paired.difference(points[first], points[label])[1][0] for label in others]
    alike = paired.holm(np.array(p)) >= TOLD_APART
    return (first, *(label for label, same in zip(others, alike, strict=True) if same))


def rows(entered: Sequence[Entrant], reference: str | None) -> list[Row]:
    """The table, by queries and then in the order of the agents."""
    at = checkpoints(entered[0].manifest["budget"])
    places = np.asarray(at) - 1
    compared = against({e.label: [e.reported[places]] for e in entered}, reference)
    means = {e.label: so_far([e.reported], at) for e in entered}
    beside(compared, "anytime_difference", means, reference)
    by_agent = [_rows_of(entrant, at, compared[entrant.label]) for entrant in entered]
    return [store.to_json(column[i]) for i in range(len(at)) for column in by_agent]


def _rows_of(entrant: Entrant, at: Sequence[int], compared: Mapping[str, Any]) -> list[Row]:
    manifest, places = entrant.manifest, np.asarray(at) - 1
    optimum = math.nan if manifest["optimum"] is None else manifest["optimum"]
    reported = entrant.reported[places]
    accuracy = {
        "accuracy_iqm": stats.bootstrap([reported]),
        "accuracy_mean": stats.bootstrap([reported], stats.mean),
        "anytime": stats.bootstrap(so_far([entrant.reported], at)),
        "worst_tenth": with_enough(stats.bootstrap([reported], worst_tenth), [reported]),
    }
    regret = {
        name.replace("accuracy", "regret") if "accuracy" in name else f"{name}_regret": mirrored(
            interval, optimum
        )
        for name, interval in accuracy.items()
    }
    median = stats.median(reported.reshape(len(at), -1))
    best = (reported >= optimum).mean(axis=(1, 2)) if optimum == optimum else None
    answered = any(run.history.valid.any() for run in entrant.runs)
    before = entrant.pretraining
    unseen = before.get("unseen_incumbents")
    validation = [entrant.validation[places]]
    by_validation = {
        "validation_iqm": stats.bootstrap(validation),
        "validation_mean": stats.bootstrap(validation, stats.mean),
    }
    columns: dict[str, Any] = {
        "queries": at,
        **spread(accuracy | by_validation),
        "accuracy_median": median,
        **spread(regret),
        "regret_median": optimum - median,
        "at_optimum": best,
        **compared,
        "distinct_queries_mean": entrant.each(curves.distinct)[places].mean(axis=(1, 2)),
        "simulated_seconds_mean": entrant.each(curves.elapsed)[places].mean(axis=(1, 2))
        if answered
        else None,
        "unseen_incumbents": None if unseen is None else np.asarray(unseen)[places],
    }
    facts = {
        "benchmark": manifest["benchmark"].get("name"),
        "noise": manifest["benchmark"].get("noise"),
        "agent": entrant.label,
        "trainings": len(entrant.runs) if entrant.learned else None,
        "seeds": entrant.seeds,
        "pretraining_lookups": before.get("lookups", 0),
        "trained_on": before.get("trained_on"),
    }
    return [
        facts | {name: None if column is None else column[i] for name, column in columns.items()}
        for i in range(len(at))
    ]


def with_enough(interval: Interval, values: Sequence[Values]) -> Interval:
    """Without its ends where there are fewer than `FEWEST` runs."""
    if sum(v[0].size for v in values) >= FEWEST:
        return interval
    return Interval(interval.value, *(np.full_like(interval.value, np.nan) for _ in range(2)))


def against(
    values: Mapping[str, Sequence[Values]], reference: str | None
) -> dict[str, dict[str, Any]]:
    """label -> what is said of an agent beside the reference, a list over points each; nothing of
    the reference itself.

    values: what is reported, an array [points, trainings, seeds] a benchmark, by label. p_holm: the
    p-values of all agents at all points, adjusted for their number.
    """
    found = {}
    for label, ours in values.items():
        if reference is None or label == reference:
            found[label] = dict.fromkeys(AGAINST)
            continue
        theirs = values[reference]
        apart, p = paired.difference(ours, theirs)
        better = [
            stats.probability_of_improvement([x[i] for x in ours], [y[i] for y in theirs])
            for i in range(len(p))
        ]
        above = Interval(*zip(*(one.above for one in better), strict=True))
        found[label] = {
            "reference": [reference] * len(p),
            **spread({"difference": apart, "improvement": above}),
            "equal": [one.equal for one in better],
            "p": p,
        }
    tested = {label: columns["p"] for label, columns in found.items() if columns["p"] is not None}
    if tested:
        adjusted = paired.holm(np.concatenate(list(tested.values())))
        for label, part in zip(tested, np.split(adjusted, len(tested)), strict=True):
            found[label]["p_holm"] = part
    return found


def beside(
    compared: Mapping[str, dict[str, Any]],
    name: str,
    values: Mapping[str, Sequence[Values]],
    reference: str | None,
) -> None:
    """Puts the paired differences to the reference, with their intervals, into the columns `name`
    of each agent. values: as `against` takes them."""
    for label, columns in compared.items():
        if reference is None or label == reference:
            columns |= dict.fromkeys((name, f"{name}_low", f"{name}_high"))
        else:
            columns |= spread({name: paired.apart(values[label], values[reference])})


def so_far(
    values: Sequence[Float[np.ndarray, "_budget _trainings _seeds"]], at: Sequence[int]
) -> list[Values]:
    """The mean over the queries up to each of `at`, [len(at), trainings, seeds]: what anytime
    scores are."""
    places = np.asarray(at) - 1
    return [(v.cumsum(axis=0) / np.arange(1, 1 + len(v))[:, None, None])[places] for v in values]


AGAINST = (
    "reference",
    *("difference", "difference_low", "difference_high"),
    *("improvement", "improvement_low", "improvement_high"),
    *("equal", "p", "p_holm"),
)


def profile_of(ends: Mapping[str, Sequence[Values]], points: int = 41) -> dict[str, Any]:
    """Performance profiles after the last query: for each agent the share of its runs that end at
    at least so much, with its interval. ends: as of `reference_among`."""
    everything = np.concatenate([end.ravel() for of in ends.values() for end in of])
    if np.isnan(everything).any():
        return {}
    at_least = np.linspace(everything.min(), everything.max(), points)
    found = {
        label: stats.bootstrap(
            [(end >= at_least[:, None, None]).astype(np.float64) for end in of], stats.mean
        )._asdict()
        for label, of in ends.items()
    }
    share = {label: {name: x.tolist() for name, x in of.items()} for label, of in found.items()}
    return {"at_least": at_least.tolist(), "share": share}


def spread(named: Mapping[str, Interval]) -> dict[str, Any]:
    """Each interval as three columns: NAME, NAME_low, NAME_high."""
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {
        f"{name}{suffix}": getattr(interval, end)
        for name, interval in named.items()
        for suffix, end in ends.items()
    }


def mirrored(interval: Interval, best: float) -> Interval:
    """Regret, of accuracy: what is missing to the best."""
    return Interval(best - interval.value, best - interval.high, best - interval.low)


def summary(runs: Sequence[Run], measured: Measured) -> dict[str, Any]:
    """The comparison as JSON: what was compared, which runs, how the statistics were made, the
    table."""
    manifest = measured.manifest
    return {
        "format": "rlnas-comparison",
        "version": 2,
        "benchmark": manifest["benchmark"],
        "reports": manifest["reports"],
        "optimum": manifest["optimum"],
        "budget": manifest["budget"],
        "reference": measured.reference,
        "leaders": list(measured.leaders),
        "runs": [listed(run) for run in runs],
        "agents": {e.label: [run.manifest["hash"] for run in e.runs] for e in measured.entrants},
        "statistics": STATISTICS,
        "table": list(measured.rows),
        "profile": measured.profile,
    }


def listed(run: Run) -> dict[str, Any]:
    """A run in a summary."""
    same = ("seed", "seeds", "pretraining")
    return {
        "hash": run.manifest["hash"],
        "agent": run.label,
        "settings": run.manifest["config"],
        **{key: run.manifest[key] for key in same},
    }


STATISTICS = {
    "iqm": "mean of the middle half of the runs (floor(n/4) cut at either end)",
    "interval": (
        f"{stats.LEVEL:.0%} percentile bootstrap, {stats.REPLICATES} replicates: over seeds; of "
        "several trainings of an agent over trainings, and seeds within them; null where all "
        "replicates agree"
    ),
    "anytime": "mean over the queries so far of what the incumbent is reported as",
    "worst_tenth": "mean of the lowest tenth of the runs",
    "at_optimum": "share of the runs whose incumbent is the best there is",
    "difference": (
        f"mean over seeds of reported accuracy less the reference's under the same seed, "
        f"{paired.REPLICATES} replicates (trainings and seeds crossed)"
    ),
    "anytime_difference": "the same of the anytime values",
    "improvement": "P(X > Y) + P(X = Y)/2 over all pairs of runs of X and of the reference Y",
    "p": (
        "two-sided, of no difference: sign flips of the pairs; of several trainings Student's t of "
        "the bootstrap's standard error"
    ),
    "leaders": (
        "highest interquartile mean, and those whose paired difference to it has p of "
        f"{TOLD_APART} or more, adjusted for their number (Holm)"
    ),
    "p_holm": "p adjusted for all agents and query counts of the table (Holm)",
}
