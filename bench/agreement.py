"""How far repeated trainings of the same architectures agree: a table's own noise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rlnas.bench.rank import spearman


class Agreement(NamedTuple):
    """A table's own noise, over the architectures whose repeats are all there. NaN where it has no
    meaning."""

    cells: int
    repeats: int
    spearman: float  # rank correlation between two repeats, mean over the pairs
    sd_between_cells: float  # of the mean over repeats
    sd_between_repeats: float  # of a cell (n - 1), mean over the cells
    share_between_cells: float  # of the variance of a single repeat
    reliability: float  # the same share for the mean over all repeats (Spearman-Brown)

    def __str__(self) -> str:
        return (
            f"rank correlation between repeats {self.spearman:.3f}; "
            f"sd between cells {self.sd_between_cells:.4f}, between repeats "
            f"{self.sd_between_repeats:.4f}; "
            f"share of variance between cells {self.share_between_cells:.2f}, "
            f"of the mean of {self.repeats} {self.reliability:.2f}"
        )


def agreement(values: np.ndarray) -> Agreement:
    """values float [M, R]. One repeat, or fewer than three complete architectures, tell nothing of
    noise."""
    values = values[~np.isnan(values).any(axis=1)].astype(np.float64)
    cells, repeats = values.shape
    nan = float("nan")
    if cells < 3:
        return Agreement(cells, repeats, nan, nan, nan, nan, nan)
    between = float(values.mean(axis=1).std(ddof=1))
    if repeats < 2:
        return Agreement(cells, repeats, nan, between, nan, nan, nan)
    one, other = np.triu_indices(repeats, 1)
    within = float(values.var(axis=1, ddof=1).mean())
    signal = max(between**2 - within / repeats, 0.0)  # one-way analysis of variance
    share = signal / (signal + within) if signal + within else nan
    return Agreement(
        cells,
        repeats,
        float(spearman(values.T[one], values.T[other]).mean()),
        between,
        float(values.std(axis=1, ddof=1).mean()),
        share,
        repeats * share / (1 + (repeats - 1) * share),
    )
