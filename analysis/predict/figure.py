"""The figure of `rlnas predict`: a row a benchmark, the numbers trained on along it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rlnas.analysis.predict.measures import Row
from rlnas.analysis.predict.text import names
from rlnas.analysis.style import COLOURS, DASHES, MARKERS, RC, blank

SHOWN = (
    ("spearman", "Spearman", 1.0),
    ("best_spearman", "Spearman, best tenth", 1.0),
    ("regret_10", "regret of top 10, points", 100.0),
)
GREY = "#555555"
APART = 0.055
"""Between two labels, in heights of a panel."""


def figure(rows: Sequence[Row], train: Sequence[int]) -> Figure:
    """Lines with bands for what is trained, dashes with their names for what is not."""
    benchmarks = list(dict.fromkeys(row.benchmark for row in rows))
    trained = names(rows, free=False)
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(11.5, 1.1 + 2.3 * len(benchmarks)), layout="constrained")
        panels = drawn.subplots(len(benchmarks), len(SHOWN), squeeze=False, sharex=True)
        for line, name in zip(panels, benchmarks, strict=True):
            mine = [row for row in rows if row.benchmark == name]
            for axes, (measure, called, scale) in zip(line, SHOWN, strict=True):
                panel(axes, mine, trained, train, measure, scale)
                axes.set_ylabel(called)
            line[0].set_title(name, loc="left", fontweight="bold")
        for axes in panels[-1]:
            axes.set_xlabel("architectures trained on")
        handles = [
            Line2D([], [], color=style[0], linestyle=style[1], marker=style[2])
            for style in map(style_of, range(len(trained)))
        ]
        said = (
            "What predictors are worth on architectures that they have not seen. Bands: 95 % over "
            "draws. Grey: what needs no training."
        )
        drawn.suptitle(textwrap.fill(said, 150), x=0.01, ha="left", fontsize=10, fontweight="bold")
        if trained:
            drawn.legend(handles, trained, loc="outside lower left", ncols=len(trained))
    return drawn


def style_of(place: int) -> tuple[str, Any, str]:
    return COLOURS[place % 7], DASHES[place % 5], MARKERS[place % 11]


def panel(
    axes: Any,
    rows: Sequence[Row],
    trained: Sequence[str],
    train: Sequence[int],
    measure: str,
    scale: float,
) -> None:
    for place, predictor in enumerate(trained):
        mine = [row.scores[measure] for row in rows if row.predictor == predictor and row.cells]
        if not mine:
            continue
        value, low, high = (scale * np.array(ends) for ends in zip(*mine, strict=True))
        colour, dashes, marker = style_of(place)
        axes.plot(train, value, color=colour, linestyle=dashes, marker=marker, clip_on=False)
        axes.fill_between(train, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(train, [f"{cells:,}" for cells in train])
    axes.minorticks_off()
    axes.grid(axis="y")
    free = [(row.predictor, scale * row.scores[measure].value) for row in rows if not row.cells]
    free = sorted((x for x in free if not np.isnan(x[1])), key=lambda x: x[1])
    for _, value in free:
        axes.axhline(value, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    if free:
        low, high = axes.get_ylim()
        for (name, _), height in zip(free, apart([(v - low) / (high - low) for _, v in free]),
                                    strict=True):  # fmt: skip
            axes.annotate(
                name, (1.01, height), xycoords="axes fraction", va="center", fontsize=6.5,
                color=GREY,
            )  # fmt: skip


def apart(places: Sequence[float]) -> list[float]:
    """Ascending places, moved so that labels there do not overlap, and stay as near as they can."""
    groups: list[tuple[float, int]] = []  # (where its middle should be, how many)
    for place in places:
        middle, many = place, 1
        while groups and middle - (many - 1) * APART / 2 < (
            groups[-1][0] + (groups[-1][1] - 1) * APART / 2 + APART
        ):
            other, before = groups.pop()
            middle = (middle * many + other * before) / (many + before)
            many += before
        groups.append((middle, many))
    return [
        middle + (i - (many - 1) / 2) * APART for middle, many in groups for i in range(many)
    ]  # fmt: skip
