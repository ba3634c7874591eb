"""What ENAS chose, against chance and against its controller on the table itself. Plain numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rlnas.analysis.oneshot.measures import RETRAINED, spearman
from rlnas.analysis.oneshot.report import Truth

ENAS, RANDOM, TABLE = "ENAS", "random choice", "controller on the table"


class Found(NamedTuple):
    """Of a search. places [samples]: the cells drawn at the end. accuracy, loss: float32 [samples],
    with the shared weights, on all validation images. rewards: float32 [epochs], mean over the
    epoch's. seconds: float64 [3], processor time of the shared weights, of the controller with its
    rewards, and of scoring."""

    places: np.ndarray
    accuracy: np.ndarray
    loss: np.ndarray
    rewards: np.ndarray
    seconds: np.ndarray


class Choice(NamedTuple):
    """Of one method. trainings: for real. test: fractions, mean test accuracy in the table of what
    each seed chose. seconds: of a search with its trainings, processor time of one thread."""

    method: str
    trainings: int
    test: list[float]
    seconds: float


@dataclass(frozen=True)
class Report:
    """choices: the methods. best: largest mean test accuracy of the table. rewards: [seeds,
    epochs], mean of the controller's. drawn: of each seed, mean (over the cells it drew at the end)
    table validation accuracy; all: of all cells. spearman: of shared weights and table, over each
    seed's different cells."""

    choices: list[Choice]
    best: float
    rewards: np.ndarray
    drawn: list[float]
    all: float
    spearman: list[float]

    @classmethod
    def of_summary(cls, found: Mapping[str, Any]) -> Report:
        """Of what `summary` gave, read from JSON."""
        changed = {
            "choices": [Choice(**one) for one in found["choices"]],
            "rewards": np.array(found["rewards"]),
        }
        return cls(**{**found, **changed})

    def summary(self) -> dict[str, Any]:
        """JSON-ready."""
        fields = ("best", "drawn", "all", "spearman")
        return {
            "choices": [one._asdict() for one in self.choices],
            "rewards": self.rewards.tolist(),
        } | {name: getattr(self, name) for name in fields}


def kept_of(places: np.ndarray, score: np.ndarray, truth: Truth) -> float:
    """Mean test accuracy of the best of the `RETRAINED` different cells of highest score, once
    trained for real; mean over the table's repeats as these trainings. places, score [N]."""
    order = places[np.argsort(-score, kind="stable")]
    _, first = np.unique(order, return_index=True)
    few = order[np.sort(first)][:RETRAINED]
    kept = few[truth.val[few].argmax(0)]
    return float(truth.test.mean(1)[kept].mean())


def random_of(truth: Truth, seeds: int, seed: int) -> list[float]:
    """The same of cells drawn uniformly."""
    rngs = [np.random.default_rng([seed, number]) for number in range(seeds)]
    cells = len(truth.cells)
    each = [kept_of(rng.permutation(cells), np.zeros(cells), truth) for rng in rngs]
    return each


def report_of(
    truth: Truth,
    found: Sequence[Found],
    on_table: Sequence[Choice],
    training_seconds: float,
    search_seconds: float,
) -> Report:
    """on_table: the controller's own searches. training_seconds: of a cell for real;
    search_seconds: of a search of ENAS before its trainings."""
    test, val = truth.test.mean(1), truth.val.mean(1)
    chosen = [kept_of(one.places, -one.loss, truth) for one in found]
    first = [float(test[one.places[one.loss.argmin()]]) for one in found]
    many = random_of(truth, 1000, 0)
    choices = [
        Choice(ENAS, RETRAINED, chosen, search_seconds + RETRAINED * training_seconds),
        Choice(ENAS, 0, first, search_seconds),
        Choice(RANDOM, RETRAINED, many, RETRAINED * training_seconds),
        Choice(RANDOM, 0, test.tolist(), 0.0),
        *on_table,
    ]
    ranks = []
    for one in found:
        _, first_of = np.unique(one.places, return_index=True)
        ranks.append(float(spearman(-one.loss[first_of], val[one.places[first_of]])))
    return Report(
        choices,
        float(test.max()),
        np.stack([one.rewards for one in found]),
        [float(val[one.places].mean()) for one in found],
        float(val.mean()),
        ranks,
    )
