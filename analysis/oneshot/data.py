"""What is compared with what: the table, the scores, the report; and the scores' files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.stats import Interval
from rlnas.bench.checks import ArrayOf, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_bits, module_hash
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.space import CellSpace, make_space
from rlnas.bench.nb101.table import Table, find
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.repeats import repeat_mean
from rlnas.bench.retrain import datasets
from rlnas.bench.retrain.datasets import Dataset

SCORED = ("rlnas-oneshot-scores", 1)
SCORED_ARRAYS = {
    "accuracy": ArrayOf("float32", ("cells",), 0, 1),
    "loss": ArrayOf("float32", ("cells",), nan=True, anything=True),
    "seconds": ArrayOf("float64", (2,), 0),
}


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


def truth_of(table: Table, max_vertices: int) -> Truth:
    """The cells with at most `max_vertices` vertices of which the table has all repeats."""
    every = graph.cells(table.meta["max_vertices"])
    known = ~np.isnan(table.val[:, -1]).any(1) & ~np.isnan(table.test[:, -1]).any(1)
    rows = np.flatnonzero(known & (every.num_vertices[table.row] <= max_vertices))
    if len(rows) < 20:
        raise UserError(
            f"{table.name} has {len(rows)} such cells with all accuracies; expected at least 20 "
            "to compare"
        )
    columns = (x[table.row[rows]] for x in (every.num_vertices, every.bits, every.ops))
    cells = [
        from_bits(int(v), int(bits), [int(op) for op in ops if op != graph.UNUSED])
        for v, bits, ops in zip(*columns, strict=True)
    ]
    early = table.val[rows, 0] if len(table.epochs) > 1 else None
    seconds = float(repeat_mean(table.seconds[rows, -1]).sum())
    epochs = tuple(int(e) for e in table.epochs)
    return Truth(
        table.row[rows],
        cells,
        table.val[rows, -1],
        table.test[rows, -1],
        early,
        epochs,
        table.params[rows],
        seconds,
    )


def recipe_of(table: Table) -> Recipe:
    """How the table's cells were built and trained; `UserError` for a table that does not say
    so."""
    try:
        recipe = dict(table.meta["recipe"])
        return Recipe(**recipe | {"checkpoints": tuple(recipe["checkpoints"])})
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{table.name} does not say how its cells were trained; expected a table made by "
            "`rlnas bench tabulate`"
        ) from None


def images_of(dataset: str, table: Table) -> Dataset:
    """The images of that name; `UserError` where they are not split as the table's were."""
    images = datasets.load(dataset)
    if images.splits != table.meta["splits"]:
        raise UserError(
            f"{table.name} was trained on images split as {table.meta['splits']}, "
            f"{dataset} is {images.splits}; choose the table's own with --dataset"
        )
    return images


class Ground(NamedTuple):
    """What a study of a table's cells stands on. facts: of the table, for identities."""

    truth: Truth
    recipe: Recipe
    images: Dataset
    space: CellSpace
    facts: dict[str, Any]
    table: Table


def ground_of(benchmark: str, dataset: str, max_vertices: int) -> Ground:
    """`UserError` where the table does not say how it was made, or of other images."""
    path = find(benchmark)
    table = Table.load(path)
    truth, recipe = truth_of(table, max_vertices), recipe_of(table)
    images = images_of(dataset, table)
    facts = {"name": table.name, "sha256": sha256(path)}
    return Ground(truth, recipe, images, make_space(truth.rows, max_vertices), facts, table)


def read_scored(path: Path, seed: int, cells: int | None = None) -> Scored:
    """The scores of a seed; `UserError` when the file is damaged. cells: so many, None: any
    number."""
    hint = "delete it and run again"
    arrays, meta = load_npz(path, hint=hint, seal=SCORED)
    if (meta["format"], meta["version"], meta.get("seed")) != (*SCORED, seed):
        raise UserError(f"{path} holds no scores of seed {seed}; {hint}")
    check_arrays(arrays, SCORED_ARRAYS, path, hint, sizes={"cells": cells} if cells else None)
    return Scored(seed, arrays["accuracy"], arrays["loss"], *arrays["seconds"].tolist())


def write_scored(path: Path, scored: Scored) -> None:
    """The scores of a seed."""
    seconds = np.array([scored.train_seconds, scored.score_seconds], np.float64)
    scores = {"accuracy": scored.accuracy, "loss": scored.loss}
    arrays = {name: np.asarray(x, np.float32) for name, x in scores.items()} | {"seconds": seconds}
    save_npz(path, SCORED, arrays, seed=scored.seed)


def write_scores(path: Path, truth: Truth, scored: Sequence[Scored]) -> None:
    """One line a cell and seed: row in the table, the scores, and the table's means. Accuracies are
    fractions."""
    hashes = [module_hash(cell) for cell in truth.cells]
    frames = [
        pd.DataFrame(
            {
                "row": truth.rows,
                "module_hash": hashes,
                "seed": one.seed,
                "shared_val_accuracy": one.accuracy,
                "shared_val_loss": one.loss,
                "table_val_mean": truth.val.mean(1),
                "table_test_mean": truth.test.mean(1),
            }
        )
        for one in scored
    ]
    with atomic_path(path) as temporary:
        pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
