"""What shared weights tell of a table's ranking: correlations with intervals, the picks, the time.
Plain numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata

from rlnas.analysis import stats
from rlnas.analysis.oneshot.report import Agreement, Picks, Report, Scored, Truth
from rlnas.analysis.stats import Interval
from rlnas.bench.rank import FEWEST, kendall, spearman

TOP = 0.1  # "the top 10 %", by the table
KS = (10, 50, 250)  # of precision; those above half of the cells are left out
RETRAINED = 10  # cells that are trained for real after scoring, as ENAS does
REPLICATES = 500
RANDOM_ORDERS = 1000
SHARED, SHARED_MEAN = "shared weights, seed {}", "shared weights, mean of {} seeds"
ONE_TRAINING, EARLY, PARAMETERS, BOTH = (
    "one real training",
    "one real training, {} epochs",
    "number of parameters",
    "parameters and shared weights",
)
"""BOTH: by the mean rank, with one supernet."""


class Ranker(NamedTuple):
    """Something that ranks the cells. pairs: of each target, (score, truth) [2, M] each; a
    statistic is the mean over them."""

    name: str
    pairs: Mapping[str, Sequence[np.ndarray]]


def interval(statistic: Callable[[np.ndarray], float], cells: int, seed: int = 0) -> Interval:
    """statistic: a correlation of chosen places among the cells; they are drawn with replacement,
    if there are `FEWEST`."""
    if cells < FEWEST:
        return Interval(statistic(np.arange(cells)), math.nan, math.nan)
    rng = np.random.default_rng(seed)
    drawn = np.array([statistic(rng.integers(cells, size=cells)) for _ in range(REPLICATES)])
    return stats.interval(statistic(np.arange(cells)), drawn)


def rankers(truth: Truth, scored: Sequence[Scored], kind: str) -> list[Ranker]:
    """The supernets, and what they are to be measured against.

    A single training is compared with the mean of the cell's other trainings, never with a mean
    that it is part of; everything else with the mean of all.
    """
    means = {"validation": truth.val.mean(1), "test": truth.test.mean(1)}

    def constant(name: str, score: np.ndarray) -> Ranker:
        return Ranker(name, {target: [np.stack([score, mean])] for target, mean in means.items()})

    def by_repeat(name: str, scores: np.ndarray) -> Ranker:
        pairs: dict[str, list[np.ndarray]] = {}
        for target, values in (("validation", truth.val), ("test", truth.test)):
            others = [np.delete(values, r, axis=1).mean(1) for r in range(values.shape[1])]
            pairs[target] = [np.stack([scores[:, r], other]) for r, other in enumerate(others)]
        return Ranker(name, pairs)

    found = [constant(SHARED.format(one.seed), one.score(kind)) for one in scored]
    if len(scored) > 1:
        mean = np.mean([one.score(kind) for one in scored], axis=0)
        found.append(constant(SHARED_MEAN.format(len(scored)), mean))
    if truth.val.shape[1] > 1:
        found.append(by_repeat(ONE_TRAINING, truth.val))
        if truth.early is not None and not np.isnan(truth.early).any():
            found.append(by_repeat(EARLY.format(truth.epochs[0]), truth.early))
    params = truth.params.astype(np.float64)
    found.append(constant(PARAMETERS, params))
    if scored:  # one supernet each, and the mean over them
        both = [rankdata(one.score(kind)) + rankdata(params) for one in scored]
        found.append(
            Ranker(BOTH, {t: [np.stack([one, mean]) for one in both] for t, mean in means.items()})
        )
    return found


def agreement(ranker: Ranker, target: str, among: str) -> Agreement:
    """top: the best by the very truth that the score is compared with; by one that the score is
    part of, they would be those whose other parts are bad."""
    pairs = ranker.pairs[target]
    if among == "top":
        count = max(5, round(TOP * pairs[0].shape[1]))
        pairs = [pair[:, np.argsort(-pair[1], kind="stable")[:count]] for pair in pairs]

    def mean_of(
        measure: Callable[[np.ndarray, np.ndarray], Any],
    ) -> Callable[[np.ndarray], float]:
        return lambda places: float(
            np.mean([measure(score[places], true[places]) for score, true in pairs])
        )

    found = [interval(mean_of(measure), pairs[0].shape[1]) for measure in (spearman, kendall)]
    return Agreement(ranker.name, target, among, *found)


def picks(order: np.ndarray, truth: Truth) -> Picks:
    """order: the cells' places, best score first."""
    val, test = truth.val.mean(1), truth.test.mean(1)
    best = np.argsort(-val, kind="stable")
    ks = [k for k in KS if k <= len(val) // 2]
    few = order[:RETRAINED]
    kept = few[truth.val[few].argmax(0)]  # by each repeat's validation accuracy
    return Picks(
        precision={k: len(np.intersect1d(order[:k], best[:k])) / k for k in ks},
        regret_val=float(val.max() - val[order[0]]),
        regret_test=float(test.max() - test[order[0]]),
        retrained=float(test.max() - test[kept].mean()),
    )


def mean_picks(found: Sequence[Picks]) -> Picks:
    """Of several orders: the repeats of a real training, or random ones."""
    precision = {k: float(np.mean([one.precision[k] for one in found])) for k in found[0].precision}
    names = ("regret_val", "regret_test", "retrained")
    return Picks(
        precision, **{name: float(np.mean([getattr(one, name) for one in found])) for name in names}
    )


def compare(
    truth: Truth,
    scored: Sequence[Scored],
    kind: str,
    timed: Sequence[tuple[float, float, float]],
    steps: int,
) -> Report:
    """kind: the score, see `Scored.score`. timed: seconds of (a real training, a supernet's step,
    scoring a cell).
    steps: of a supernet's training."""
    training, step, scoring = (float(seconds) for seconds in np.mean(timed, axis=0))
    val, repeats = truth.val.mean(1), truth.val.shape[1]
    all_rankers = rankers(truth, scored, kind)
    agreements = [
        agreement(ranker, target, among)
        for ranker in all_rankers
        for target in ("validation", "test")
        for among in ("all", "top")
    ]
    chosen = {}
    for ranker in all_rankers:
        orders = [np.argsort(-score, kind="stable") for score, _ in ranker.pairs["validation"]]
        chosen[ranker.name] = mean_picks([picks(order, truth) for order in orders])
    rng = np.random.default_rng(0)
    chosen["random"] = mean_picks(
        [picks(rng.permutation(len(val)), truth) for _ in range(RANDOM_ORDERS)]
    )
    pairs = [(truth.val[:, i], truth.val[:, j]) for i in range(repeats) for j in range(i)]
    between = [
        float(np.mean([m(a, b) for a, b in pairs])) if pairs else float("nan")
        for m in (spearman, kendall)
    ]
    return Report(
        cells=len(val),
        agreements=agreements,
        picks=chosen,
        repeats=(between[0], between[1]),
        clock_seconds=[one.train_seconds + one.score_seconds for one in scored],
        table_seconds=truth.seconds,
        training_seconds=training,
        supernet_seconds=step * steps,
        scoring_seconds=scoring * len(val),
    )
