"""How the result of a training depends on its settings, judged by validation accuracy; what is
reported stands beside it, since on a small table its best are often not the best by test."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rlnas.analysis import stats
from rlnas.analysis.ablation.data import REFERENCE
from rlnas.analysis.training.settings import QUERIES

QUERY = QUERIES[1]
"""The query count that figure and table look at."""

MEASURES = ("val", "reported")


def columns_varied(frame: pd.DataFrame) -> list[str]:
    """The settings besides alpha, `neighbours` first."""
    settings = list(frame.columns[1 : list(frame.columns).index("seed")])
    return [name for name in settings if name == "neighbours" or frame[name].nunique() > 1]


def summary(frame: pd.DataFrame, query: int = QUERY) -> pd.DataFrame:
    """One line a combination: mean accuracies (fractions; `val`, `reported`) with their 95 %
    bootstrap intervals over trainings, random search's on the same evaluation keys, and how many of
    the trainings are better than it by validation."""
    lines = []
    for key, group in frame.groupby([*columns_varied(frame), "alpha"]):
        line: dict[str, Any] = dict(zip([*columns_varied(frame), "alpha"], key, strict=True))
        for measure in MEASURES:
            values = group[f"{measure}_{query}"].to_numpy()
            band = stats.bootstrap([values[None]], stats.mean)
            ends = (band.value, band.low, band.high)
            names = (measure, f"{measure}_low", f"{measure}_high")
            line |= {n: float(x) for n, x in zip(names, ends, strict=True)}
            line[f"{REFERENCE}_{measure}"] = float(group[f"{REFERENCE}_{measure}_{query}"].iloc[0])
        better = group[f"val_{query}"].to_numpy() > line[f"{REFERENCE}_val"]
        lines.append(line | {"better": int(better.sum()), "trainings": len(group)})
    return pd.DataFrame(lines)


def finding(lines: pd.DataFrame) -> str:
    """How many trainings are better than random search, and between what the means lie."""
    low, high = (100 * end for end in (lines["val"].min(), lines["val"].max()))
    return (
        f"{lines['better'].sum()} of {lines['trainings'].sum()} trainings beat random search by "
        f"validation; means from {low:.2f} to {high:.2f} %"
    )
