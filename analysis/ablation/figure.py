"""What a grid of trainings says, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.ablation.data import REFERENCE, measured
from rlnas.analysis.ablation.measures import QUERY, columns_varied, summary
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, save
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.jax_setup import pinned
from rlnas.bench.landscape import REWARD_EDGES, moves_of, shaped_rewards

Groups = Sequence[tuple[str, pd.DataFrame]]
"""(label, lines of `summary`) for each combination of settings besides alpha."""


def write(folder: Path, frame: pd.DataFrame, benchmark: Benchmark, agent: str) -> list[Path]:
    """`figure.png` and `figure.svg` in `folder`: regret against alpha, stability, a heat map, the
    shaped rewards."""
    lines = summary(frame)
    groups = grouped(lines, columns_varied(frame))
    name, random = measured(benchmark).capitalize(), 100 * lines[REFERENCE].iloc[0]
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(11.5, 7.4), layout="constrained")
        FigureCanvasAgg(figure)
        (regret, heat), (stability, rewards) = figure.subplots(2, 2)
        draw_lines(regret, stability, groups, name, random)
        image = draw_heat(heat, groups, f"{name} (percentage points); random search {random:.2f}")
        figure.colorbar(image, ax=heat, label=f"{name} (percentage points)")
        draw_rewards(rewards, benchmark, alphas_of(groups))
        figure.suptitle(
            f"Ablation of {agent} on {benchmark.name}: {int(lines['trainings'].max())} trainings "
            f"each, {int(frame['lookups'].mean()):,} look-ups a training",
            x=0.01,
            ha="left",
            fontweight="bold",
        )
    return save(figure, folder)


def grouped(lines: pd.DataFrame, settings: list[str]) -> Groups:
    """`lines` by the settings besides alpha; one group where there are none."""
    if not settings:
        return [("", lines)]
    return [
        (", ".join(_named(name, value) for name, value in zip(settings, key, strict=True)), group)
        for key, group in lines.groupby(settings)
    ]


def alphas_of(groups: Groups) -> list[float]:
    return sorted({alpha for _, group in groups for alpha in group["alpha"]})


def draw_lines(regret: Axes, stability: Axes, groups: Groups, name: str, random: float) -> None:
    """Regret and stability against alpha. random: random search's regret, in percent."""
    colour, dashes, _ = REFERENCE_STYLE
    regret.axhline(random, color=colour, linestyle=dashes, label=REFERENCE)
    for i, (label, group) in enumerate(groups):
        colour, dashes, marker = STYLES[i % len(STYLES)]
        style: dict[str, Any] = {"color": colour, "linestyle": dashes, "marker": marker}
        regret.plot(group["alpha"], 100 * group["regret"], label=label, **style)
        low, high = 100 * group["low"], 100 * group["high"]
        regret.fill_between(group["alpha"], low, high, color=colour, alpha=0.18, lw=0)
        stability.plot(group["alpha"], 100 * group["stability"], **style)
    regret.set_title(
        f"{name} after {QUERY} queries (mean, 95 % interval over trainings)", loc="left"
    )
    regret.set_ylabel(f"{name} (percentage points)")
    bottom, top = regret.get_ylim()
    # Room for the legend above random search's line.
    regret.set_ylim(bottom, top + 0.22 * (top - bottom))
    regret.legend(loc="upper left", ncols=2)
    stability.set_title("Stability", loc="left")
    stability.set_ylabel("Trainings better than\nrandom search (%)")
    stability.set_ylim(-4, 104)
    alphas = alphas_of(groups)
    for axes in (regret, stability):
        axes.set_xscale("log")
        axes.set_xticks(alphas, [f"{a:g}" for a in alphas], minor=False)
        axes.minorticks_off()
        axes.set_xlabel("alpha in exp(alpha x validation accuracy)")
        axes.grid(axis="y")


def draw_heat(axes: Axes, groups: Groups, title: str) -> Any:
    """Regret by alpha and the other settings; returns the image."""
    alphas = alphas_of(groups)
    grid = np.full((len(groups), len(alphas)), np.nan)
    for i, (_, group) in enumerate(groups):
        grid[i, [alphas.index(a) for a in group["alpha"]]] = 100 * group["regret"]
    image = axes.imshow(grid, cmap="viridis_r", aspect="auto")
    middle = np.nanmean([np.nanmin(grid), np.nanmax(grid)])
    for i, j in np.ndindex(grid.shape):
        if np.isfinite(grid[i, j]):
            ink = "white" if grid[i, j] > middle else "black"
            axes.text(j, i, f"{grid[i, j]:.2f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(len(alphas)), [f"{a:g}" for a in alphas])
    axes.set_yticks(range(len(groups)), [label for label, _ in groups])
    axes.set_xlabel("alpha")
    axes.set_title(title, loc="left")
    return image


@pinned()
def draw_rewards(axes: Axes, benchmark: Benchmark, alphas: Sequence[float]) -> None:
    """What alpha does to the reward of a random move."""
    profiles = shaped_rewards(moves_of(benchmark, jax.random.key(0)), alphas)
    for i, (alpha, profile) in enumerate(profiles.items()):
        share = 0.9 * i / max(1, len(alphas) - 1)  # dark to light as alpha grows
        axes.stairs(
            100 * profile.histogram,
            REWARD_EDGES,
            color=matplotlib.colormaps["viridis"](share),
            linewidth=1.3,
            label=f"alpha {alpha:g}: sd {profile.sd:.2g}",
        )
    axes.set_yscale("log")
    axes.set_xlabel("Shaped reward of a uniformly random move (in its standard deviations)")
    axes.set_ylabel("Share of the moves (%)")
    axes.set_title("What alpha does to the reward", loc="left")
    axes.legend(loc="upper left", fontsize=7.5, handlelength=1.5)


def _named(name: str, value: Any) -> str:
    return f"N = {value}" if name == "neighbours" else f"{name} {value}"
