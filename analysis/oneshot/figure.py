"""The figure of `rlnas oneshot`."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlnas.analysis.oneshot.measures import BOTH, RETRAINED
from rlnas.analysis.oneshot.report import Report, Scored
from rlnas.analysis.style import RC, STYLES, blank, plain_ticks

BLUE, GREY = STYLES[1][0], "#777777"


class Cells(NamedTuple):
    """Of the table. val [M]: mean validation accuracy, fractions. vertices [M]."""

    val: np.ndarray
    vertices: np.ndarray


def figure(report: Report, cells: Cells, scored: Sequence[Scored], kind: str, table: str) -> Figure:
    """Shared weights against the table, cell by cell, and what ranks the cells how well."""
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(11.5, 4.9), layout="constrained")
        panels = drawn.subplots(1, 3, gridspec_kw={"width_ratios": (1, 0.85, 0.5)})
        draw_cells(panels[0], report, cells, scored[0], kind)
        draw_agreements(panels[1], report)
        draw_regrets(panels[2], report)
        for axes, letter in zip(panels, "abc", strict=True):
            axes.set_title(
                f"{letter}   {axes.get_title(loc='left')}", loc="left", fontweight="bold"
            )
        drawn.suptitle(
            finding(report, table),
            x=0.01,
            ha="left",
            fontsize=12.5,
            fontweight="bold",
        )
        drawn.supxlabel(
            textwrap.fill(about(report, scored), 195),
            x=0.01,
            ha="left",
            fontsize=7.5,
            color="#555555",
            linespacing=1.35,
        )
    return drawn


def finding(report: Report, table: str) -> str:
    """How well shared weights rank, beside the best of the others, in a line."""
    alone = [name for name in report.rankers if name != BOTH]
    found = {name: report.of(name).spearman.value for name in alone}
    ours = [value for name, value in found.items() if name.startswith("shared")]
    others = {name: value for name, value in found.items() if not name.startswith("shared")}
    low, high = (f"{end:.2f}" for end in (min(ours), max(ours)))
    said = low if low == high else f"{low} to {high}"
    known = [name for name, value in others.items() if not np.isnan(value)]
    beside = max(known, key=lambda name: others[name], default="")
    return f"Shared weights rank {report.cells:,} cells of {table} with Spearman {said}" + (
        f"; {beside} with {others[beside]:.2f}" if beside else ""
    )


def about(report: Report, scored: Sequence[Scored]) -> str:
    """What is shown, and the time."""
    return (
        f"Supernets are trained on single paths; seeds {scored[0].seed} to "
        f"{scored[-1].seed}. Bars: "
        "Spearman correlation with the table's mean validation accuracy at its largest budget, "
        "lines their 95 % "
        "bootstrap intervals over cells; a real training is compared with the mean of the cell's "
        "other trainings. "
        f"Regret: best mean test accuracy in the table less that of the pick; {RETRAINED} "
        "retrained: less that of the "
        f"best of {RETRAINED} picks after training them once. In processor time of one thread "
        "a seed's training takes "
        f"{report.supernet_seconds / 60:.1f} min and scoring all cells "
        f"{report.scoring_seconds / 60:.1f} min; training "
        f"each cell once would take {report.real_seconds / 60:.0f} min "
        f"({report.training_seconds:.1f} s each, timed in "
        f"this run): {report.saved:.0f} times as long."
    )


def draw_cells(axes: Axes, report: Report, cells: Cells, one: Scored, kind: str) -> None:
    """One seed's scores, by number of vertices; the best by score and the table's best stand
    out."""
    val, vertices = 100 * cells.val, cells.vertices
    score = one.loss if kind == "loss" else 100 * one.accuracy
    for count, (colour, _, marker) in zip(
        sorted(set(vertices.tolist()), reverse=True), STYLES[1:], strict=False
    ):
        here = vertices == count
        axes.scatter(
            score[here],
            val[here],
            s=9 if here.sum() > 200 else 20,
            color=colour,
            marker=marker,
            linewidths=0,
            alpha=0.45 if here.sum() > 200 else 0.9,
            label=f"{count} vertices ({here.sum():,})",
        )
    pick = one.score(kind).argmax()
    stars = (
        (val.argmax(), 260, "white", "best in the table"),
        (pick, 110, "#E69F00", "best by shared weights"),
    )
    for place, size, face, name in stars:
        axes.scatter(
            score[place],
            val[place],
            s=size,
            marker="*",
            color=face,
            edgecolors="black",
            linewidths=0.9,
            zorder=5,
            label=f"{name}: {val[place]:.1f} %",
        )
    found = report.agreements[0]
    low, high = np.quantile(val, [0.002, 1])
    axes.set_ylim(low - 0.02 * (high - low) - 0.3, high + 0.06 * (high - low))
    if below := int((val < axes.get_ylim()[0]).sum()):
        axes.text(
            0.02,
            0.02,
            f"{below} cells lie below",
            transform=axes.transAxes,
            fontsize=8,
            color="#555555",
        )
    axes.set_title(
        f"Cell by cell, seed {one.seed}: Spearman {found.spearman.value:.2f}", loc="left"
    )
    if kind == "loss":
        axes.set_xscale("log")
        axes.invert_xaxis()
        plain_ticks(axes.xaxis)
        axes.set_xlabel("Validation loss with shared weights (better: right)")
    else:
        axes.set_xlabel("Validation accuracy with shared weights (%)")
    axes.set_ylabel("Table: mean validation accuracy (%)")
    axes.grid(True)
    axes.legend(
        loc="lower right",
        fontsize=8,
        handletextpad=0.2,
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
    )


def draw_agreements(axes: Axes, report: Report) -> None:
    """Spearman with the table, of all cells and within its best ones; supernets first."""
    names = report.rankers
    height = 0.38
    groups = (("all", "all cells", 1.0), ("top", "within the table's top 10 %", 0.45))
    for kind, (among, label, alpha) in enumerate(groups):
        for row, name in enumerate(names):
            found = report.of(name, "validation", among).spearman
            place = row + (kind - 0.5) * height
            axes.barh(place, found.value, height, color=colour_of(name), alpha=alpha, zorder=2)
            axes.plot(
                [found.low, found.high], [place, place], color="black", linewidth=1.3, zorder=3
            )
            if np.isfinite(found.value):
                right = max(np.fmax(found.high, found.value), 0) + 0.02
                axes.text(right, place, f"{found.value:.2f}", va="center", fontsize=8)
        axes.barh([np.nan], [np.nan], color="#555555", alpha=alpha, label=label)
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    every = [report.of(n, "validation", a).spearman for n in names for a, *_ in groups]
    lowest = np.nanmin([0.0, *(end for one in every for end in (one.low, one.value))])
    axes.set_xlim(np.floor(10 * lowest) / 10, 1.12)
    axes.set_xlabel("Spearman correlation with the table")
    axes.set_title("What ranks the cells how well", loc="left")
    axes.grid(True, axis="x")
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8, columnspacing=1.2
    )


def draw_regrets(axes: Axes, report: Report) -> None:
    """What the best by each score costs, in the rows of `draw_agreements`."""
    for row, name in enumerate(report.rankers):
        picked = report.picks[name]
        axes.barh(row, 100 * picked.regret_test, 0.5, color=colour_of(name), zorder=2)
        end = 100 * max(picked.regret_test, picked.retrained)
        axes.text(end, row, f"   {100 * picked.regret_test:.1f}", va="center", fontsize=8)
        axes.scatter(
            100 * picked.retrained,
            row,
            marker="D",
            s=26,
            color="white",
            edgecolors="black",
            zorder=4,
            label=f"best of {RETRAINED} retrained" if row == 0 else None,
        )
    axes.axvline(
        100 * report.picks["random"].regret_test,
        color="black",
        linestyle=":",
        label="a random pick",
    )
    axes.set_yticks(range(len(report.rankers)), [])
    axes.set_ylim(len(report.rankers) - 0.4, -0.6)
    axes.set_xlim(0, 1.2 * max(100 * picked.regret_test for picked in report.picks.values()))
    axes.set_xlabel("Test regret (percentage points)")
    axes.set_title("What the pick costs", loc="left")
    axes.grid(True, axis="x")
    axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=2,
        fontsize=8,
        columnspacing=1,
        handlelength=1.4,
    )


def colour_of(name: str) -> str:
    return BLUE if name.startswith("shared") else GREY
