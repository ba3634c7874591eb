"""The figure: hypervolume against queries, attainment surfaces, and cells of the front."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec, GridSpecFromSubplotSpec

from rlnas.analysis.cells import draw_graph, legend_handles, names_of
from rlnas.analysis.comparison.panels import WIDTH, framed
from rlnas.analysis.fronts.data import Ground
from rlnas.analysis.fronts.hypervolume import attained
from rlnas.analysis.fronts.measures import Measured
from rlnas.analysis.fronts.text import heading, shown, subtitle, title, value
from rlnas.analysis.style import RC, plain_ticks, styles_of
from rlnas.bench.benchmark import Graphs

HEIGHT, STRIP, GAP = 3.1, 0.95, 1.05  # inches
CELLS = 5
FRONT = "#000000"
DOTS = 3000
"""Architectures drawn behind the front, at most."""
WIDE = 30
"""A cost that spans more than so many times is drawn in logarithms."""


def figure(measured: Measured, space: Any) -> Figure:
    """Left: what is missing to the front's hypervolume. Right: accuracy and the first cost; lines
    are the median attainment surfaces at the end, bands their quartiles over seeds."""
    entered = measured.entrants
    styles = styles_of({e.label: e.manifest["agent"] for e in entered})
    drawn = isinstance(space, Graphs)
    rows = HEIGHT + (GAP + STRIP if drawn else 0)
    with matplotlib.rc_context(RC):
        made, inside = framed(
            entered, styles, title=title(measured), under=subtitle(measured), note=note(measured),
            width=WIDTH, panels=rows, left=0.78,
        )  # fmt: skip
        grid = GridSpec(
            2 if drawn else 1, 2, figure=made, **inside, wspace=0.22,
            hspace=GAP / ((HEIGHT + STRIP) / 2) if drawn else None,
            height_ratios=[HEIGHT, STRIP] if drawn else None,
        )  # fmt: skip
        volume(made.add_subplot(grid[0, 0]), measured, styles)
        surfaces(made.add_subplot(grid[0, 1]), measured, styles)
        if drawn:
            strip(made, grid[1, :], measured, space)
    return made


def volume(axes: Axes, measured: Measured, styles: Any) -> None:
    for entrant in measured.entrants:
        colour, dashes, marker = styles[entrant.label]
        band = measured.curve(entrant.label)
        gap, low, high = (100 * (1 - end) for end in (band.value, band.high, band.low))
        low, high = (np.where(np.isnan(end), gap, end) for end in (low, high))
        axes.fill_between(measured.at, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
        every = max(1, len(measured.at) // 6)
        axes.plot(
            measured.at, gap, color=colour, linestyle=dashes, marker=marker, markevery=every,
            markeredgecolor="white", markeredgewidth=0.6, zorder=4,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log", nonpositive="clip")
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    axes.set_xlabel("Queries")
    axes.set_ylabel("Hypervolume missing to the front's (%)")
    axes.grid(True, which="major")


def surfaces(axes: Axes, measured: Measured, styles: Any) -> None:
    ground = measured.ground
    points = ground.natural(ground.points.copy())
    if len(points) > DOTS:
        points = points[np.random.default_rng(0).choice(len(points), DOTS, replace=False)]
    axes.scatter(points[:, 1], points[:, 0], s=3, color="#dddddd", linewidths=0, zorder=1)
    cost = ground.objectives[1]
    for entrant in measured.entrants:
        colour, dashes, _ = styles[entrant.label]
        grid, quartiles = surface_of(ground, entrant)
        shown_at = ground.natural(_full(ground, grid))[:, 1]
        low, middle, high = quartiles
        axes.fill_between(
            shown_at, low, high, step="post", color=colour, alpha=0.15, linewidth=0, zorder=2
        )
        axes.step(
            shown_at, middle, where="post", color=colour, linestyle=dashes, linewidth=1.4, zorder=4
        )
    front = ground.natural(ground.points[ground.front].copy())
    if len(ground.objectives) == 2:
        order = np.argsort(front[:, 1])
        axes.step(
            front[order, 1], front[order, 0], where="post", color=FRONT, linewidth=0.8, zorder=3
        )
    axes.plot(front[:, 1], front[:, 0], ".", color=FRONT, markersize=4, zorder=3)
    if measured.knee >= 0:
        x, y = front[measured.knee, 1], front[measured.knee, 0]
        axes.plot(x, y, "o", markersize=9, markerfacecolor="none", color="#000000", zorder=6)
        axes.annotate("knee", (x, y), (6, -12), textcoords="offset points", fontsize=8.5, zorder=6)
    positive = points[:, 1] > 0
    if positive.all() and points[:, 1].max() > WIDE * points[:, 1].min():
        axes.set_xscale("log")
        plain_ticks(axes.xaxis)
    top = front[:, 0].max()
    bottom = np.quantile(points[:, 0], 0.2)
    axes.set_ylim(bottom, top + 0.04 * (top - bottom))
    seen = points[points[:, 0] >= bottom, 1]
    log = axes.get_xscale() == "log"
    margin = 1.15 if log else 0.03 * (seen.max() - seen.min())
    axes.set_xlim(
        *((seen.min() / margin, seen.max() * margin) if log else
          (seen.min() - margin, seen.max() + margin))
    )  # fmt: skip
    axes.set_xlabel(cost.title if cost.unit else f"{cost.name}")
    axes.set_ylabel("Validation accuracy (%)")
    axes.grid(True, which="major")


def surface_of(ground: Ground, entrant: Any) -> tuple[np.ndarray, np.ndarray]:
    """(costs; the quartiles over runs [3, costs] of the best accuracy at no more than each, in
    percent, low, median, high)."""
    runs = np.concatenate([np.asarray(run.history.objectives) for run in entrant.runs])
    pair = runs[..., [1, 0]].astype(np.float64)
    grid = np.unique(pair[..., 0][~np.isnan(pair[..., 0])])
    if len(grid) > 400:
        grid = np.quantile(grid, np.linspace(0, 1, 400))
    error = np.sort(attained(pair, grid), axis=0)
    places = [round(q * (len(error) - 1)) for q in (0.75, 0.5, 0.25)]
    reached = np.where(np.isinf(error[places]), np.nan, 100 * (1 - error[places]))
    return grid, reached


def _full(ground: Ground, cost: np.ndarray) -> np.ndarray:
    """Points with that cost, and nothing else."""
    points = np.zeros((len(cost), len(ground.objectives)))
    points[:, 1] = cost
    return points


def strip(made: Figure, place: Any, measured: Measured, space: Any) -> None:
    """Some cells of the front, by the first objective."""
    ground = measured.ground
    chosen = shown(measured)
    chosen = [
        chosen[i] for i in np.unique(np.linspace(0, len(chosen) - 1, CELLS).round().astype(int))
    ]
    if measured.knee >= 0 and measured.knee not in chosen and len(chosen) > 2:
        nearest = 1 + int(np.abs(np.array(chosen[1:-1]) - measured.knee).argmin())
        chosen[nearest] = measured.knee
    points = ground.natural(ground.points[ground.front].copy())
    grid = GridSpecFromSubplotSpec(1, len(chosen), place, wspace=0.12)
    inside: set[int] = set()
    for i, at in enumerate(sorted(chosen)):
        axes = made.add_subplot(grid[0, i])
        arch = ground.archs[ground.front[at]]
        inside |= draw_graph(axes, space, jnp.asarray(arch.reshape(space.arch_shape)))
        knee = at == measured.knee
        said = f"{value(ground, 0, points[at, 0])} %{' (knee)' if knee else ''}\n"
        said += ", ".join(
            f"{value(ground, j, points[at, j])} {objective.unit or objective.name}"
            for j, objective in enumerate(ground.objectives[1:], 1)
        )
        axes.set_title(
            said, fontsize=8, loc="left",
            fontweight="bold" if knee else "normal",
        )  # fmt: skip
    names, x = names_of(space), axes.get_position().x1
    handles = legend_handles(inside)
    made.legend(
        handles, [names[i] for i in sorted(inside)], loc="upper right", ncols=len(handles),
        bbox_to_anchor=(x, axes.get_position().y0), fontsize=8, handletextpad=0.2,
        columnspacing=1.2, borderaxespad=0,
    )  # fmt: skip


def note(measured: Measured) -> str:
    ground = measured.ground
    what = "exact front of all architectures" if ground.exact else "front of all that was found"
    objectives = " and ".join(heading(objective) for objective in ground.objectives)
    of = " (along accuracy and the first cost)" if len(ground.objectives) > 2 else ""
    first = (
        "reduction cell not drawn"
        if measured.manifest["benchmark"].get("family") == "nb301"
        else ""
    )
    said = [
        f"Left: share of the front's hypervolume ({ground.volume:.4f}, of {objectives}, scaled to "
        "0 to 1 over all of it, reference 1) that runs have not reached; interquartile means, 95 % "
        f"bootstrap intervals over seeds. Right: black dots, the {what}; lines, the accuracy that "
        f"half of the runs reach at no more than a cost{of}, after "
        f"{measured.manifest['budget']:,} queries; bands, quartiles over seeds. Below: cells of "
        "the front",
        first,
    ]
    return "; ".join(filter(None, said)) + "."
