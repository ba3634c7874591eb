"""What learned connectivity is worth against chance. Plain numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.maskconnect.data import Finished
from rlnas.analysis.morph.measures import over
from rlnas.analysis.stats import Interval

METHODS = ("learned", "most parameters")


class Worth(NamedTuple):
    """A way to choose a mask, over the sets of operations. Differences of the table's mean
    accuracies, fractions.

    val, test: less the mean over all masks of the size, what a random one has. equal: validation
    less the mean over those with as many edges after pruning. beats: the share of all masks that
    are worse, of equals a half; .5 is chance. regret: how far the best mask is above.
    """

    val: Interval
    test: Interval
    equal: Interval
    beats: Interval
    regret: Interval


class Report(NamedTuple):
    """own: validation of the networks in training with the chosen masks, less what the table has
    of these cells. agreement: share of pairs of a set's trainings that choose the same mask; NaN of
    one training. chance: what random choices have for it. inputs: (vertex, input) -> how often it
    is chosen, and its share of all masks."""

    sets: int
    trainings: int
    masks: int
    of: dict[str, Worth]
    own: float
    agreement: float
    chance: float
    inputs: dict[tuple[int, int], tuple[float, float]]


def report(found: Finished) -> Report:
    """All numbers."""
    masks, choices = found.masks, found.choices
    values = {method: [] for method in METHODS}  # type: dict[str, list[list[float]]]
    for place, mine in masks.groupby("set"):
        learned = choices[choices["set"] == place]["mask"]
        most = mine.sort_values(["params", "mask"], ascending=[False, True])["mask"].iloc[:1]
        for method, chosen in zip(METHODS, (learned, most), strict=True):
            each = [worth(mine, mask) for mask in chosen]
            values[method].append(np.mean(each, axis=0).tolist())
    joined = choices.merge(masks[["set", "mask", "table_val"]], on=["set", "mask"])
    same, chance = agreement(found)
    return Report(
        sets=masks["set"].nunique(),
        trainings=len(choices),
        masks=masks["mask"].nunique(),
        of={method: Worth(*map(mean, np.array(rows).T)) for method, rows in values.items()},
        own=float((joined["val"] - joined["table_val"]).mean()),
        agreement=same,
        chance=chance,
        inputs=inputs(found),
    )


def mean(values: np.ndarray) -> Interval:
    """Over sets of operations, drawn with replacement."""
    return over(lambda places: float(values[places].mean()), len(values))


def worth(masks: pd.DataFrame, mask: str) -> list[float]:
    """The fields of `Worth` of one choice among the masks of one set."""
    mine = masks[masks["mask"] == mask].iloc[0]
    val, test = masks["table_val"].to_numpy(), masks["table_test"].to_numpy()
    equal = val[masks["edges"].to_numpy() == mine["edges"]]
    others = np.delete(val, masks["mask"].to_list().index(mask))
    beats = (others < mine["table_val"]).mean() + (others == mine["table_val"]).mean() / 2
    return [
        float(mine["table_val"] - val.mean()),
        float(mine["table_test"] - test.mean()),
        float(mine["table_val"] - equal.mean()),
        float(beats),
        float(val.max() - mine["table_val"]),
    ]


def agreement(found: Finished) -> tuple[float, float]:
    """(share of pairs of trainings of a set that choose the same, of random ones)."""
    same = []
    for _, mine in found.choices.groupby("set"):
        chosen = mine["mask"].to_numpy()
        pairs = np.triu_indices(len(chosen), 1)
        same += (chosen[pairs[0]] == chosen[pairs[1]]).tolist()
    return float(np.mean(same)) if same else float("nan"), 1 / found.masks["mask"].nunique()


def inputs(found: Finished) -> dict[tuple[int, int], tuple[float, float]]:
    """Of vertices that have a choice."""

    def shares(frame: pd.DataFrame) -> dict[tuple[int, int], float]:
        taken: list[Any] = [
            {(y, int(x)) for y, part in enumerate(mask.split("|"), 1) for x in part.split(",")}
            for mask in frame["mask"]
        ]
        every = sorted(set().union(*taken))
        return {one: float(np.mean([one in mask for mask in taken])) for one in every}

    usual, chosen = shares(found.masks), shares(found.choices)
    return {one: (chosen.get(one, 0.0), share) for one, share in usual.items() if share < 1}
