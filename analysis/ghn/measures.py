"""What predicted weights know of a table's ranking. Plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rlnas.analysis import stats
from rlnas.analysis.ghn.data import NETWORKS, Finished
from rlnas.analysis.stats import Interval
from rlnas.bench.rank import spearman

TOP = 0.1
REPLICATES = 500
PARAMETERS = "parameters"
BY_ACCURACY = f"{NETWORKS[0]}, by accuracy"
RANKERS = (*NETWORKS, BY_ACCURACY, PARAMETERS)
"""By the validation loss with these weights, where nothing else is said."""


class Agreement(NamedTuple):
    """Spearman with the table's mean validation accuracy: of all cells, and within the table's best
    tenth of them. Means over seeds; intervals over the cells of each."""

    every: Interval
    top: Interval


class Report(NamedTuple):
    """of: (ranker, whether held out) -> agreement. ahead: by how much predicted weights rank cells
    held out better than each of the others does. mean_accuracy: with predicted weights, and in the
    table, of cells held out."""

    of: dict[tuple[str, bool], Agreement]
    ahead: dict[str, Interval]
    mean_accuracy: tuple[float, float]


class Ranked(NamedTuple):
    """Of a seed: scores by ranker, and the truth, [n] each."""

    scores: dict[str, np.ndarray]
    truth: np.ndarray


Statistic = Callable[[Ranked, np.ndarray], float]


def report(found: Finished) -> Report:
    """All numbers."""
    of = {}
    for held in (True, False):
        ranked = ranked_in(found, held)
        for ranker in RANKERS:
            own = by(ranker)
            of[ranker, held] = Agreement(over(ranked, own), over(top_of(ranked), own))
    ranked, predicted, others = ranked_in(found, True), NETWORKS[0], (NETWORKS[1], PARAMETERS)
    ahead = {other: over(ranked, by(predicted, less=other)) for other in others}
    scores = found.scores
    mine = scores[(scores["network"] == predicted) & scores["held"]]
    means = float(mine["accuracy"].mean()), float(mine["table_val"].mean())
    return Report(of, ahead, means)


def ranked_in(found: Finished, held: bool) -> list[Ranked]:
    """A seed each."""
    lines = found.scores[found.scores["held"] == held]
    ranked = []
    for _, one in lines.groupby("seed"):
        networks = {name: one[one["network"] == name] for name in NETWORKS}
        first = networks[NETWORKS[0]]
        scores = {name: -mine["loss"].fillna(np.inf).to_numpy() for name, mine in networks.items()}
        scores[BY_ACCURACY] = first["accuracy"].to_numpy()
        scores[PARAMETERS] = first["params"].to_numpy().astype(float)
        ranked.append(Ranked(scores, first["table_val"].to_numpy()))
    return ranked


def top_of(ranked: Sequence[Ranked]) -> list[Ranked]:
    """The table's best tenth of each."""
    found = []
    for one in ranked:
        many = max(2, round(TOP * len(one.truth)))
        best = np.argsort(-one.truth, kind="stable")[:many]
        found.append(Ranked({name: x[best] for name, x in one.scores.items()}, one.truth[best]))
    return found


def by(ranker: str, less: str = "") -> Statistic:
    """Spearman of a ranker with the truth, of chosen cells; less: that of another taken off."""

    def statistic(one: Ranked, at: np.ndarray) -> float:
        own, *other = (
            spearman(one.scores[who][at], one.truth[at]) for who in (ranker, less) if who
        )
        return float(own - sum(other))

    return statistic


def over(ranked: Sequence[Ranked], statistic: Statistic) -> Interval:
    """The mean over seeds; cells of each drawn with replacement."""
    whole = np.mean([statistic(one, np.arange(len(one.truth))) for one in ranked])
    rng = np.random.default_rng(0)
    drawn = [
        np.mean(
            [statistic(one, rng.integers(len(one.truth), size=len(one.truth))) for one in ranked]
        )
        for _ in range(REPLICATES)
    ]
    return stats.interval(float(whole), np.array(drawn))
