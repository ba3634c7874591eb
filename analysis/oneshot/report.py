"""What a one-shot study compares, and its numbers; read without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rlnas.analysis.stats import Interval
from rlnas.bench.nb101.cell import Cell


class Scored(NamedTuple):
    """One seed. accuracy (fractions), loss: float32 [M], of every cell with shared weights. Seconds
    on the clock."""

    seed: int
    accuracy: np.ndarray
    loss: np.ndarray
    train_seconds: float
    score_seconds: float

    @classmethod
    def none(cls, seed: int) -> Scored:
        """Of no cells yet."""
        nothing = np.zeros(0, np.float32)
        return cls(seed, nothing, nothing, 0.0, 0.0)

    def and_then(self, more: Scored) -> Scored:
        """These cells, and more."""
        accuracy, loss = (
            np.concatenate([getattr(one, name) for one in (self, more)])
            for name in ("accuracy", "loss")
        )
        train, score = (a + b for a, b in zip(self[3:], more[3:], strict=True))
        return Scored(self.seed, accuracy, loss, train, score)

    def score(self, kind: str) -> np.ndarray:
        """[M], higher is better."""
        return self.accuracy if kind == "accuracy" else -self.loss


class Truth(NamedTuple):
    """What the table knows of the cells that are compared, at its largest budget, and at its
    smallest for `early`.

    rows [M]: canonical rows. val, test [M, R]: fractions, R repeats. early [M, R] or None where
    there is one budget only. params [M]. seconds: of training every cell once, as the table has
    them.
    """

    rows: np.ndarray
    cells: Sequence[Cell]
    val: np.ndarray
    test: np.ndarray
    early: np.ndarray | None
    epochs: tuple[int, ...]
    params: np.ndarray
    seconds: float


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

    @classmethod
    def of_summary(cls, found: Mapping[str, Any]) -> Report:
        """Of what `summary` gave, read from JSON."""

        def known(numbers: Sequence[float | None]) -> list[float]:
            return [float("nan") if x is None else x for x in numbers]

        def picks(of: Mapping[str, Any]) -> Picks:
            shares = {int(k): share for k, share in of["precision"].items()}
            return Picks(shares, *known([of[name] for name in Picks._fields[1:]]))

        between = known([found["between_single_trainings"][m] for m in ("spearman", "kendall")])
        seconds = found["seconds"]
        alone = ("one_real_training", "supernet_training", "supernet_scoring")
        return cls(
            found["cells"],
            [
                Agreement(
                    each["ranker"],
                    each["target"].split()[1],
                    each["among"],
                    Interval(*known(each["spearman"])),
                    Interval(*known(each["kendall"])),
                )
                for each in found["agreements"]
            ],
            {name: picks(of) for name, of in found["picks"].items()},
            (between[0], between[1]),
            seconds["supernets_on_the_clock"],
            *known([seconds["all_cells_once_in_the_table"], *(seconds[name] for name in alone)]),
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
