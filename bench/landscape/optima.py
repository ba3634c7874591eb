"""Local optima, their basins, and what the neighbours of good and bad cells are like."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from rlnas.bench.lists import Flat, Offsets, Values, best_neighbours, over_rows
from rlnas.bench.rank import spearman


class Ascent(NamedTuple):
    """From every cell: where steepest ascent ends and after how many steps. -1 where the cell has
    no value."""

    end: Int[np.ndarray, " M"]
    steps: Int[np.ndarray, " M"]


class Optima(NamedTuple):
    """The cells where an ascent ends: no neighbour is better. By falling value, then rising row.

    strict: it has neighbours and all are worse; else one is equal (a plateau), or it has none with
    a value.
    rank: 1 + how many cells of the table are better. basin: from how many cells the ascent ends
    here, itself included.
    degree: neighbours with a value.
    """

    row: Int[np.ndarray, " K"]
    value: Float[np.ndarray, " K"]
    rank: Int[np.ndarray, " K"]
    basin: Int[np.ndarray, " K"]
    degree: Int[np.ndarray, " K"]
    strict: Bool[np.ndarray, " K"]


def steepest_ascent(values: Values, offsets: Offsets, flat: Flat) -> Ascent:
    """From every cell at once: to the best neighbour while it is strictly better, so a plateau is
    not crossed.

    Pointers are doubled (each cell's becomes its target's) until they rest: log2 of the longest
    ascent rounds.
    """
    row, best = best_neighbours(values, offsets, flat)
    here = np.arange(len(values))
    up = best > values  # False where the cell has no value
    end, steps = np.where(up, row, here), up.astype(np.int64)
    while True:
        further = end[end]
        if (further == end).all():
            break
        steps, end = steps + steps[end], further
    known = ~np.isnan(values)
    return Ascent(np.where(known, end, -1), np.where(known, steps, -1))


def ranks(values: Values) -> Int[np.ndarray, " M"]:
    """1 + how many are better; -1 where there is no value."""
    known = ~np.isnan(values)
    rising = np.sort(values[known])
    rank = np.full(len(values), -1)
    rank[known] = 1 + len(rising) - np.searchsorted(rising, values[known], side="right")
    return rank


def local_optima(
    values: Values, offsets: Offsets, flat: Flat, ascent: Ascent | None = None
) -> Optima:
    """All local optima; pass the `steepest_ascent` of the same arguments if it is at hand."""
    ascent = steepest_ascent(values, offsets, flat) if ascent is None else ascent
    row, basin = np.unique(ascent.end[ascent.end >= 0], return_counts=True)
    best = best_neighbours(values, offsets, flat)[1]
    degree = over_rows(np.add, (~np.isnan(values[flat])).astype(np.int64), offsets, 0)
    strict = (best[row] < values[row]) & (degree[row] > 0)
    order = np.argsort(-values[row], kind="stable")
    row = row[order]
    return Optima(row, values[row], ranks(values)[row], basin[order], degree[row], strict[order])


class RankProfile(NamedTuple):
    """Cells by validation rank in equal groups, the best first; every field but the last is an
    array [groups].

    share: the middle of the group, as a share of the cells with a value. value: mean accuracy.
    degree: mean number of neighbours, degree_low to degree_high the middle 80 % of them. gain: mean
    of the best neighbour's value minus the own. better: mean share of neighbours that are strictly
    better. spearman: of accuracy with degree, over all cells.
    """

    share: np.ndarray
    value: np.ndarray
    degree: np.ndarray
    degree_low: np.ndarray
    degree_high: np.ndarray
    gain: np.ndarray
    better: np.ndarray
    spearman: float


def rank_profile(values: Values, offsets: Offsets, flat: Flat, groups: int = 20) -> RankProfile:
    """Ties in accuracy are ordered by row. gain and better: over cells that have a neighbour with a
    value."""
    known = ~np.isnan(values)
    cells = np.flatnonzero(known)
    cells = cells[np.argsort(-values[cells], kind="stable")]
    parts = np.array_split(cells, min(groups, len(cells)))
    degree = np.diff(offsets)
    comparable = over_rows(np.add, known[flat].astype(np.int64), offsets, 0)
    above = over_rows(
        np.add, (values[flat] > np.repeat(values, degree)).astype(np.int64), offsets, 0
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        better = above / comparable
    gain = np.where(comparable > 0, best_neighbours(values, offsets, flat)[1], np.nan) - values

    def mean(column: np.ndarray) -> np.ndarray:
        kept = [column[part][~np.isnan(column[part])] for part in parts]
        return np.array([part.mean() if len(part) else np.nan for part in kept])

    ends = np.cumsum([0, *map(len, parts)]) / len(cells)
    low, high = np.array([np.quantile(degree[part], (0.1, 0.9)) for part in parts]).T
    columns = (mean(values), mean(degree.astype(float)), low, high, mean(gain), mean(better))
    return RankProfile(
        (ends[1:] + ends[:-1]) / 2, *columns, float(spearman(values[cells], degree[cells]))
    )
