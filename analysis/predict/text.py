"""What `rlnas predict` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rlnas.analysis.predict.measures import Row
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, number, plain

MORE = {
    "kendall": "Kendall",
    "best_spearman": "Spearman, best tenth",
    "best_kendall": "Kendall, best tenth",
    "regret_1": "regret of top 1",
    "regret_10": "regret of top 10",
    "seconds": "fit, s",
}
"""Columns of the second table; regrets in percentage points."""


def text(rows: Sequence[Row], train: Sequence[int], draws: int) -> str:
    """Two tables a benchmark: Spearman against the number of architectures, and the rest at the
    largest."""
    said = [
        f"Predictors judged on architectures they have not seen, {draws} draws, means with 95 % "
        "intervals over the draws; rank correlations with the validation accuracy. What needs no "
        "training has one column. regret: of the best among the predicted top 1 and top 10, "
        "percentage points below the best held out."
    ]
    for name in dict.fromkeys(row.benchmark for row in rows):
        mine = [row for row in rows if row.benchmark == name]
        said += [
            f"{name}, {mine[0].held_out:,} architectures held out\n\n" + ranks(mine, train),
            rest(mine, train[-1]),
        ]
    return "\n\n".join(said)


def ranks(rows: Sequence[Row], train: Sequence[int]) -> str:
    """A line a predictor, Spearman at each number of architectures."""
    table = [["Spearman, trained on", *(f"{cells:,}" for cells in train)]]
    there = {(row.predictor, row.cells): row.scores["spearman"] for row in rows}
    for predictor in names(rows, free=False):
        table.append([predictor, *(short(there[predictor, cells]) for cells in train)])
    for predictor in names(rows, free=True):
        table.append([predictor, short(there[predictor, 0]), *[""] * (len(train) - 1)])
    return aligned(table, right=range(1, 1 + len(train)))


def rest(rows: Sequence[Row], most: int) -> str:
    """A line a predictor, the other measures at the largest number of architectures."""
    table = [[f"trained on {most:,}", *MORE.values()]]
    for row in rows:
        if row.cells in (0, most):
            found = []
            for name in MORE:
                scale = 100.0 if name.startswith("regret") else 1.0
                seconds = number(row.scores[name].value, digits=3)
                found.append(seconds if name == "seconds" else short(row.scores[name], scale))
            table.append([row.predictor, *found])
    return aligned(table, right=range(1, 1 + len(MORE)))


def names(rows: Sequence[Row], *, free: bool) -> list[str]:
    """Of predictors that need no training, or of the others, in their order."""
    return list(dict.fromkeys(row.predictor for row in rows if (row.cells == 0) == free))


def short(interval: Interval, scale: float = 1.0) -> str:
    return plain(interval, scale, none="alike")
