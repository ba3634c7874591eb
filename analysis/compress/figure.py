"""The figure of `rlnas compress`."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.compress.data import Finished
from rlnas.analysis.compress.measures import Report, geometric, picks
from rlnas.analysis.compress.search import METHODS
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, plain_ticks

LOOKS = dict(zip(METHODS, (STYLES[2], REFERENCE_STYLE), strict=True))
LOSSES = np.linspace(0, 0.05, 21)


def figure(report: Report, found: Finished) -> Figure:
    """Students against their teachers, and compression against the accuracy that may be lost."""
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(11.5, 4.4), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(1, 3)
        draw_students(panels[0], found)
        draw_compression(panels[1], found, "val", "b   equal after distillation")
        draw_compression(panels[2], found, "table_val", "c   equal in the table")
        drawn.suptitle(finding(report, found), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        drawn.supxlabel(
            textwrap.fill(about(report, found), 195), x=0.01, ha="left", fontsize=7.5,
            color="#555555", linespacing=1.35,
        )  # fmt: skip
    return drawn


def finding(report: Report, found: Finished) -> str:
    """In a line."""
    policies, chance = (report.of[method].measured.value for method in METHODS)
    return (
        f"{found.manifest['benchmark']['name']}: students of at most "
        f"{100 * found.manifest['tolerance']:g} points less are {policies:.1f} times smaller by "
        f"policies, {chance:.1f} times by random choices"
    )


def about(report: Report, found: Finished) -> str:
    """What is shown."""
    return (
        f"{report.teachers} teachers, the best cells of the table; students of "
        f"{found.manifest['epochs']} epochs of distillation. a: a dot a student, its parameters "
        "and its validation accuracy less its teacher's. b: times that the smallest student is "
        "smaller which loses at most so much, by its own distillation; geometric mean over "
        "teachers and 95 % bootstrap interval. c: the same, both accuracies the table's means of "
        "trainings from scratch."
    )


def draw_students(axes: Axes, found: Finished) -> None:
    vals = np.array([teacher["val"] for teacher in found.manifest["teachers"]])
    for method in METHODS:
        colour, _, marker = LOOKS[method]
        mine = found.students[found.students["method"] == method]
        mine = mine.drop_duplicates(["teacher", "row"])
        lost = 100 * (mine["val"].to_numpy() - vals[mine["teacher"].to_numpy()])
        axes.scatter(
            mine["params"], lost, s=16, marker=marker, facecolors="none", edgecolors=colour,
            linewidths=0.8, alpha=0.6, label=method,
        )  # fmt: skip
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_ylim(max(-30.0, axes.get_ylim()[0]), None)
    axes.set(xlabel="parameters", ylabel="validation less the teacher's (points)")
    axes.set_title("a   students", loc="left", fontweight="bold")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid()


def draw_compression(axes: Axes, found: Finished, by: str, title: str) -> None:
    for method in METHODS:
        colour, dashes, _ = LOOKS[method]
        means = [
            geometric(np.array([one.ratio for one in picks(found, method, float(loss), by)]))
            for loss in LOSSES
        ]
        value, low, high = np.array(means).T
        axes.plot(100 * LOSSES, value, color=colour, linestyle=dashes, label=method)
        axes.fill_between(100 * LOSSES, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.set(xlabel="accuracy that may be lost (points)", ylabel="times smaller")
    axes.set_title(title, loc="left", fontweight="bold")
    axes.legend(loc="upper left", fontsize=8)
    axes.grid()
