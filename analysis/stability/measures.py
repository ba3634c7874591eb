"""Where policies end that learn during a search, learning rate by learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from rlnas.agents.protocol import History
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.sweep import compare

LAST = 0.1
"""The end of a run: this part of its queries."""
MOST = 0.5
"""A policy that asks one architecture for more than this part of the end has settled on it."""
REFERENCE = "random_search"


@dataclass(frozen=True)
class Reference:
    """Random search under the same budget, fractions. drawn: mean accuracy of its queries. found:
    mean of its incumbents in the end."""

    drawn: float
    found: float


@dataclass(frozen=True)
class Trained:
    """An agent at one learning rate, a value a training. final: mean accuracy of the queries of the
    end, a fraction: what the policy draws, not the best it met. collapsed: it has settled on an
    architecture that is worse than what random search finds."""

    agent: str
    rate: float
    final: Float[np.ndarray, " trainings"]
    collapsed: Bool[np.ndarray, " trainings"]


def measure(
    benchmark: Any,
    agents: Sequence[str],
    rates: Sequence[float],
    option: str,
    *,
    budget: int,
    trainings: int,
    seed: int,
    out: Path,
) -> tuple[Reference, list[Trained]]:
    """Run (or load) all of them."""
    words = {(agent, rate): at_rate(agent, option, rate) for agent in agents for rate in rates}
    runs = compare(
        benchmark, [REFERENCE, *words.values()], budget=budget, seeds=trainings, seed=seed, out=out
    )
    reference, *others = (run.history for run in runs)
    incumbents = curves.incumbent_values(reference, of=np.asarray(reference.val))
    chance = Reference(float(np.nanmean(reference.val)), float(incumbents[:, -1].mean()))
    found = [
        Trained(agent, rate, *ends(history, chance.found))
        for (agent, rate), history in zip(words, others, strict=True)
    ]
    return chance, found


def at_rate(agent: str, option: str, rate: float) -> str:
    """The agent's word with a learning rate."""
    return f"{agent}{',' if ':' in agent else ':'}{option}={rate:g}"


def ends(
    history: History, found: float
) -> tuple[Float[np.ndarray, " seeds"], Bool[np.ndarray, " seeds"]]:
    """(final, collapsed) of every run; see `Trained`. found: what random search finds."""
    last = max(1, round(LAST * history.val.shape[1]))
    final = np.nanmean(np.asarray(history.val, np.float64)[:, -last:], axis=1)
    archs = np.asarray(history.arch)[:, -last:].reshape(len(final), last, -1)
    most = [np.unique(row, axis=0, return_counts=True)[1].max() / last for row in archs]
    return final, (np.array(most) > MOST) & (final < found)
