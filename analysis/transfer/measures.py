"""A source x target matrix: what searches gain that know another benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from rlnas.agents import spec
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.paired import difference, holm
from rlnas.analysis.stats import Interval, bootstrap, mean
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError
from rlnas.bench.lists import values_of

Way = Literal["alone", "list", "informed"]
RANKING = "rlnas.agents.ranking:Ranking"
SURE = 0.05
"""Of p, adjusted for all cells of a matrix: below, a difference is called one."""


@dataclass(frozen=True)
class Cell:
    """A way to search a target after so many queries. source: "" where it is alone. regret: of the
    incumbent's validation value, which agents look for, and `reported` of what they are judged by;
    means over seeds. gain, reported_gain: the mean paired difference to alone of these values (not
    of regrets: above 0 is better); fractions all. p: of no gain in validation, two-sided, adjusted
    for all cells of its way and queries. lookups: paid before."""

    way: Way
    source: str
    target: str
    queries: int
    regret: Interval
    reported: Interval
    gain: Interval
    reported_gain: Interval
    p: float
    lookups: int

    @property
    def verdict(self) -> int:
        """1 better than alone, -1 worse, 0 where that is not sure."""
        return int(np.sign(self.gain.value)) if self.p < SURE else 0

    def row(self) -> dict[str, Any]:
        """A line of a table; intervals as three columns."""
        found: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, Interval):
                ends = zip(Interval._fields, value, strict=True)
                found |= {f"{name}_{end}": float(x) for end, x in ends}
            else:
                found[name] = value
        return found


def measure(
    benchmarks: Mapping[str, Any],
    agent: str,
    points: Sequence[int],
    *,
    seeds: int,
    seed: int,
    out: Path,
) -> tuple[list[Cell], dict[str, Any]]:
    """Run (or load) all searches: the cells, and the identity of all this."""
    found: list[Cell] = []
    hashes: dict[str, list[str]] = {}
    check_prior(agent)
    for target, there in benchmarks.items():
        others = [name for name in benchmarks if name != target]
        ways = [("alone", "", agent)]
        ways += [("list", name, f"{RANKING}:prior={name}") for name in others]
        ways += [("informed", name, with_prior(agent, name)) for name in others]
        runs = compare(
            there, [word for *_, word in ways], budget=points[-1], seeds=seeds, seed=seed, out=out
        )
        hashes[target] = [run.manifest["hash"] for run in runs]
        best = float(np.nanmax(validation_values(there)))
        for (way, source, _), run in zip(ways, runs, strict=True):
            for n in points:
                found.append(cell(way, source, target, n, run, runs[0], best))
    identity = {
        "benchmarks": {name: there.describe() for name, there in benchmarks.items()},
        "agent": agent, "points": list(points), "seeds": seeds, "seed": seed, "runs": hashes,
    }  # fmt: skip
    return adjusted(found), identity


def check_prior(agent: str) -> None:
    """`UserError` for one that takes no prior, or has one."""
    _, config = spec.parse(agent)
    if getattr(config, "prior", None) != "":
        raise UserError(f"--agent is {agent}; expected one with an option prior, and none given")


def with_prior(agent: str, source: str) -> str:
    """The agent's word with a source."""
    return f"{agent}{',' if ':' in agent else ':'}prior={source}"


def validation_values(benchmark: Any) -> Float[np.ndarray, " M"]:

    return np.asarray(values_of(benchmark)[0])


def cell(
    way: Any, source: str, target: str, queries: int, run: Run, alone: Run, best: float
) -> Cell:
    """best: the largest validation value of the target, a fraction."""

    def ends(run: Run, of: str) -> Float[np.ndarray, "1 seeds"]:
        values = np.asarray(getattr(run.history, of))
        return curves.incumbent_values(run.history, of=values)[:, queries - 1][None]

    def averaged(values: Float[np.ndarray, "1 seeds"]) -> Interval:
        return Interval(*(float(x) for x in bootstrap([values], mean)))

    vals, tests = (ends(run, of) for of in ("val", "reported"))
    gain, p = difference([vals], [ends(alone, "val")])
    reported_gain, _ = difference([tests], [ends(alone, "reported")])
    return Cell(
        way, source, target, queries,
        averaged(best - vals), averaged(run.manifest["optimum"] - tests),
        Interval(*map(float, gain)), Interval(*map(float, reported_gain)),
        float("nan") if way == "alone" else float(p),
        int((run.manifest["pretraining"] or {}).get("lookups", 0)),
    )  # fmt: skip


def adjusted(cells: Sequence[Cell]) -> list[Cell]:
    """With p adjusted for the number of cells of each way and number of queries."""
    found = list(cells)
    for key in {(cell.way, cell.queries) for cell in cells}:
        mine = [i for i, cell in enumerate(cells) if (cell.way, cell.queries) == key]
        for i, p in zip(mine, holm(np.array([cells[i].p for i in mine])), strict=True):
            found[i] = Cell(**vars(cells[i]) | {"p": float(p)})
    return found
