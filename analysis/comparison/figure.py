"""The figure of a comparison."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis import stats
from rlnas.analysis.comparison import captions, curves
from rlnas.analysis.comparison.entrants import Entrant
from rlnas.analysis.comparison.measures import Measured, measure
from rlnas.analysis.rehearsal import called
from rlnas.analysis.store import Run
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, Style, handle, plain_ticks

WIDTH, PANEL_HEIGHT, ROW_GAP = 9.6, 2.75, 0.62  # inches
FOOT_COLUMNS = 152  # characters a line of the note at full width
SUBTITLE_COLUMNS = 118
REFERENCE = "random_search"
SKIPPED = 30  # the accuracy axis begins at what is reached after this part of the budget


@dataclass(frozen=True)
class Curve:
    """One agent in one panel. band: of the reported accuracy, a fraction."""

    label: str
    style: Style
    x: Float[np.ndarray, " points"]
    band: stats.Interval


def comparison(runs: Sequence[Run], measured: Measured | None = None) -> Figure:
    """Reported accuracy of the incumbent, and its regret, against queries and against simulated
    seconds.

    Lines are interquartile means over runs, bands their 95 % bootstrap intervals. The row of
    regrets is left out when the optimum is unknown, the column of seconds when the benchmark has
    none. measured: `measure(runs)`, where it is known.
    """
    measured = measure(runs) if measured is None else measured
    manifest, entered = measured.manifest, measured.entrants
    styles = styles_of(entered)
    columns = [("Queries", by_queries(entered, styles))]
    by_time, unit = by_seconds(entered, styles)
    if by_time:
        columns.append((f"Simulated training time ({unit})", by_time))
    optimum = manifest["optimum"]
    kinds = ["accuracy"] if optimum is None else ["accuracy", "regret"]
    width = WIDTH * (1 if by_time else 0.62)
    note = textwrap.wrap(captions.foot(measured), int(FOOT_COLUMNS * width / WIDTH))
    entries = legend_entries(entered)
    in_a_row = legend_columns(entries, width / WIDTH)
    under = textwrap.wrap(subtitle(measured), int(SUBTITLE_COLUMNS * width / WIDTH))
    to_legend = 0.42 + 0.18 * len(under)
    head = to_legend + 0.24 + 0.2 * math.ceil(len(entered) / in_a_row)
    tail = 0.62 + 0.155 * len(note)
    height = head + tail + PANEL_HEIGHT * len(kinds) + ROW_GAP * (len(kinds) - 1)
    accuracy = textwrap.fill(f"{manifest['reports'].capitalize()} of the incumbent (%)", 42)
    left = (0.78 + 0.2 * accuracy.count("\n")) / width
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(width, height))
        FigureCanvasAgg(figure)
        grid = figure.subplots(
            len(kinds),
            len(columns),
            sharey="row",
            squeeze=False,
            gridspec_kw={
                "left": left,
                "right": 1 - 0.2 / width,
                "top": 1 - head / height,
                "bottom": tail / height,
                "wspace": 0.07,
                "hspace": ROW_GAP / PANEL_HEIGHT,
            },
        )
        for row, kind in zip(grid, kinds, strict=True):
            for axes, (label, drawn) in zip(row, columns, strict=True):
                draw_panel(axes, drawn, kind, optimum)
                axes.set_xlabel(label)
            limits(row[0], kind, columns[0][1], optimum)
            row[0].set_ylabel(accuracy if kind == "accuracy" else "Regret (percentage points)")
        figure.text(
            left, 1 - 0.14 / height, title(measured), fontsize=12.5, fontweight="bold", va="top"
        )
        figure.text(
            left, 1 - 0.38 / height, "\n".join(under), fontsize=9.5, color="#333333", va="top"
        )
        figure.legend(
            handles=[handle(styles[entrant.label]) for entrant in entered],
            labels=entries,
            ncols=in_a_row,
            loc="upper left",
            bbox_to_anchor=(left, 1 - to_legend / height),
            borderpad=0,
            borderaxespad=0.1,
            handlelength=3.4,
            columnspacing=2.2,
            fontsize=9.5,
        )
        figure.text(
            left,
            0.1 / height,
            "\n".join(note),
            fontsize=7.5,
            color="#555555",
            va="bottom",
            linespacing=1.35,
        )
    return figure


def styles_of(entered: Sequence[Entrant]) -> dict[str, Style]:
    """label -> (colour, dashes, marker)."""
    plain = [e.label for e in entered if e.manifest["agent"] == REFERENCE]
    others = [e.label for e in entered if e.manifest["agent"] != REFERENCE]
    styles = {label: STYLES[i % len(STYLES)] for i, label in enumerate(others)}
    return {label: REFERENCE_STYLE for label in plain} | styles


def by_queries(entered: Sequence[Entrant], styles: dict[str, Any]) -> list[Curve]:
    places = curves.thin(entered[0].manifest["budget"], points_of(entered))
    return [
        Curve(e.label, styles[e.label], places + 1.0, stats.bootstrap([e.reported[places]]))
        for e in entered
    ]


def by_seconds(entered: Sequence[Entrant], styles: dict[str, Any]) -> tuple[list[Curve], str]:
    """Curves over simulated time, and the unit of their x; none where it is unknown."""
    entered = [e for e in entered if all(curves.timed(run.history) for run in e.runs)]
    times = [curves.elapsed(run.history) for e in entered for run in e.runs]
    grid = curves.time_grid(times, points_of(entered)) if entered else np.zeros(0)
    if not len(grid):
        return [], ""
    units = ((86_400, "days"), (3600, "h"), (60, "min"))
    size, unit = next((unit for unit in units if grid[-1] >= 2 * unit[0]), (1, "s"))
    found = []
    for e in entered:
        values = e.each(
            lambda h: curves.on_grid(curves.elapsed(h), curves.incumbent_values(h), grid)
        )
        found.append(Curve(e.label, styles[e.label], grid / size, stats.bootstrap([values])))
    return found, unit


def points_of(entered: Sequence[Entrant]) -> int:
    """How many points of a curve are drawn: fewer where several trainings make each of them slow
    to resample."""
    return 60 if captions.pooled(entered) else 160


def draw_panel(axes: Axes, drawn: Sequence[Curve], kind: str, optimum: float | None) -> None:
    """Bands first, then lines, so that no band hides a line. Percent on y.

    Accuracy stands over a linear x, which gives the room to the end of the search; regret over a
    logarithmic one, which shows all of it.
    """
    log_x = kind == "regret"
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
            markevery=marked(curve, i, len(drawn), log_x),
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
    """(line, lower end, upper end) in percent."""
    value, low, high = (100 * end for end in curve.band)
    low, high = (np.where(np.isnan(end), value, end) for end in (low, high))  # no interval, no band
    if kind == "accuracy":
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
    if kind == "accuracy":
        # The first few queries span most of the range and say least; the logarithmic panels show
        # them in full.
        start = drawn[0].x >= drawn[0].x[-1] / SKIPPED
        bottom, top = (
            min(np.nanmin(low[start]) for _, low, _ in ends),
            max(np.nanmax(high) for *_, high in ends),
        )
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


def legend_entries(entered: Sequence[Entrant]) -> list[str]:
    """The agents; their seeds where they differ; and what was looked up before the search."""
    differ = len({entrant.seeds for entrant in entered}) > 1
    entries = []
    for entrant in entered:
        entry = f"{entrant.label} ({entrant.seeds} seeds)" if differ else entrant.label
        lookups = entrant.pretraining.get("lookups", 0)
        entries.append(f"{entry}: {lookups:,.0f} look-ups before" if entrant.learned else entry)
    return entries


def legend_columns(entries: Sequence[str], share: float) -> int:
    """As many columns as fit; share: of the full width."""
    return max(1, min(len(entries), 5, int(125 * share / (max(map(len, entries)) + 10))))


def title(measured: Measured) -> str:
    return f"Architecture search on {called(measured.manifest['benchmark'])}"


def subtitle(measured: Measured) -> str:
    manifest = measured.manifest
    return f"{captions.ground(manifest, named=False)}, {captions.seeds_of(measured.entrants)}"
