"""What the searches of a probe come to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from rlnas.agents.protocol import AgentConfig, Pretrained
from rlnas.agents.told import is_permutation
from rlnas.analysis import stats
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.probe.controls import controls
from rlnas.analysis.probe.variants import AS_IT_IS, CHANCE, INVERTED, PERMUTED, TWIN, variants
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import Run
from rlnas.analysis.training.blind import same

COUNTS = (10, 20, 50)
"""Queries after which a search is looked at, and after the last."""


class Row(NamedTuple):
    """A line of the table. before: look-ups made before the first query. same: share of queries
    that are those of the agent as it is; None for what is no search. validation, reported: means
    of the best by validation among what was asked by each count, fractions [counts]."""

    what: str
    before: float
    same: float | None
    validation: Interval
    reported: Interval


@dataclass(frozen=True)
class Probe:
    """agent: as asked for. reports: what is reported. counts: the queries of the columns. rows: of
    the searches, then of the controls. curves: validation of the best asked so far, true values,
    [seeds, budget] by search. permutes: whether the answers were permuted, or drawn by a hash."""

    agent: str
    benchmark: str
    reports: str
    seeds: int
    counts: Sequence[int]
    rows: Sequence[Row]
    curves: dict[str, Float[np.ndarray, "seeds budget"]]
    permutes: bool

    def row(self, what: str) -> Row:
        return next(row for row in self.rows if row.what == what)

    def difference(self, what: str, than: str) -> Interval:
        """Of validation after the last query, a fraction, run by run of the same key."""
        return mean(self.curves[what][:, -1:] - self.curves[than][:, -1:], first=True)


def probe(
    benchmark: Any,
    called: str,
    agent: str,
    config: AgentConfig,
    *,
    budget: int,
    seeds: int,
    seed: int,
    source: Any,
    out: Path,
) -> Probe:
    """Run (or load from `out`) all searches, and set them beside the controls. called: the
    benchmark's name in titles."""
    before = lookups_before(config)
    counts = counts_of(budget)
    unsearched = controls(benchmark, before, counts, seeds, seed, source)  # refuses a bad source
    every = variants(config, benchmark)
    # Whether a rehearsal was asked for, the command has seen to.
    runs = compare(benchmark, every, budget=budget, seeds=seeds, seed=seed, rehearsal=True, out=out)
    searches = dict(zip(every, runs, strict=True))
    rows = [
        row_of(
            what,
            run,
            searches[AS_IT_IS],
            0 if what in (CHANCE, TWIN) else before,
            counts,
            benchmark,
        )
        for what, run in searches.items()
    ]
    rows += [
        Row(made.name, made.before, None, mean(made.validation), mean(made.reported))
        for made in unsearched
    ]
    return Probe(
        agent, called, benchmark.reports, seeds, counts, rows,
        {what: validation_of(run) for what, run in searches.items()},
        is_permutation(benchmark.space),
    )  # fmt: skip


def counts_of(budget: int) -> list[int]:
    """The counts of the columns."""
    return sorted({count for count in COUNTS if count < budget} | {budget})


def lookups_before(config: AgentConfig) -> int:
    """What was looked up in the agent's training."""
    said = config.pretraining if isinstance(config, Pretrained) else None
    return int(said["lookups"]) if said else 0


def row_of(
    what: str, run: Run, unchanged: Run, before: int, counts: Sequence[int], benchmark: Any
) -> Row:
    """Of a search. Its history has the true values, whatever the agent was told."""
    at = np.array(counts) - 1
    archs, others = (np.asarray(x.history.arch) for x in (run, unchanged))
    reported = curves.incumbent_values(run.history)
    return Row(
        what,
        before,
        float(same(archs, others, benchmark.space).mean()),
        mean(validation_of(run)[:, at]),
        mean(reported[:, at]),
    )


def validation_of(run: Run) -> Float[np.ndarray, "seeds budget"]:
    """True validation accuracy of the best asked so far."""
    return curves.incumbent_values(run.history, of=np.asarray(run.history.val))


def mean(values: Float[np.ndarray, "seeds points"], first: bool = False) -> Interval:
    """With its interval over seeds; first: of the first point alone, as numbers."""
    found = stats.bootstrap([np.ascontiguousarray(values.T)[:, None]], stats.mean)
    return Interval(*(float(x[0]) for x in found)) if first else found


def reads(found: Probe) -> bool:
    """Whether any query depends on an answer."""
    return any(row.same != 1 for row in found.rows if row.what in (PERMUTED, INVERTED))
