"""What our agents get under a study's protocol, and how far that is from what it says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import t as student

from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.reproduce.studies import Row, Study
from rlnas.analysis.stats import LEVEL, Interval
from rlnas.bench.errors import UserError

FAR = 3.0
"""Standard errors, of both means together, beyond which two of them are called different."""


@dataclass(frozen=True)
class Reproduced:
    """A row of a study and ours. ours: %, a mean and its 95 % interval a point. errors: by how many
    standard errors of both means ours is higher, the source's rounding taken off; NaN where the
    source has no number. why: what kept it from being run; "" where nothing did."""

    row: Row
    ours: tuple[Interval, ...] = ()
    errors: tuple[float, ...] = ()
    why: str = ""

    @property
    def agrees(self) -> bool:
        known = [abs(z) for z in self.errors if not math.isnan(z)]
        return bool(known) and max(known) <= FAR


def reproduce(study: Study, benchmark: Any, seeds: int, out: Path) -> list[Reproduced]:
    """Every row of a study on `benchmark`, its own or one in its place."""
    return [one(study, row, benchmark, seeds, out) for row in study.rows]


def one(study: Study, row: Row, benchmark: Any, seeds: int, out: Path) -> Reproduced:
    """A row; what is not here (an agent, a package) is no error but a reason."""
    try:
        (run,) = compare(benchmark, (row.agent,), budget=study.budget, seeds=seeds, out=out)
    except UserError as error:
        return Reproduced(row, why=str(error))
    test = 100 * curves.incumbent_values(run.history)
    values = at(study, run.history, test)
    if study.measure == "error":
        values = 100 - values
    elif study.measure == "regret":
        values = curves.regret(values, 100 * run.manifest["optimum"])
    if np.isnan(values).any():
        return Reproduced(row, why=f"{study.budget} queries end before {study.points[-1]:,g} s")
    ours = tuple(mean_of(column) for column in values.T)
    spread = values.std(axis=0, ddof=1) * np.sqrt(1 / len(values) + 1 / study.runs)
    errors = tuple(
        math.nan if theirs is None else far(mine.value - theirs, error, study.digits)
        for mine, theirs, error in zip(ours, row.values, spread.tolist(), strict=True)
    )
    return Reproduced(row, ours, errors)


def at(
    study: Study, history: Any, values: Float[np.ndarray, "seeds budget"]
) -> Float[np.ndarray, "seeds points"]:
    """Values at a study's points; NaN where a run has no incumbent yet, or has ended."""
    if study.unit == "queries":
        return values[:, np.array(study.points, int) - 1]
    return curves.on_grid(curves.elapsed(history), values, np.array(study.points))


def far(difference: float, error: float, digits: int) -> float:
    """In standard errors, what the source's rounding cannot explain."""
    left = max(0.0, abs(difference) - 0.5 * 10.0**-digits)
    if not left:
        return 0.0
    return math.copysign(left / error if error else math.inf, difference)


def mean_of(values: Float[np.ndarray, " seeds"]) -> Interval:
    """A mean over independent runs with Student's interval: what sources print are plain means."""
    value, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    half = float(student.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Interval(value, value - half, value + half)


def order(study: Study, rows: Sequence[Reproduced]) -> tuple[int, int]:
    """Of the pairs whose last numbers differ in the source: how many ours have in the same order,
    and how many there are."""
    last = [
        (row.row.values[-1], row.ours[-1].value)
        for row in rows
        if row.ours and row.row.values[-1] is not None
    ]
    pairs = [(a, b) for a, b in combinations(last, 2) if a[0] != b[0]]
    same = sum((a[0] - b[0]) * (a[1] - b[1]) > 0 for a, b in pairs)
    return same, len(pairs)
