"""The figure of `rlnas oneshot ghn`."""

from __future__ import annotations

import textwrap

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.ghn.data import NETWORKS, Finished
from rlnas.analysis.ghn.measures import PARAMETERS, Report
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES

RANKERS = (*NETWORKS, PARAMETERS)
LOOKS = dict(zip(RANKERS, (STYLES[2], STYLES[1], REFERENCE_STYLE), strict=True))


def figure(report: Report, found: Finished) -> Figure:
    """Cells held out, by predicted and by shared weights, and the correlations."""
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(11.5, 4.4), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(1, 3)
        for axes, name, letter in zip(panels, NETWORKS, "ab", strict=False):
            draw_cells(axes, found, name, f"{letter}   {name}, cells held out")
        draw_agreement(panels[2], report)
        drawn.suptitle(finding(report, found), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        drawn.supxlabel(
            textwrap.fill(about(found), 195), x=0.01, ha="left", fontsize=7.5, color="#555555",
            linespacing=1.35,
        )  # fmt: skip
    return drawn


def finding(report: Report, found: Finished) -> str:
    """In a line."""
    predicted, shared, parameters = (report.of[name, True].every.value for name in RANKERS)
    return (
        f"{found.manifest['benchmark']['name']}, cells never trained on: Spearman "
        f"{predicted:.2f} by predicted weights, {shared:.2f} by shared, {parameters:.2f} by "
        "parameters"
    )


def about(found: Finished) -> str:
    """What is shown."""
    manifest = found.manifest
    return (
        f"{manifest['seeds']} seeds, each with {manifest['held']} of {manifest['cells']:,} cells "
        "held out. a, b: a dot a cell of the first seed; its accuracy on the validation images "
        "with weights that it was never trained with, and the table's mean of real trainings. c: "
        "Spearman with the table; mean over seeds and 95 % bootstrap interval over cells; the best "
        "tenth is the table's."
    )


def draw_cells(axes: Axes, found: Finished, name: str, title: str) -> None:
    scores = found.scores
    mine = scores[(scores["network"] == name) & scores["held"]]
    mine = mine[mine["seed"] == mine["seed"].min()]
    colour, _, marker = LOOKS[name]
    axes.scatter(
        100 * mine["accuracy"], 100 * mine["table_val"], s=14, marker=marker, facecolors="none",
        edgecolors=colour, linewidths=0.7, alpha=0.6,
    )  # fmt: skip
    low = 100 * mine["table_val"].quantile(0.02)
    axes.set_ylim(low - 1, None)
    axes.set(xlabel=f"accuracy with {name} (%)", ylabel="accuracy in the table (%)")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.grid()


def draw_agreement(axes: Axes, report: Report) -> None:
    groups = (("held out", True, 0), ("trained on", False, 0), ("held out,\nbest tenth", True, 1))
    for i, ranker in enumerate(RANKERS):
        colour, _, marker = LOOKS[ranker]
        found = [report.of[ranker, held][which] for _, held, which in groups]
        x = [place + (i - 1) * 0.18 for place in range(len(groups))]
        values = [one.value for one in found]
        below = [one.value - one.low for one in found]
        above = [one.high - one.value for one in found]
        axes.errorbar(
            x, values, yerr=[below, above], fmt=marker, color=colour, markersize=5, capsize=3,
            linewidth=1.2, label=ranker,
        )  # fmt: skip
    axes.set_xticks(range(len(groups)), [name for name, *_ in groups])
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set(ylabel="Spearman with the table")
    axes.set_title("c   rank correlation", loc="left", fontweight="bold")
    axes.legend(loc="best", fontsize=8)
    axes.grid(axis="y")
