"""What shared weights tell of a table's ranking: correlations with intervals, the picks, the time.
Plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rlnas.analysis import stats
from rlnas.analysis.stats import Interval
from rlnas.bench.rank import spearman

if TYPE_CHECKING:
    from rlnas.analysis.oneshot.command import Scored, Truth

TOP = 0.1  # "the top 10 %", by the table
KS = (10, 50, 250)  # of precision; those above half of the cells are left out
RETRAINED = 10  # cells that are trained for real after scoring, as ENAS does
REPLICATES = 500
RANDOM_ORDERS = 1000
SHARED, SHARED_MEAN = "shared weights, seed {}", "shared weights, mean of {} seeds"
ONE_TRAINING, EARLY, PARAMETERS = (
    "one real training",
    "one real training, {} epochs",
    "number of parameters",
)


class Ranker(NamedTuple):
    """Something that ranks the cells. pairs: of each target, (score, truth) [2, M] each; a
    statistic is the mean over them."""

    name: str
    pairs: Mapping[str, Sequence[np.ndarray]]


class Agreement(NamedTuple):
    """How a ranker agrees with the table. target: `validation` or `test`. among: `all` or `top`,
    cells."""

    ranker: str
    target: str
    among: str
    spearman: Interval
    kendall: Interval


class Picks(NamedTuple):
    """What choosing by a score costs, in fractions of accuracy.

    precision: k -> share of the k best by score that are among the table's k best by mean
    validation accuracy. regret_*: of the best by score, by mean accuracy. retrained: test regret
    after really training the best `RETRAINED` by score once each and keeping the best of them by
    validation accuracy, mean over the table's repeats.
    """

    precision: dict[int, float]
    regret_val: float
    regret_test: float
    retrained: float


@dataclass(frozen=True)
class Report:
    """All numbers. repeats: Spearman and Kendall between the validation accuracies of two single
    trainings, mean over the pairs. clock_seconds: of every seed's supernet training and scoring
    together, as it ran. table_seconds: one training of every cell, as the table has them. The
    others are processor seconds of one thread, measured side by side in this run: training one
    cell, the supernet's training, scoring all cells.
    """

    cells: int
    agreements: list[Agreement]
    picks: dict[str, Picks]
    repeats: tuple[float, float]
    clock_seconds: list[float]
    table_seconds: float
    training_seconds: float
    supernet_seconds: float
    scoring_seconds: float

    @property
    def real_seconds(self) -> float:
        """Training every cell once."""
        return self.training_seconds * self.cells

    @property
    def saved(self) -> float:
        """Times less computing, with one supernet, than training every cell once."""
        return self.real_seconds / (self.supernet_seconds + self.scoring_seconds)

    @property
    def rankers(self) -> list[str]:
        """Supernets first."""
        return list(dict.fromkeys(a.ranker for a in self.agreements))

    def of(self, ranker: str, target: str = "validation", among: str = "all") -> Agreement:
        return next(
            a for a in self.agreements if (a.ranker, a.target, a.among) == (ranker, target, among)
        )

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "cells": self.cells,
            "agreements": [
                {
                    "ranker": a.ranker,
                    "target": f"mean {a.target} accuracy",
                    "among": a.among,
                    "spearman": a.spearman,
                    "kendall": a.kendall,
                }
                for a in self.agreements
            ],
            "picks": {name: picks._asdict() for name, picks in self.picks.items()},
            "between_single_trainings": dict(
                zip(("spearman", "kendall"), self.repeats, strict=True)
            ),
            "seconds": {
                "supernet_training": self.supernet_seconds,
                "supernet_scoring": self.scoring_seconds,
                "supernets_on_the_clock": self.clock_seconds,
                "one_real_training": self.training_seconds,
                "all_cells_once_at_that": self.real_seconds,
                "all_cells_once_in_the_table": self.table_seconds,
                "times_saved": self.saved,
            },
        }


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b of two columns [M]; NaN where one is constant."""
    from scipy.stats import kendalltau

    return float(kendalltau(x, y).statistic)


def interval(
    statistic: Callable[[np.ndarray], float], cells: int, seed: int = 0
) -> Interval:
    """statistic: of chosen places among the cells; they are drawn with replacement."""
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
    found.append(constant(PARAMETERS, truth.params.astype(np.float64)))
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


def text(report: Report, name: str) -> str:
    """The tables of the terminal."""
    width = max(map(len, report.rankers))
    lines = [
        f"{report.cells:,} cells of {name}; rank correlation with its mean accuracies [95 % over "
        "cells]",
        "",
    ]
    columns = [("validation", "all"), ("test", "all"), ("validation", "top")]
    heads = ["all, validation", "all, test", f"top {TOP:.0%}, validation"]
    for measure in ("spearman", "kendall"):
        lines.append(
            f"{measure.capitalize():{width}}  " + "  ".join(f"{head:21}" for head in heads)
        )
        for ranker in report.rankers:
            cells = [getattr(report.of(ranker, *column), measure) for column in columns]
            lines.append(
                f"{ranker:{width}}  "
                + "  ".join(f"{c.value:+.3f} [{c.low:+.3f}, {c.high:+.3f}]" for c in cells)
            )
        lines.append("")
    ks = list(report.picks["random"].precision)
    heads = [*(f"top-{k} hit" for k in ks), "regret: val", "test", f"test, {RETRAINED} retrained"]
    lines.append(f"{'Picking the best by':{width}}  " + "  ".join(f"{head:>12}" for head in heads))
    for ranker, picked in report.picks.items():
        shares = [f"{100 * picked.precision[k]:.0f} %" for k in ks]
        regrets = [
            f"{100 * x:.2f} pp" for x in (picked.regret_val, picked.regret_test, picked.retrained)
        ]
        values = "  ".join(f"{value:>12}" for value in (*shares, *regrets))
        lines.append(f"{ranker:{width}}  {values}")
    lines += [
        "",
        f"Two single real trainings of every cell agree by Spearman {report.repeats[0]:.3f}, "
        "Kendall "
        f"{report.repeats[1]:.3f} (validation).",
        f"Processor time of one thread: supernet {report.supernet_seconds:,.0f} s, scoring "
        f"{report.scoring_seconds:,.0f} s; training every cell once {report.real_seconds:,.0f} s "
        f"({report.training_seconds:.2f} s each): {report.saved:.1f} times less. "
        f"The table's own seconds add up to {report.table_seconds:,.0f}.",
    ]
    return "\n".join(lines)
