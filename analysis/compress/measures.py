"""How much smaller at equal accuracy. Plain numpy."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.compress.data import Finished
from rlnas.analysis.compress.search import METHODS
from rlnas.analysis.morph.measures import over
from rlnas.analysis.stats import Interval


class Compression(NamedTuple):
    """A method, over the teachers. Ratios are the teacher's parameters by the student's, in the
    geometric mean; 1 where no smaller student is equal.

    measured: of the smallest student that is equal by its own distillation; drop: how much lower
    that student's accuracy is in the table, trained from scratch, than the teacher's there, a
    fraction. true: of the smallest student that is equal by the table. rewards: mean of the first
    and of the last batch of both stages. trained: distinct students of a teacher, mean.
    """

    measured: Interval
    drop: Interval
    true: Interval
    rewards: tuple[float, float]
    trained: float


class Report(NamedTuple):
    """better: ratio of the two methods' compressions, as measured, and by the table. possible: of
    the smallest equal cell in the whole table."""

    teachers: int
    of: dict[str, Compression]
    better: tuple[Interval, Interval]
    possible: Interval


class Pick(NamedTuple):
    """ratio, and accuracies in the table."""

    ratio: float
    table_val: float


def pick(students: pd.DataFrame, teacher: dict[str, Any], tolerance: float, by: str) -> Pick:
    """The smallest student that is equal by `val`, or by `table_val`; of equals the most
    accurate; the teacher where there is none."""
    equal = students[students[by] >= teacher[by] - tolerance]
    equal = equal[equal["params"] < teacher["params"]]
    if equal.empty:
        return Pick(1.0, teacher["table_val"])
    best = equal.sort_values(["params", by, "row"], ascending=[True, False, True]).iloc[0]
    return Pick(teacher["params"] / float(best["params"]), float(best["table_val"]))


def picks(found: Finished, method: str, tolerance: float, by: str) -> list[Pick]:
    """Of every teacher."""
    mine = found.students[found.students["method"] == method]
    return [
        pick(mine[mine["teacher"] == place], teacher, tolerance, by)
        for place, teacher in enumerate(found.manifest["teachers"])
    ]


def geometric(ratios: np.ndarray) -> Interval:
    """Mean, over teachers drawn with replacement."""
    logs = np.log(ratios)
    return over(lambda places: float(np.exp(logs[places].mean())), len(logs))


def report(found: Finished) -> Report:
    """All numbers."""
    teachers, tolerance = found.manifest["teachers"], found.manifest["tolerance"]
    table = np.array([teacher["table_val"] for teacher in teachers])
    methods, ratios = {}, {}
    for method in METHODS:
        measured, true = (picks(found, method, tolerance, by) for by in ("val", "table_val"))
        ratios[method] = [np.array([one.ratio for one in chosen]) for chosen in (measured, true)]
        drops = table - np.array([one.table_val for one in measured])
        mine = found.students[found.students["method"] == method]
        last = int(mine["batch"].max())
        ends = [float(mine[mine["batch"] == batch]["reward"].mean()) for batch in (0, last)]
        methods[method] = Compression(
            geometric(ratios[method][0]),
            over(lambda places, drops=drops: float(drops[places].mean()), len(drops)),  # type: ignore[misc]
            geometric(ratios[method][1]),
            (ends[0], ends[1]),
            float(mine.groupby("teacher")["row"].nunique().mean()),
        )
    policies, chance = (ratios[method] for method in METHODS)
    possible = np.array([teacher["params"] / teacher["smallest"] for teacher in teachers])
    better = geometric(policies[0] / chance[0]), geometric(policies[1] / chance[1])
    return Report(len(teachers), methods, better, geometric(possible))
