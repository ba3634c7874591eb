"""The figure of a comparison."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlnas.analysis import stats
from rlnas.analysis.comparison import captions, curves
from rlnas.analysis.comparison.entrants import Entrant
from rlnas.analysis.comparison.measures import Measured, measure
from rlnas.analysis.comparison.panels import WIDTH, Curve, draw_panel, framed, limits
from rlnas.analysis.comparison.runs import check_comparable, collect
from rlnas.analysis.comparison.table import title_of
from rlnas.analysis.store import Run
from rlnas.analysis.style import RC, Style, styles_of

PANEL_HEIGHT, ROW_GAP = 2.75, 0.62  # inches


def comparison(runs: Sequence[Run], measured: Measured | None = None) -> Figure:
    """Reported accuracy of the incumbent, and its regret, against queries, against simulated
    seconds and, where an agent is learned, against all look-ups, those in training included.

    Lines are interquartile means over runs, bands their 95 % bootstrap intervals. The row of
    regrets is left out when the optimum is unknown, the column of seconds when the benchmark has
    none. measured: `measure(runs)`, where it is known.
    """
    measured = measure(runs) if measured is None else measured
    manifest, entered = measured.manifest, measured.entrants
    styles = styles_of({e.label: e.manifest["agent"] for e in entered})
    columns = [("Queries", by_queries(entered, styles))]
    by_time, unit = by_seconds(entered, styles)
    if by_time:
        columns.append((f"Simulated training time ({unit})", by_time))
    if any(entrant.learned for entrant in entered):
        columns.append(("Look-ups, those in training included", by_cost(entered, columns[0][1])))
    optimum = manifest["optimum"]
    kinds = ["accuracy"] if optimum is None else ["accuracy", "regret"]
    accuracy = textwrap.fill(f"{manifest['reports'].capitalize()} of the incumbent (%)", 42)
    with matplotlib.rc_context(RC):
        figure, inside = framed(
            entered,
            styles,
            title=title_of(measured),
            under=subtitle(measured),
            note=captions.foot(measured),
            width=WIDTH * (0.24 + 0.38 * len(columns)),
            panels=PANEL_HEIGHT * len(kinds) + ROW_GAP * (len(kinds) - 1),
            left=0.78 + 0.2 * accuracy.count("\n"),
        )
        grid = figure.subplots(
            len(kinds),
            len(columns),
            sharey="row",
            squeeze=False,
            gridspec_kw=inside | {"wspace": 0.07, "hspace": ROW_GAP / PANEL_HEIGHT},
        )
        for row, kind in zip(grid, kinds, strict=True):
            for axes, (label, drawn) in zip(row, columns, strict=True):
                cost = label.startswith("Look-ups")
                draw_panel(axes, drawn, kind, optimum, log_x=cost or kind == "regret")
                axes.set_xlabel(label)
                if cost:
                    mark_all(axes, manifest["architectures"])
            limits(row[0], kind, columns[0][1], optimum)
            row[0].set_ylabel(accuracy if kind == "accuracy" else "Regret (percentage points)")
    return figure


def plot_runs(*runs: Run | Path | str, reference: str = "") -> Figure:
    """The figure of stored runs, or of their folders, as `rlnas plot` draws it. reference: as
    `measure` takes it. Raises `UserError`."""
    given = [
        one for run in runs for one in ([run] if isinstance(run, Run) else collect([Path(run)]))
    ]
    check_comparable(given)
    return comparison(given, measure(given, reference))


def by_queries(entered: Sequence[Entrant], styles: Mapping[str, Style]) -> list[Curve]:
    places = curves.thin(entered[0].manifest["budget"], points_of(entered))
    return [
        Curve(e.label, styles[e.label], places + 1.0, stats.bootstrap([e.reported[places]]))
        for e in entered
    ]


def by_cost(entered: Sequence[Entrant], by_queries: Sequence[Curve]) -> list[Curve]:
    """The curves over queries, behind the look-ups that were paid in training; mean over
    trainings."""
    before = [entrant.pretraining.get("lookups", 0) for entrant in entered]
    return [
        dataclasses.replace(curve, x=curve.x + paid)
        for curve, paid in zip(by_queries, before, strict=True)
    ]


def mark_all(axes: Axes, architectures: float) -> None:
    """Where every architecture of the space could have been looked up once."""
    low, high = axes.get_xlim()
    if low < architectures < 10 * high:
        axes.axvline(architectures, color="#777777", linewidth=1, linestyle=(0, (2, 2)), zorder=1)
        axes.annotate(
            f"every architecture once: {architectures:,.0f}",
            (architectures, 0.02),
            xycoords=("data", "axes fraction"),
            xytext=(-3, 0),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="bottom",
            fontsize=7.5,
            color="#555555",
        )


def by_seconds(entered: Sequence[Entrant], styles: Mapping[str, Style]) -> tuple[list[Curve], str]:
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


def subtitle(measured: Measured) -> str:
    manifest = measured.manifest
    seeds = captions.seeds_of(measured.entrants)
    return f"Architecture search on {captions.ground(manifest)}, {seeds}"
