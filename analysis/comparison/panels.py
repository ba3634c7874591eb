"""Curves, panels, and what stands around them in the figures of comparisons."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlnas.analysis import stats
from rlnas.analysis.comparison.entrants import Entrant
from rlnas.analysis.style import Style, blank, handle, plain_ticks

WIDTH = 9.6
"""Inches of a figure with two panels side by side."""
RIGHT = 0.32
TITLE_COLUMNS, SUBTITLE_COLUMNS, FOOT_COLUMNS = 9.4, 13.4, 17.4
"""Characters of a line an inch; of a legend some, too."""
SKIPPED = 30  # the accuracy axis begins at what is reached after this part of the budget


@dataclass(frozen=True)
class Curve:
    """One agent in one panel. band: of the reported accuracy, a fraction, or of the
    score."""

    label: str
    style: Style
    x: Float[np.ndarray, " points"]
    band: stats.Interval


def framed(
    entered: Sequence[Entrant],
    styles: Mapping[str, Style],
    *,
    title: str,
    under: str,
    note: str,
    width: float,
    panels: float,
    left: float,
) -> tuple[Figure, dict[str, Any]]:
    """A figure with title, subtitle, legend and note, and where its panels go, as `gridspec_kw`
    takes it. width, panels (the height of all), left (the room for labels): inches."""
    room = width - left - RIGHT
    titles, unders, notes = (
        textwrap.wrap(said, int(columns * room))
        for said, columns in (
            (title, TITLE_COLUMNS), (under, SUBTITLE_COLUMNS), (note, FOOT_COLUMNS)
        )
    )  # fmt: skip
    entries = legend_entries(entered)
    in_a_row = legend_columns(entries, room)
    to_under = 0.14 + 0.24 * len(titles)
    to_legend = to_under + 0.04 + 0.18 * len(unders)
    head = to_legend + 0.24 + 0.2 * math.ceil(len(entries) / in_a_row)
    tail = 0.62 + 0.155 * len(notes)
    height = head + tail + panels
    figure = blank(figsize=(width, height))
    x = left / width
    figure.text(x, 1 - 0.14 / height, "\n".join(titles), fontsize=12.5, fontweight="bold", va="top")
    figure.text(
        x, 1 - to_under / height, "\n".join(unders), fontsize=9.5, color="#333333", va="top"
    )
    figure.legend(
        handles=[handle(styles[entrant.label]) for entrant in entered],
        labels=entries,
        ncols=in_a_row,
        loc="upper left",
        bbox_to_anchor=(x, 1 - to_legend / height),
        borderpad=0,
        borderaxespad=0.1,
        handlelength=3.4,
        columnspacing=2.2,
        fontsize=9.5,
    )
    figure.text(
        x,
        0.1 / height,
        "\n".join(notes),
        fontsize=7.5,
        color="#555555",
        va="bottom",
        linespacing=1.35,
    )
    inside = {"left": x, "right": 1 - RIGHT / width}
    return figure, inside | {"top": 1 - head / height, "bottom": tail / height}


def legend_entries(entered: Sequence[Entrant]) -> list[str]:
    """The agents; their seeds where they differ; and what was looked up before the search."""
    differ = len({entrant.seeds for entrant in entered}) > 1
    entries = []
    for entrant in entered:
        entry = f"{entrant.label} ({entrant.seeds} seeds)" if differ else entrant.label
        lookups = entrant.pretraining.get("lookups", 0)
        entries.append(f"{entry}: {lookups:,.0f} look-ups before" if entrant.learned else entry)
    return entries


def legend_columns(entries: Sequence[str], room: float) -> int:
    """As many columns as fit into so many inches."""
    return max(1, min(len(entries), 5, int(14.2 * room / (max(map(len, entries)) + 10))))


def draw_panel(
    axes: Axes,
    drawn: Sequence[Curve],
    kind: str,
    optimum: float | None,
    *,
    log_x: bool,
    markers: int = 6,
) -> None:
    """Bands first, then lines, so that no band hides a line. Percent on y, or the score.

    A linear x gives the room to the end of the search, a logarithmic one shows all of it.
    """
    for i, curve in enumerate(drawn):
        y, low, high = displayed(curve, kind, optimum)
        colour, dashes, marker = curve.style
        axes.fill_between(curve.x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(
            curve.x,
            y,
            color=colour,
            linestyle=dashes,
            marker=marker,
            markevery=marked(curve, i, len(drawn), log_x, markers),
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=4 + i / 10,
        )
    if log_x:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis)
    else:
        axes.set_xlim(left=0)
    axes.grid(True, which="major")


def displayed(
    curve: Curve, kind: str, optimum: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(line, lower end, upper end), in percent or of the score."""
    value, low, high = ((1 if kind == "score" else 100) * end for end in curve.band)
    low, high = (np.where(np.isnan(end), value, end) for end in (low, high))  # no interval, no band
    if kind != "regret":
        return value, low, high
    best = 100 * (math.nan if optimum is None else optimum)
    return best - value, best - high, best - low


def marked(curve: Curve, place: int, of: int, log_x: bool, markers: int = 6) -> list[int]:
    """Where the markers of curve number `place` stand: evenly along the axis, each curve's between
    the others'."""
    x = np.log(curve.x) if log_x else curve.x
    wanted = x[0] + (x[-1] - x[0]) / markers * (np.arange(markers) + (place + 0.5) / of)
    near = np.unique(np.abs(x[None, :] - wanted[:, None]).argmin(axis=1))
    return [int(i) for i in near if not np.isnan(curve.band.value[i])]


def limits(axes: Axes, kind: str, drawn: Sequence[Curve], optimum: float | None) -> None:
    """y-limits of a row, from its curves over queries."""
    ends = [displayed(curve, kind, optimum) for curve in drawn]
    if all(np.isnan(line).all() for line, _, _ in ends):
        return
    if kind != "regret":
        # The first few queries span most of the range and say least; the logarithmic panels show
        # them in full.
        starts = [curve.x >= curve.x[-1] / SKIPPED for curve in drawn]
        lows = [low[start] for (_, low, _), start in zip(ends, starts, strict=True)]
        bottom = np.nanmin(np.concatenate(lows))
        top = np.nanmax(np.concatenate([high for *_, high in ends]))
        bottom = min(bottom, top - 0.1)
        room = top - bottom
        axes.set_ylim(bottom - 0.03 * room, top + 0.05 * room)
        return
    lines = np.concatenate([line for line, _, _ in ends])
    positive = lines[lines > 0]
    if len(positive):  # a regret of zero has no place on a log axis: it falls through the floor
        axes.set_yscale("log", nonpositive="clip")
        axes.set_ylim(positive.min() / 1.5, max(np.nanmax(high) for *_, high in ends) * 1.12)
        plain_ticks(axes.yaxis)
