"""The figure of `rlnas landscape`: six panels."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.landscape.measures import Measured, TableFacts
from rlnas.analysis.landscape.text import caveats, signed, title
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, plain_ticks
from rlnas.analysis.text import number
from rlnas.bench.landscape import REWARD_EDGES


def figure(measured: Measured) -> Figure:
    """Six panels; two in a space without neighbour lists."""
    table = measured.table
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(11, 7 if table else 3.9), layout="constrained")
        FigureCanvasAgg(drawn)
        if table:
            panels = drawn.subplots(2, 3).ravel()
            draw_optima(panels[1], table)
            draw_ascents(panels[2], table, measured.optimum, measured.facts["reports"])
            draw_degrees(panels[3], table)
            draw_gains(panels[4], table)
        else:
            panels = drawn.subplots(1, 2)
        draw_walks(panels[0], measured)
        draw_rewards(panels[-1], measured)
        for axes, letter in zip(panels, "abcdef", strict=False):
            axes.set_title(
                f"{letter}   {axes.get_title(loc='left')}", loc="left", fontweight="bold"
            )
            axes.grid(True)
        drawn.suptitle(title(measured), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        said = [about(measured), *filter(None, [measured.facts.get("about")]), *caveats(measured)]
        foot = textwrap.fill(". ".join(c[0].upper() + c[1:] for c in said) + ".", 185)
        drawn.supxlabel(foot, x=0.01, ha="left", fontsize=7.5, color="#555555", linespacing=1.35)
    return drawn


def about(measured: Measured) -> str:
    """What the panels show."""
    walks = "Bands: 95 % bootstrap interval over walks"
    if not measured.table:
        return walks
    return (
        f"a: {walks[0].lower()}{walks[1:]}. b: a local optimum has no better neighbour; its basin "
        "are the cells from "
        "which moving to the best neighbour, while that is strictly better, ends in it. c: regret "
        "against the best "
        f"{measured.facts['reports']} in the table, {100 * measured.optimum:.2f} %. d, e: cells in "
        f"{len(measured.table.ranks.share)} groups by rank of validation accuracy. f: the outer "
        "bins hold all beyond"
    )


def draw_walks(axes: Axes, measured: Measured) -> None:
    for i, (name, walk) in enumerate(measured.walks.items()):
        colour, dashes, marker = STYLES[1 + i]
        lags = np.arange(len(walk.rho))
        axes.fill_between(lags, walk.low, walk.high, color=colour, alpha=0.2, linewidth=0)
        label = f"{name}: {number(walk.length[0])} ({number(walk.decay[0])})"
        axes.plot(
            lags,
            walk.rho,
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=4,
            markevery=(i, max(1, len(lags) // 10)),
            label=label,
        )
    if 0 < (length := next(iter(measured.walks.values())).length[0]) < np.inf:
        axes.plot(
            lags,
            np.exp(-lags / length),
            color="#777777",
            linestyle=":",
            linewidth=1.4,
            label=f"exp(-lag / {length:.2f})",
        )
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_title("Random walks forget", loc="left")
    axes.set_xlabel("Lag (steps)")
    axes.set_ylabel("Autocorrelation of accuracy")
    axes.set_xlim(left=0)
    axes.legend(
        loc="upper right",
        fontsize=8,
        title="correlation length in steps (beyond lag 1)",
        title_fontsize=8,
    )


def draw_optima(axes: Axes, table: TableFacts) -> None:
    optima = table.optima
    kinds = {"strict": optima.strict, "plateau or isolated": ~optima.strict}
    for (name, chosen), (colour, _, marker), filled in zip(
        kinds.items(), STYLES[1:], (True, False), strict=False
    ):
        axes.scatter(
            100 * optima.value[chosen],
            optima.basin[chosen],
            s=24,
            marker=marker,
            linewidths=1.0,
            facecolors=colour if filled else "none",
            edgecolors=colour,
            label=f"{name} ({chosen.sum():,})",
            rasterized=len(optima.row) > 2000,
        )
    axes.set_yscale("log")
    axes.set_ylim(0.8, 1.5 * optima.basin.max())
    plain_ticks(axes.yaxis)
    axes.set_title("Local optima and their basins", loc="left")
    axes.set_xlabel("Validation accuracy (%)")
    axes.set_ylabel("Basin of steepest ascent (cells)")
    axes.legend(loc="upper left", fontsize=8)


def draw_ascents(axes: Axes, table: TableFacts, optimum: float, reports: str) -> None:
    known = table.ascent.end >= 0
    drawn = {
        "random cell": (known, REFERENCE_STYLE),
        "its ascent's end": (table.ascent.end[known], STYLES[1]),
    }
    for name, (cells, (colour, dashes, _)) in drawn.items():
        values = table.reported[cells]
        regret = np.sort(100 * (optimum - values[~np.isnan(values)]))
        share = np.arange(1, len(regret) + 1) / len(regret)
        axes.step(
            np.append(0, regret),
            np.append(0, 100 * share),
            where="post",
            color=colour,
            linestyle=dashes,
            label=f"{name},\nmean {regret.mean():.2f}",
        )
    axes.set_xscale("symlog", linthresh=1, linscale=0.6)
    axes.set_xlim(left=0)
    axes.set_ylim(0, 102)
    ticks = [tick for tick in (0, 0.5, 1, 2, 5, 10, 20, 50, 100) if tick <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.xaxis.minorticks_off()
    axes.set_title("Where steepest ascent ends", loc="left")
    axes.set_xlabel(f"Regret, {reports} (percentage points)")
    axes.set_ylabel("Starts with at most that regret (%)")
    axes.legend(loc="lower right", fontsize=8, handlelength=1.5, borderaxespad=0.1)


def draw_degrees(axes: Axes, table: TableFacts) -> None:
    ranks, (colour, dashes, marker) = table.ranks, STYLES[1]
    axes.fill_between(
        100 * ranks.share,
        ranks.degree_low,
        ranks.degree_high,
        color=colour,
        alpha=0.2,
        linewidth=0,
        label="middle 80 %",
    )
    axes.plot(
        100 * ranks.share, ranks.degree, color=colour, linestyle=dashes, marker=marker, label="mean"
    )
    axes.set_title("Neighbours by rank", loc="left")
    axes.set_xlabel("Rank, best first (% of cells)")
    axes.set_ylabel("Neighbours of a cell")
    axes.set_ylim(bottom=0)
    axes.legend(
        loc="lower right",
        fontsize=8,
        title=f"Spearman with accuracy {signed(ranks.spearman, 2)}",
        title_fontsize=8,
    )


def draw_gains(axes: Axes, table: TableFacts) -> None:
    ranks = table.ranks
    (colour, dashes, marker), (other, other_dashes, other_marker) = STYLES[1], STYLES[2]
    axes.plot(
        100 * ranks.share,
        100 * ranks.gain,
        color=colour,
        linestyle=dashes,
        marker=marker,
        label="best neighbour's gain (left)",
    )
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_title("What the neighbours offer", loc="left")
    axes.set_xlabel("Rank, best first (% of cells)")
    axes.set_ylabel("Best neighbour's gain (% points)")
    right = axes.twinx()
    right.spines["right"].set_visible(True)
    right.plot(
        100 * ranks.share,
        100 * ranks.better,
        color=other,
        linestyle=other_dashes,
        marker=other_marker,
        label="better neighbours (right)",
    )
    right.set_ylabel("Neighbours that are better (%)")
    right.set_ylim(0, 100)
    axes.legend(handles=[axes.get_lines()[0], right.get_lines()[0]], loc="upper left", fontsize=8)


def draw_rewards(axes: Axes, measured: Measured) -> None:
    """Also for other figures: `measured.rewards` is all it reads."""
    middles = (REWARD_EDGES[1:] + REWARD_EDGES[:-1]) / 2
    styles = [REFERENCE_STYLE, *STYLES]
    for i, (alpha, profile) in enumerate(measured.rewards.items()):
        colour, dashes, marker = styles[i % len(styles)]
        axes.plot(
            middles,
            100 * np.where(profile.histogram > 0, profile.histogram, np.nan),
            color=colour,
            linestyle=dashes,
            marker=marker,
            markersize=3.5,
            markevery=4,
            linewidth=1.4,
            label=(
                f"alpha {alpha:g}: sd {profile.sd:.2g}, top 1 % carry {100 * profile.peaked:.0f} %"
            ),
        )
    axes.set_yscale("log")
    axes.set_title("Shaped reward of a move", loc="left")
    axes.set_xlabel("Reward / its standard deviation")
    axes.set_ylabel("Moves (%), bins of ¼ sd")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 12)  # room for the legend
    axes.legend(loc="upper center", fontsize=8)
