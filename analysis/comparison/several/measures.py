"""Several benchmarks in one comparison: accuracies become scores that can be averaged over
benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float

from rlnas.analysis import stats, store
from rlnas.analysis.comparison.entrants import Entrant
from rlnas.analysis.comparison.measures import (
    AGAINST,
    STATISTICS,
    Measured,
    Row,
    against,
    beside,
    checkpoints,
    leaders,
    listed,
    measure,
    profile_of,
    reference_among,
    so_far,
    spread,
    with_enough,
    worst_tenth,
)
from rlnas.analysis.comparison.runs import by_ground, check_comparable
from rlnas.analysis.stats import Values
from rlnas.analysis.store import Run
from rlnas.analysis.style import REFERENCE
from rlnas.bench.errors import UserError

EVERYWHERE = "all"
"""What stands for the benchmark in rows of all of them together."""


@dataclass(frozen=True)
class Ground:
    """A benchmark in a comparison of several. measured: its own comparison."""

    name: str
    measured: Measured

    @property
    def manifest(self) -> dict[str, Any]:
        return self.measured.manifest

    def entrant(self, label: str) -> Entrant:
        return next(e for e in self.measured.entrants if e.label == label)

    @cached_property
    def zero(self) -> Float[np.ndarray, " budget"]:
        """What has score 0 after each query: the mean of random search then."""
        chance = next(e for e in self.measured.entrants if e.manifest["agent"] == REFERENCE)
        return chance.reported.mean(axis=(1, 2))

    @property
    def known(self) -> bool:
        """Whether the best there is is known."""
        return self.manifest["optimum"] is not None

    @cached_property
    def best(self) -> float:
        """What has score 1: the best there is, or else the best that any agent here looked up."""
        if self.known:
            return float(self.manifest["optimum"])
        runs = [run for e in self.measured.entrants for run in e.runs]
        seen = [np.where(r.history.valid, r.history.reported, -np.inf).max() for r in runs]
        return float(max(seen))

    def scores(self, label: str) -> Values:
        """[budget, trainings, seeds]; NaN where random search leaves nothing to gain."""
        room = (self.best - self.zero)[:, None, None]
        gained = self.entrant(label).reported - self.zero[:, None, None]
        return np.divide(gained, room, out=np.full_like(gained, np.nan), where=room > 1e-9)


@dataclass(frozen=True)
class Several:
    """A comparison over benchmarks in numbers. scores: an array [budget, trainings, seeds] a
    benchmark, by agent. reference, profile, leaders: as of `Measured`, in scores. rows: of all
    benchmarks together, then of each."""

    grounds: tuple[Ground, ...]
    scores: Mapping[str, Sequence[Values]]
    reference: str | None
    rows: tuple[Row, ...]
    profile: dict[str, Any]
    leaders: tuple[str, ...]

    @property
    def entrants(self) -> tuple[Entrant, ...]:
        """The agents, as they are on the first benchmark."""
        return self.grounds[0].measured.entrants

    @property
    def budget(self) -> int:
        return int(self.grounds[0].manifest["budget"])

    def of(self, benchmark: str) -> list[Row]:
        """The rows of one benchmark, or of `EVERYWHERE`."""
        return [row for row in self.rows if row["benchmark"] == benchmark]


def together(runs: Sequence[Run], reference: str = "") -> Several:
    """The numbers over benchmarks of runs of the same agents on each; `UserError` where they are
    not. reference: as `measure` takes it; the best is the one by score."""
    grounds = grounds_of(runs, reference)
    entered = grounds[0].measured.entrants
    scores = {e.label: [ground.scores(e.label) for ground in grounds] for e in entered}
    ends = {label: [values[-1] for values in of] for label, of in scores.items()}
    chosen = reference_among(entered, ends, reference)
    return Several(
        grounds, scores, chosen, tuple(rows(grounds, scores, chosen)), profile_of(ends),
        leaders(ends),
    )  # fmt: skip


def grounds_of(runs: Sequence[Run], reference: str = "") -> tuple[Ground, ...]:
    """Each benchmark with its own comparison, in order."""
    found = []
    for name, of in by_ground(runs, lambda run: str(run.manifest["benchmark"]["name"])).items():
        check_comparable(of)
        found.append(Ground(name, measure(of, reference)))
    if len({ground.manifest["budget"] for ground in found}) > 1:
        raise UserError("these runs differ in their budget; give runs of one")
    labels = [[e.label for e in ground.measured.entrants] for ground in found]
    for ground, here in zip(found, labels, strict=True):
        if sorted(here) != sorted(labels[0]):
            odd = ", ".join(sorted({*here} ^ {*labels[0]}))
            raise UserError(
                f"on {found[0].name} and on {ground.name} different agents were run ({odd}); "
                "expected the same ones on every benchmark"
            )
        if not any(e.manifest["agent"] == REFERENCE for e in ground.measured.entrants):
            raise UserError(f"no {REFERENCE} on {ground.name}; expected it, scores begin there")
    return tuple(found)


def rows(
    grounds: Sequence[Ground], scores: Mapping[str, Sequence[Values]], reference: str | None
) -> list[Row]:
    """The table: of all benchmarks, then of each, by queries and then in the order of the
    agents."""
    at = checkpoints(grounds[0].manifest["budget"])
    places = np.asarray(at) - 1
    ends = {label: [v[places] for v in of] for label, of in scores.items()}
    means = {label: so_far(of, at) for label, of in scores.items()}
    compared = against(ends, reference)
    beside(compared, "anytime_difference", means, reference)
    parts: list[tuple[str, Sequence[Ground], Mapping[str, Sequence[Values]], Any]]
    parts = [(EVERYWHERE, grounds, scores, compared)]
    for i, ground in enumerate(grounds):
        alone = {label: dict.fromkeys(AGAINST) for label in scores}
        for column, values in (("difference", ends), ("anytime_difference", means)):
            beside(alone, column, {label: [of[i]] for label, of in values.items()}, reference)
        there = {label: [of[i]] for label, of in scores.items()}
        parts.append((ground.name, [ground], there, alone))
    found = []
    for name, part, here, apart in parts:
        by_agent = [_rows_of(name, part, x, here[x], at, apart[x]) for x in scores]
        found += [store.to_json(column[i]) for i in range(len(at)) for column in by_agent]
    return found


def _rows_of(
    name: str,
    part: Sequence[Ground],
    label: str,
    scores: Sequence[Values],
    at: Sequence[int],
    compared: Mapping[str, Any],
) -> list[Row]:
    entrant, places = part[0].entrant(label), np.asarray(at) - 1
    here = [values[places] for values in scores]
    measures = {
        "score_iqm": stats.bootstrap(here),
        "score_mean": stats.bootstrap(here, stats.mean),
        "anytime": stats.bootstrap(so_far(scores, at)),
        "worst_tenth": with_enough(stats.bootstrap(here, worst_tenth), here),
    }
    solved = [
        (ground.entrant(label).reported[places] >= ground.best).mean(axis=(1, 2))
        for ground in part
        if ground.known
    ]
    columns: dict[str, Any] = {
        "queries": at,
        **spread(measures),
        "at_optimum": np.mean(solved, axis=0) if len(solved) == len(part) else None,
        **compared,
    }
    facts = {
        "benchmark": name,
        "noise": part[0].manifest["benchmark"].get("noise"),
        "agent": label,
        "trainings": len(entrant.runs) if entrant.learned else None,
        "seeds": entrant.seeds,
        "pretraining_lookups": entrant.pretraining.get("lookups", 0),
        "trained_on": entrant.pretraining.get("trained_on"),
    }
    return [
        facts | {key: None if column is None else column[i] for key, column in columns.items()}
        for i in range(len(at))
    ]


def summary(several: Several) -> dict[str, Any]:
    """The comparison as JSON: as of one benchmark, with what makes scores of accuracies."""
    measured = [ground.measured for ground in several.grounds]
    return {
        "format": "rlnas-comparison",
        "version": 2,
        "benchmarks": [
            {
                "name": ground.name,
                "benchmark": ground.manifest["benchmark"],
                "reports": ground.manifest["reports"],
                "optimum": ground.manifest["optimum"],
                "score_1": ground.best,
                "score_0": dict(
                    zip(
                        map(str, checkpoints(several.budget)),
                        ground.zero[np.asarray(checkpoints(several.budget)) - 1].tolist(),
                        strict=True,
                    )
                ),
            }
            for ground in several.grounds
        ],
        "budget": several.budget,
        "reference": several.reference,
        "leaders": list(several.leaders),
        "runs": [listed(run) for of in measured for e in of.entrants for run in e.runs],
        "statistics": STATISTICS | OVER_BENCHMARKS,
        "table": list(several.rows),
        "profile": several.profile,
    }


OVER_BENCHMARKS = {
    "score": (
        "on each benchmark, of what the incumbent is reported as: 0 is the mean of random search "
        "after as many queries, 1 the optimum, or the best that any agent looked up where none is "
        "known"
    ),
    "interval": (
        f"{stats.LEVEL:.0%} stratified percentile bootstrap, {stats.REPLICATES} replicates: seeds "
        "within each benchmark; of several trainings of an agent trainings, the same ones on all "
        "benchmarks, and seeds within them; what has score 0 and 1 is taken as known; null where "
        "all replicates agree"
    ),
    "anytime": "mean over the queries so far of the score",
    "at_optimum": "share of the runs whose incumbent is the best there is, mean over benchmarks",
    "difference": "mean over benchmarks of the mean over seeds of the score less the reference's",
    "anytime_difference": "the same of the anytime scores",
    "improvement": "P(X > Y) + P(X = Y)/2 over all pairs of runs, mean over benchmarks",
}
