"""Everything that `rlnas landscape` measures of a benchmark, and its numbers as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rlnas.bench import landscape
from rlnas.bench.benchmark import Benchmark, Part
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned

BURN_IN_LAGS = 1  # cells left out at the start of a walk, as a multiple of the lags
TOP = 0.01  # "the top 1 %", by validation accuracy
DRAWN_MOVES = 100_000  # in a space without neighbour lists

Row = dict[str, Any]


class Measured(NamedTuple):
    """Everything the figure and the tables show. Accuracies are fractions.

    walks: `validation` and, where there is one, `test`. moves_exact: all moves, not drawn ones. The
    last four are None in a space without neighbour lists. val, reported: [M]. optimum: regrets are
    measured from it.
    """

    facts: Mapping[str, Any]
    walks: Mapping[str, landscape.Autocorrelation]
    rewards: Mapping[float, landscape.RewardProfile]
    moves_exact: bool
    optimum: float
    table: TableFacts | None


class TableFacts(NamedTuple):
    """What takes every value and every list. val, reported: [M]. whole: cells of the space the
    table is part of. held: cells of the table, more than M where only its largest connected
    component is measured; numbers: [M], theirs in the table."""

    val: np.ndarray
    reported: np.ndarray
    whole: int
    held: int
    numbers: np.ndarray
    ascent: landscape.Ascent
    optima: landscape.Optima
    ranks: landscape.RankProfile


@pinned()
def measure(
    benchmark: Benchmark,
    *,
    walks: int = 1000,
    length: int = 200,
    lags: int = 30,
    alphas: Sequence[float] = (1.0, 6.0, 32.0),
    seed: int = 0,
) -> Measured:
    """All measurements of a benchmark whose noise policy is `mean`, of its largest connected
    component where it falls apart; the options of the command."""
    facts, space = benchmark.describe(), benchmark.space
    benchmark, numbers = landscape.largest_component(benchmark)
    walk_key, move_key = jax.random.split(jax.random.key(seed))
    burn_in = BURN_IN_LAGS * lags
    seen = landscape.random_walks(benchmark, walk_key, walks, length, burn_in)
    correlations = {
        name: landscape.autocorrelation(np.asarray(values), lags, seed=seed)
        for name, values in zip(("validation", "test"), seen, strict=True)
        if not np.isnan(values).all()
    }
    if not correlations:
        raise UserError(
            f"no walk in {benchmark.name} meets a value; choose a table with more of them"
        )
    lists = landscape.lists_of(benchmark)
    if lists is None:
        table, moves = None, landscape.sampled_moves(benchmark, move_key, DRAWN_MOVES)
    else:
        whole = int(space.whole if isinstance(space, Part) else space.size)
        val, reported = (np.asarray(values) for values in landscape.values_of(benchmark))
        ascent = landscape.steepest_ascent(val, *lists)
        optima = landscape.local_optima(val, *lists, ascent)
        ranks = landscape.rank_profile(val, *lists)
        table = TableFacts(val, reported, whole, int(space.size), numbers, ascent, optima, ranks)
        moves = landscape.all_moves(val, *lists)
    rewards = landscape.shaped_rewards(moves, alphas)
    return Measured(
        facts, correlations, rewards, lists is not None, float(benchmark.optimum), table
    )


def ascents(table: TableFacts, optimum: float) -> Row:
    """Where steepest ascent from a cell drawn uniformly ends. regret: mean, by reported accuracy;
    fractions."""
    known = table.ascent.end >= 0
    end = table.ascent.end[known]
    values = np.sort(table.val[known])[::-1]
    threshold = values[int(np.ceil(TOP * len(values))) - 1]
    return {
        "steps_mean": float(table.ascent.steps[known].mean()),
        "ends_in_global_optimum": float((table.val[end] == values[0]).mean()),
        "ends_in_top_1_percent": float((table.val[end] >= threshold).mean()),
        "regret_of_ends": float(optimum - np.nanmean(table.reported[end])),
        "regret_of_random_cells": float(optimum - np.nanmean(table.reported[known])),
        "regret_of_global_optimum": float(
            optimum - np.nanmean(table.reported[known & (table.val == values[0])])
        ),
    }


def summary(measured: Measured) -> Row:
    """The numbers, ready for JSON; the arrays are in the CSV files."""
    found: Row = {
        "correlation_length": {
            name: interval(walk.length) for name, walk in measured.walks.items()
        },
        "correlation_length_beyond_lag_1": {
            name: interval(walk.decay) for name, walk in measured.walks.items()
        },
        "moves": "all" if measured.moves_exact else "sampled",
        "rewards": tables(measured)["rewards"],
        "optimum": measured.optimum,
    }
    if table := measured.table:
        known = int((~np.isnan(table.val)).sum())
        found["cells"] = {
            "space": table.whole,
            "table": table.held,
            "measured": len(table.val),
            "with_value": known,
        }
        found["local_optima"] = {
            "number": len(table.optima.row),
            "strict": int(table.optima.strict.sum()),
            "without_neighbours": int((table.optima.degree == 0).sum()),
            "largest_basin": int(table.optima.basin.max()),
            "median_basin": float(np.median(table.optima.basin)),
            "median_rank": float(np.median(table.optima.rank)),
        }
        found["steepest_ascent"] = ascents(table, measured.optimum)
        found["spearman_accuracy_degree"] = table.ranks.spearman
    return found


def interval(estimate: Sequence[float]) -> Row:
    return dict(zip(("value", "low", "high"), estimate, strict=True))


def tables(measured: Measured) -> dict[str, list[Row]]:
    """File name -> rows. Tidy: one observation a row, fractions, steps."""
    found: dict[str, list[Row]] = {
        "autocorrelation": [
            {"accuracy": name, "lag": lag, "rho": rho, "low": low, "high": high}
            for name, walk in measured.walks.items()
            for lag, (rho, low, high) in enumerate(zip(walk.rho, walk.low, walk.high, strict=True))
        ],
        "rewards": [
            {"alpha": alpha, **{k: v for k, v in profile._asdict().items() if k != "histogram"}}
            for alpha, profile in measured.rewards.items()
        ],
        "reward_histogram": [
            {"alpha": alpha, "low_sd": low, "high_sd": high, "share": share}
            for alpha, profile in measured.rewards.items()
            for low, high, share in zip(
                landscape.REWARD_EDGES[:-1],
                landscape.REWARD_EDGES[1:],
                profile.histogram,
                strict=True,
            )
        ],
    }
    if table := measured.table:
        row = table.optima.row
        columns = table.optima._asdict() | {
            "row": table.numbers[row],
            "reported": table.reported[row],
        }
        found["optima"] = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        *arrays, _ = table.ranks
        names = table.ranks._fields[:-1]
        found["ranks"] = [dict(zip(names, row, strict=True)) for row in zip(*arrays, strict=True)]
    return found
