"""What inherited weights are worth, and what the search chose. Plain numpy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis import stats
from rlnas.analysis.morph.data import Finished
from rlnas.analysis.morph.search import METHODS
from rlnas.analysis.stats import Interval
from rlnas.bench.nb101.edits import KINDS
from rlnas.bench.rank import FEWEST, spearman

REPLICATES = 2000
RUNS = ("inherited", "short", "scratch")
"""Trainings of a pair's cell: from its parent's weights; from scratch as long, and as the table's.
Each has its curve in a column of this name."""


class Worth(NamedTuple):
    """One kind of training, over the pairs. epochs: mean, of those that reached the accuracy.
    saved: share of the table's epochs that are not needed. above: accuracy at its end above what
    the table's trainings have."""

    reached: int
    epochs: float
    saved: Interval
    above: Interval


class Ranking(NamedTuple):
    """Spearman with the table's mean validation accuracy, over the cells that were trained."""

    name: str
    spearman: Interval


class Choices(NamedTuple):
    """A method, a number a search. val, test: the table's means of the cell with the best
    validation accuracy; regret: below the best of the table by its validation, in its terms."""

    trained: list[int]
    arch: list[str]
    regret_val: list[float]
    regret_test: list[float]


class Report(NamedTuple):
    """with_parent: inherited trainings' saved share where the parent's epochs count, too. kept:
    largest change of accuracy by an edit, before training. nets: distinct cells that were trained,
    each seed its own. seconds: spent on them and their starts; full: what training each from
    scratch would take."""

    pairs: int
    worth: dict[str, Worth]
    with_parent: Interval
    by_kind: dict[str, tuple[int, float]]
    kept: float
    rankings: list[Ranking]
    cells: int
    choices: dict[str, Choices]
    nets: int
    seconds: float
    full: float


def spent(curve: np.ndarray, target: float, whole: int) -> float:
    """Epochs until a training has reached an accuracy; curve: before the first epoch and after
    each. One that never does was in vain: its epochs, and a whole training."""
    reached = np.flatnonzero(curve >= target)
    return float(reached[0]) if len(reached) else float(len(curve) - 1 + whole)


def mean_of(values: np.ndarray) -> Interval:
    """Over cells, drawn with replacement where they are `FEWEST`."""
    return over(lambda places: float(values[places].mean()), len(values))


def over(statistic: Callable[[np.ndarray], float], cells: int) -> Interval:
    whole = statistic(np.arange(cells))
    if cells < FEWEST:
        return Interval(whole, math.nan, math.nan)
    rng = np.random.default_rng(0)
    drawn = [statistic(rng.integers(cells, size=cells)) for _ in range(REPLICATES)]
    return stats.interval(whole, np.array(drawn))


def report(found: Finished) -> Report:
    """All numbers."""
    manifest, pairs, nets = found
    whole, parent_epochs = manifest["table"]["epochs"], manifest["parent_epochs"]
    epochs = {run: spent_epochs(pairs, run, whole) for run in RUNS}
    saved = {run: 1 - epochs[run] / whole for run in RUNS}
    changed = [
        abs(curve[0] - parent)
        for curve, parent in zip(pairs["inherited"], pairs["parent_val"], strict=True)
    ]
    cells = nets[nets["new"]].drop_duplicates(["seed", "row"])
    return Report(
        pairs=len(pairs),
        worth={run: worth(pairs, run, epochs[run], saved[run]) for run in RUNS},
        with_parent=mean_of(saved["inherited"] - parent_epochs / whole),
        by_kind={
            kind: (int(here.sum()), float(saved["inherited"][here].mean()))
            for kind in KINDS
            if (here := (pairs["kind"] == kind).to_numpy()).any()
        },
        kept=float(max(changed)),
        rankings=rankings(cells),
        cells=cells["row"].nunique(),
        choices={method: choices(nets, method, manifest["table"]) for method in METHODS},
        nets=len(cells),
        seconds=manifest["seconds"]["start"] + manifest["seconds"]["nets"],
        full=manifest["seconds"]["scratch"] * len(cells),
    )


def spent_epochs(pairs: pd.DataFrame, run: str, whole: int) -> np.ndarray:
    """[P]."""
    curves = zip(pairs[run], pairs["target"], strict=True)
    return np.array([spent(np.asarray(curve), target, whole) for curve, target in curves])


def worth(pairs: pd.DataFrame, run: str, epochs: np.ndarray, saved: np.ndarray) -> Worth:
    ends = np.array([curve[-1] for curve in pairs[run]])
    lengths = np.array([len(curve) - 1 for curve in pairs[run]])
    reached = epochs <= lengths
    mean = float(epochs[reached].mean()) if reached.any() else math.nan
    above = mean_of(ends - pairs["target"].to_numpy())
    return Worth(int(reached.sum()), mean, mean_of(saved), above)


def rankings(cells: pd.DataFrame) -> list[Ranking]:
    """Of the cells that were trained in any search, by their mean over the searches."""
    means = cells.groupby("row")[["val", "table_val", "table_early", "params"]].mean()
    truth = means["table_val"].to_numpy()
    found = []
    for name, column in (
        ("after inheriting", "val"),
        ("first budget of the table", "table_early"),
        ("number of parameters", "params"),
    ):
        score = means[column].to_numpy()
        if not np.isnan(score).any() and len(score) > 2:
            found.append(Ranking(name, over(correlation(score, truth), len(score))))
    return found


def correlation(score: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], float]:
    return lambda places: float(spearman(score[places], truth[places]))


def choices(nets: pd.DataFrame, method: str, table: dict[str, Any]) -> Choices:
    """The first of the best by validation accuracy after training, of each search."""
    picked, trained = [], []
    for _, search in nets[nets["method"] == method].groupby("seed"):
        picked.append(search.iloc[int(search["val"].to_numpy().argmax())])
        trained.append(int(search["row"].nunique()))
    return Choices(
        trained,
        [str(pick["arch"]) for pick in picked],
        [float(table["val"] - pick["table_val"]) for pick in picked],
        [float(table["test"] - pick["table_test"]) for pick in picked],
    )
