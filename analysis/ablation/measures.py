"""How the result of a training depends on its settings."""

from __future__ import annotations

import pandas as pd

from rlnas.analysis import stats
from rlnas.analysis.ablation.data import REFERENCE
from rlnas.analysis.training.settings import QUERIES

QUERY = QUERIES[1]
"""The query count that figure and table look at."""


def columns_varied(frame: pd.DataFrame) -> list[str]:
    """The settings besides alpha, `neighbours` first."""
    settings = list(frame.columns[1 : list(frame.columns).index("seed")])
    return [name for name in settings if name == "neighbours" or frame[name].nunique() > 1]


def summary(frame: pd.DataFrame, query: int = QUERY) -> pd.DataFrame:
    """One line a combination: mean regret with its 95 % bootstrap interval over trainings, and
    stability: the share of trainings whose mean regret is below random search's on the same
    evaluation keys."""
    lines = []
    for key, group in frame.groupby([*columns_varied(frame), "alpha"]):
        regret = group[f"regret_{query}"].to_numpy()
        band = stats.bootstrap([regret[:, None]], stats.mean)
        random = group[f"{REFERENCE}_regret_{query}"].iloc[0]
        lines.append(
            {
                **dict(zip([*columns_varied(frame), "alpha"], key, strict=True)),
                "regret": float(band.value),
                "low": float(band.low),
                "high": float(band.high),
                REFERENCE: float(random),
                "stability": float((regret < random).mean()),
                "trainings": len(group),
            }
        )
    return pd.DataFrame(lines)
