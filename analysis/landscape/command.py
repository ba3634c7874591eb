"""`rlnas landscape`: what a benchmark is like to walk on, before any agent does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from rlnas.bench import landscape as measures

BURN_IN_LAGS = 1  # cells left out at the start of a walk, as a multiple of --lags
TOP = 0.01  # "the top 1 %", by validation accuracy

Row = dict[str, Any]


@dataclass(frozen=True)
class Landscape:
    """Measure how rugged a benchmark is and what its rewards look like; nothing is searched.

    Random-walk autocorrelation and correlation length; local optima, the basins from which steepest
    ascent ends in them, and how far from the best test accuracy it ends; neighbours against rank of
    accuracy; and the distribution of the shaped reward of a random move. Accuracies are means over
    the repeats. Writes a figure, CSV files and a JSON summary.

    Examples:
      rlnas landscape
      rlnas landscape --benchmark nb101 --epochs 36 --walks 10000
      rlnas landscape --alphas 1 2 4 8 16 32
    """

    benchmark: str = "nb101-digits"
    """What to measure: a name that `rlnas bench list` shows, or the path of a table."""

    walks: int = 1000
    """Random walks; the intervals are over them, so at least 2."""

    length: int = 200
    """Cells of a walk, after LAGS more at its start that are not counted."""

    lags: int = 30
    """The longest lag of the autocorrelation, in steps."""

    alphas: tuple[float, ...] = (1.0, 6.0, 32.0)
    """Shapes of the reward: exp(alpha (accuracy after - 1)) - exp(alpha (accuracy before - 1))."""

    seed: int = 0
    """Root of all randomness."""

    epochs: int | None = None
    """Training budget of the table in epochs; None takes the longest."""

    out: Path = Path("runs")
    """Folder of all runs; results go to its folder landscape-<hash of the settings>."""


class Measured(NamedTuple):
    """Everything the figure and the tables show. Accuracies are fractions.

    walks: `validation` and, where there is one, `test`. moves_exact: all moves, not drawn ones. The
    last four are None in a space without neighbour lists. val, reported: [M]. optimum: regrets are
    measured from it.
    """

    facts: Mapping[str, Any]
    walks: Mapping[str, measures.Autocorrelation]
    rewards: Mapping[float, measures.RewardProfile]
    moves_exact: bool
    optimum: float
    table: TableFacts | None


class TableFacts(NamedTuple):
    """What takes every value and every list. val, reported: [M]. whole: cells of the space the
    table is part of."""

    val: np.ndarray
    reported: np.ndarray
    whole: int
    ascent: measures.Ascent
    optima: measures.Optima
    ranks: measures.RankProfile


def run(config: Landscape) -> None:
    """Measure, write the files, print the table and where they lie."""
    from rlnas import bench
    from rlnas.analysis import store
    from rlnas.analysis.landscape import figure as landscape_plot
    from rlnas.analysis.style import save
    from rlnas.analysis.text import tell

    check(config)
    benchmark = bench.load(config.benchmark, epochs=config.epochs, noise="mean")
    settings = {
        name: value
        for name, value in asdict(config).items()
        if name not in ("benchmark", "out", "epochs")
    }
    identity = {
        "format": "rlnas-landscape",
        "version": 1,
        "benchmark": benchmark.describe(),
        **settings,
    }
    measured = measure(config, benchmark)
    folder = store.folder_of(config.out, "landscape", identity)
    for name, rows in tables(measured).items():
        store.write_csv(folder / f"{name}.csv", rows)
    paths = save(landscape_plot.figure(measured), folder)
    store.write_json(
        folder / "summary.json",
        identity | {"results": summary(measured), "versions": store.versions()},
    )
    files = {
        "figure": paths[0],
        "": paths[1],
        "tables": folder,
        "summary": folder / "summary.json",
    }
    tell(text(measured), folder, files)


def check(config: Landscape) -> None:
    """`UserError` for an option out of its range."""
    check_at_least(2, ", an interval needs them", walks=config.walks)
    if not 1 <= config.lags < config.length:
        raise UserError(
            f"--lags is {config.lags}; expected at least 1 and less than --length {config.length}"
        )
    if not config.alphas or not all(0 < alpha < 1000 for alpha in config.alphas):
        raise UserError(
            f"--alphas is {' '.join(map(str, config.alphas)) or 'empty'}; expected numbers from 0 "
            "to 1000"
        )
    check_seed(config.seed)
    check_folder(config.out)


def measure(config: Landscape, benchmark: Any) -> Measured:
    """All measurements of a benchmark whose noise policy is `mean`."""
    import jax
    import numpy as np

    from rlnas.bench import landscape as measures

    walk_key, move_key = jax.random.split(jax.random.key(config.seed))
    burn_in = BURN_IN_LAGS * config.lags
    seen = measures.random_walks(benchmark, walk_key, config.walks, config.length, burn_in)
    walks = {
        name: measures.autocorrelation(np.asarray(values), config.lags, seed=config.seed)
        for name, values in zip(("validation", "test"), seen, strict=True)
        if not np.isnan(values).all()
    }
    if not walks:
        raise UserError(
            f"no walk in {benchmark.name} meets a value; choose a table with more of them"
        )
    lists = measures.lists_of(benchmark)
    if lists is None:
        table, moves = None, measures.sampled_moves(benchmark, move_key, 100_000)
    else:
        val, reported = (np.asarray(values) for values in measures.values_of(benchmark))
        ascent = measures.steepest_ascent(val, *lists)
        optima = measures.local_optima(val, *lists, ascent)
        ranks = measures.rank_profile(val, *lists)
        table = TableFacts(val, reported, whole_space(benchmark), ascent, optima, ranks)
        moves = measures.all_moves(val, *lists)
    rewards = measures.shaped_rewards(moves, config.alphas)
    facts = benchmark.describe()
    return Measured(facts, walks, rewards, lists is not None, float(benchmark.optimum), table)


def whole_space(benchmark: Any) -> int:
    """How many cells there are with at most as many vertices as the largest of the table has."""
    from rlnas.bench.nb101.graph import cells
    from rlnas.bench.nb101.space import CellSpace

    if not isinstance(benchmark.space, CellSpace):
        return int(benchmark.space.size)
    return len(cells(int(benchmark.space.num_vertices().max())).bits)


def ascents(table: TableFacts, optimum: float) -> Row:
    """Where steepest ascent from a cell drawn uniformly ends. regret: mean, by reported accuracy;
    fractions."""
    import numpy as np

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
    import numpy as np

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
        found["cells"] = {"space": table.whole, "table": len(table.val), "with_value": known}
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
    from rlnas.bench.landscape import REWARD_EDGES

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
                REWARD_EDGES[:-1], REWARD_EDGES[1:], profile.histogram, strict=True
            )
        ],
    }
    if table := measured.table:
        columns = table.optima._asdict() | {"reported": table.reported[table.optima.row]}
        found["optima"] = [
            dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
        ]
        *arrays, _ = table.ranks
        names = table.ranks._fields[:-1]
        found["ranks"] = [dict(zip(names, row, strict=True)) for row in zip(*arrays, strict=True)]
    return found


def text(measured: Measured) -> str:
    """The aligned tables that the command prints."""
    from rlnas.analysis.landscape.figure import caveats, signed, title

    lines = [title(measured), *(f"  note: {caveat}" for caveat in caveats(measured)), ""]
    lines += ["random walks".ljust(34) + "".join(f"{name:>24}" for name in measured.walks)]
    last = len(next(iter(measured.walks.values())).rho) - 1
    rows = {f"rho at lag {lag}": [(w.rho[lag], w.low[lag], w.high[lag]) for w in measured.walks.values()]
            for lag in sorted({1, min(2, last), min(5, last), min(10, last), last})}  # fmt: skip
    rows["correlation length (steps)"] = [walk.length for walk in measured.walks.values()]
    rows["  beyond lag 1, by rho(2) / rho(1)"] = [walk.decay for walk in measured.walks.values()]
    lines += [
        name.ljust(34) + "".join(f"{spelled(cell):>24}" for cell in cells)
        for name, cells in rows.items()
    ]
    if table := measured.table:
        facts = summary(measured)
        optima, ascent = facts["local_optima"], facts["steepest_ascent"]
        cells, points = facts["cells"]["with_value"], "percentage points"
        kinds = [
            optima["strict"],
            optima["number"] - optima["strict"] - optima["without_neighbours"],
        ]
        kinds.append(optima["without_neighbours"])
        about = {
            "local optima": (
                f"{optima['number']:,} of {cells:,} cells ({100 * optima['number'] / cells:.1f} %)"
            ),
            "  strict / on a plateau / isolated": " / ".join(f"{n:,}" for n in kinds),
            "  median rank, by validation": f"{optima['median_rank']:,.1f}",
            "  basin: median, largest (cells)": f"{optima['median_basin']:,.1f}, {optima['largest_basin']:,}",
            "steepest ascent: mean steps": f"{ascent['steps_mean']:.2f}",
            "  ends in the global optimum": (
                f"{100 * ascent['ends_in_global_optimum']:.2f} % of starts"
            ),
            "  ends in the top 1 %": f"{100 * ascent['ends_in_top_1_percent']:.1f} % of starts",
            "  mean regret where it ends": f"{100 * ascent['regret_of_ends']:.3f} {points} "
            f"({measured.facts['reports']})",
            "  of random cells": f"{100 * ascent['regret_of_random_cells']:.3f} {points}",
            "  of the best by validation": (
                f"{100 * ascent['regret_of_global_optimum']:.3f} {points}"
            ),
            "accuracy against degree": f"Spearman {signed(table.ranks.spearman, 3)}",
        }
        lines += ["", *(name.ljust(36) + value for name, value in about.items())]
    which = "all moves, cells equally likely" if measured.moves_exact else "drawn moves"
    lines += ["", f"shaped reward of a random move ({which})"]
    lines += [
        f"{'alpha':>8}{'mean':>12}{'sd':>12}{'largest':>12}{'positive':>12}{'zero':>10}{'top 1 % carry':>16}"
    ]
    for alpha, p in measured.rewards.items():
        shares = f"{100 * p.positive:>10.1f} %{100 * p.zero:>8.1f} %{100 * p.peaked:>14.1f} %"
        lines.append(f"{alpha:>8g}{p.mean:>12.3g}{p.sd:>12.3g}{p.largest:>12.3g}{shares}")
    return "\n".join(lines)


def spelled(estimate: Sequence[float]) -> str:
    value, low, high = estimate
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
