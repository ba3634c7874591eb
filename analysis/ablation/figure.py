"""What a grid of trainings says, at a glance."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rlnas.agents.evaluate import QUERIES
from rlnas.analysis import stats
from rlnas.analysis.comparison.figure import RC, REFERENCE_STYLE, STYLES, save

if TYPE_CHECKING:
    import pandas as pd

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
    import pandas as pd

    lines = []
    for key, group in frame.groupby([*columns_varied(frame), "alpha"]):
        regret = group[f"dqn_regret_{query}"].to_numpy()
        band = stats.bootstrap([regret[None]], stats.mean)
        random = group[f"random_search_regret_{query}"].iloc[0]
        lines.append(
            {
                **dict(zip([*columns_varied(frame), "alpha"], key, strict=True)),
                "regret": float(np.asarray(band.value)[0]),
                "low": float(np.asarray(band.low)[0]),
                "high": float(np.asarray(band.high)[0]),
                "random_search": float(random),
                "stability": float((regret < random).mean()),
                "trainings": len(group),
            }
        )
    return pd.DataFrame(lines)


def best(benchmark: Any) -> float:
    """What regret is measured from: the best in the space, or 1 where nobody knows it (a
    surrogate)."""
    return 1.0 if math.isnan(optimum := float(benchmark.optimum)) else optimum


def measured(benchmark: Any) -> str:
    """What the distance to `best` is called."""
    return "distance to 100 %" if math.isnan(float(benchmark.optimum)) else "regret"


def table(
    frame: pd.DataFrame, query: int = QUERY, what: str = "regret", of: str = "test accuracy"
) -> str:
    """`summary` as aligned text, in percentage points."""
    lines = summary(frame, query)
    percent = lines.assign(
        **{name: 100 * lines[name] for name in ("regret", "low", "high", "random_search")}
    )
    head = (
        f"{what} after {query} queries (percentage points of {of}), 95 % intervals over trainings"
    )
    return f"{head}\n{percent.to_string(index=False, float_format=lambda x: f'{x:.3f}')}"


def write(folder: Path, frame: pd.DataFrame, benchmark: Any) -> list[Path]:
    """`figure.png` and `figure.svg` in `folder`: regret against alpha, stability, a heat map, the
    shaped rewards."""
    import jax
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from rlnas.bench.landscape import REWARD_EDGES, moves_of, shaped_rewards

    lines = summary(frame)
    settings = columns_varied(frame)
    alphas = sorted(lines["alpha"].unique())
    groups = list(lines.groupby(settings))
    labels = [
        ", ".join(_named(name, value) for name, value in zip(settings, key, strict=True))
        for key, _ in groups
    ]
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(11.5, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        (regret, heat), (stability, rewards) = figure.subplots(2, 2)
        colour, dashes, _ = REFERENCE_STYLE
        random = 100 * lines["random_search"].iloc[0]
        regret.axhline(random, color=colour, linestyle=dashes, label="random_search")
        for i, ((_, group), label) in enumerate(zip(groups, labels, strict=True)):
            colour, dashes, marker = STYLES[i % len(STYLES)]
            style = {"color": colour, "linestyle": dashes, "marker": marker}
            regret.plot(group["alpha"], 100 * group["regret"], label=label, **style)
            regret.fill_between(
                group["alpha"],
                100 * group["low"],
                100 * group["high"],
                color=colour,
                alpha=0.18,
                lw=0,
            )
            stability.plot(group["alpha"], 100 * group["stability"], **style)
        name = measured(benchmark).capitalize()
        regret.set_title(
            f"{name} after {QUERY} queries (mean, 95 % interval over trainings)", loc="left"
        )
        regret.set_ylabel(f"{name} (percentage points)")
        low, high = regret.get_ylim()
        regret.set_ylim(
            low, high + 0.22 * (high - low)
        )  # room for the legend above random search's line
        regret.legend(loc="upper left", ncols=2)
        stability.set_title("Stability", loc="left")
        stability.set_ylabel("Trainings better than\nrandom search (%)")
        stability.set_ylim(-4, 104)
        for axes in (regret, stability):
            axes.set_xscale("log")
            axes.set_xticks(alphas, [f"{a:g}" for a in alphas], minor=False)
            axes.minorticks_off()
            axes.set_xlabel("alpha in exp(alpha x validation accuracy)")
            axes.grid(axis="y")

        grid = np.full((len(groups), len(alphas)), np.nan)
        for i, (_, group) in enumerate(groups):
            grid[i, [alphas.index(a) for a in group["alpha"]]] = 100 * group["regret"]
        image = heat.imshow(grid, cmap="viridis_r", aspect="auto")
        middle = np.nanmean([np.nanmin(grid), np.nanmax(grid)])
        for i, j in np.ndindex(grid.shape):
            if np.isfinite(grid[i, j]):
                ink = "white" if grid[i, j] > middle else "black"
                heat.text(
                    j, i, f"{grid[i, j]:.2f}", ha="center", va="center", color=ink, fontsize=8
                )
        heat.set_xticks(range(len(alphas)), [f"{a:g}" for a in alphas])
        heat.set_yticks(range(len(labels)), labels)
        heat.set_xlabel("alpha")
        heat.set_title(f"{name} (percentage points); random search {random:.2f}", loc="left")
        figure.colorbar(image, ax=heat, label=f"{name} (percentage points)")

        profiles = shaped_rewards(moves_of(benchmark, jax.random.key(0)), alphas)
        for i, (alpha, profile) in enumerate(profiles.items()):
            tint = matplotlib.colormaps["viridis"](
                0.9 * i / max(1, len(alphas) - 1)
            )  # dark to light as alpha grows
            rewards.stairs(
                100 * profile.histogram, REWARD_EDGES, color=tint, linewidth=1.3,
                label=f"alpha {alpha:g}: sd {profile.sd:.2g}",
            )  # fmt: skip
        rewards.set_yscale("log")
        rewards.set_xlabel("Shaped reward of a uniformly random move (in its standard deviations)")
        rewards.set_ylabel("Share of the moves (%)")
        rewards.set_title("What alpha does to the reward", loc="left")
        rewards.legend(loc="upper left", fontsize=7.5, handlelength=1.5)
        trainings = int(lines["trainings"].max())
        steps = f"{trainings} trainings each, {int(frame['lookups'].mean()):,} look-ups a training"
        figure.suptitle(
            f"Ablation on {benchmark.name}: {steps}", x=0.01, ha="left", fontweight="bold"
        )
    return save(figure, folder)


def _named(name: str, value: Any) -> str:
    return f"N = {value}" if name == "neighbours" else f"{name} {value}"
