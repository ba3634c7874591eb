"""The figure of `rlnas landscape`: six panels."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlnas.analysis.landscape.measures import Measured, TableFacts
from rlnas.analysis.landscape.text import caveats, finding, signed
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, blank, plain_ticks
from rlnas.analysis.text import number


def figure(measured: Measured) -> Figure:
    """Six panels; two in a space without neighbour lists."""
    table = measured.table
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(11, 7 if table else 3.9), layout="constrained")
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
        said = "\n".join(textwrap.wrap(finding(measured), 108 if table else 84))
        drawn.suptitle(said, x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        more = [*filter(None, [measured.facts.get("about")]), *caveats(measured)]
        notes = [about(measured), *(note[0].upper() + note[1:] for note in more)]
        foot = textwrap.fill(". ".join(notes) + ".", 185)
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
        f"{len(measured.table.ranks.share)} groups by rank of validation accuracy. f: reward of a "
        "move to a neighbour, "
        "cells equally likely; sd: its standard deviation"
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
    length = next(iter(measured.walks.values())).length[0]
    forgets = f" in {length:.1f} steps" if 0 < length < np.inf else ""
    axes.set_title(f"Walks forget{forgets}", loc="left")
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
    best = int(np.argmax(optima.basin))
    above = 100 * (optima.value > optima.value[best]).mean()
    axes.set_title(f"{len(optima.row):,} optima, {above:.0f} % above the widest", loc="left")
    axes.set_xlabel("Validation accuracy (%)")
    axes.set_ylabel("Basin of steepest ascent (cells)")
    axes.legend(loc="upper left", fontsize=8)


def draw_ascents(axes: Axes, table: TableFacts, optimum: float, reports: str) -> None:
    known = table.ascent.end >= 0
    kept: dict[str, float] = {}
    drawn = {
        "random cell": (known, REFERENCE_STYLE),
        "its ascent's end": (table.ascent.end[known], STYLES[1]),
    }
    for name, (cells, (colour, dashes, _)) in drawn.items():
        values = table.reported[cells]
        regret = np.sort(100 * (optimum - values[~np.isnan(values)]))
        share = np.arange(1, len(regret) + 1) / len(regret)
        kept[name] = float(regret.mean())
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
    start, end = kept.values()
    axes.set_title(f"Ascent: regret {start:.2f} to {end:.2f}", loc="left")
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
    few, many = (number(float(end), digits=0) for end in (ranks.degree.min(), ranks.degree.max()))
    axes.set_title(f"{few if few == many else f'{few} to {many}'} neighbours a cell", loc="left")
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
    axes.set_title(
        f"The best: {number(100 * ranks.better[0], digits=0)} % better neighbours",
        loc="left",
    )
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
    """How much of what can be gained lies in a few moves: what an agent must come across to learn
    anything."""
    rewards = measured.rewards
    colour, other = STYLES[1][0], "#444444"
    carried = [100 * profile.peaked for profile in rewards.values()]
    bars = axes.bar(range(len(carried)), np.nan_to_num(carried), 0.6, color=colour)
    axes.bar_label(
        bars,
        [
            f"{number(share, digits=0)} %\nsd {profile.sd:.2g}"
            for share, profile in zip(carried, rewards.values(), strict=True)
        ],
        fontsize=8,
        padding=2,
    )
    axes.axhline(1, color=other, linestyle=":", linewidth=1.2, label="all moves alike")
    axes.set_xticks(range(len(carried)), [f"{alpha:g}" for alpha in rewards])
    axes.set_xlim(-0.7, len(carried) - 0.3)
    axes.set_ylim(0, 1.35 * max([5.0, *np.nan_to_num(carried)]))
    axes.set_title(f"1 % of moves carry {among(carried)}", loc="left")
    axes.set_xlabel("alpha of the shaped reward")
    axes.set_ylabel("Of all positive reward they carry (%)")
    axes.legend(loc="upper right", fontsize=8)


def among(shares: Sequence[float]) -> str:
    """`8 to 11 %` of percentages; NaNs say nothing."""
    known = [share for share in shares if not np.isnan(share)]
    if not known:
        return "nothing"
    low, high = (f"{end:.0f}" for end in (min(known), max(known)))
    return f"{low} %" if low == high else f"{low} to {high} %"
