"""The figure of `rlnas maskconnect`."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.maskconnect.data import Finished
from rlnas.analysis.maskconnect.measures import Report
from rlnas.analysis.style import RC, STYLES
from rlnas.bench.nb101.cell import OPS

SHORT = dict(zip(OPS, ("3", "1", "p"), strict=True))
"""Of an operation, on an axis."""
LEARNED, MOST = STYLES[2][0], STYLES[1][0]


def figure(report: Report, found: Finished) -> Figure:
    """Every mask in the table with those that were learned, and which inputs are chosen."""
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(11.5, 4.4), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(1, 2, gridspec_kw={"width_ratios": (1.7, 1)})
        draw_masks(panels[0], found)
        draw_inputs(panels[1], report, found)
        drawn.suptitle(finding(report, found), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        drawn.supxlabel(
            textwrap.fill(about(report, found), 195), x=0.01, ha="left", fontsize=7.5,
            color="#555555", linespacing=1.35,
        )  # fmt: skip
    return drawn


def finding(report: Report, found: Finished) -> str:
    """In a line."""
    learned = report.of["learned"]
    return (
        f"{found.manifest['benchmark']['name']}: learned inputs are better than "
        f"{learned.beats.value:.0%} of the other masks of their size, "
        f"{100 * learned.val.value:.2f} points above the mean"
    )


def about(report: Report, found: Finished) -> str:
    """What is shown."""
    manifest = found.manifest
    return (
        f"{report.sets} sequences of operations, {report.masks} masks of {manifest['active']} "
        f"inputs a vertex, {manifest['vertices']} vertices; scores learned in trainings of "
        f"{manifest['epochs']} epochs. a: the table's mean validation accuracy of every mask's "
        "cell, trained from scratch, less their mean; sequences in the order of vertices (3, 1: "
        "convolutions, p: pooling). b: how often an input is among the highest scores, less its "
        "share of all masks."
    )


def draw_masks(axes: Axes, found: Finished) -> None:
    """A column a sequence."""
    rng = np.random.default_rng(0)
    names = []
    for place, mine in found.masks.groupby("set"):
        x = float(place)  # type: ignore[arg-type]
        vals = 100 * (mine["table_val"] - mine["table_val"].mean())
        shift = rng.uniform(-0.18, 0.18, len(mine))
        label = "masks of the size" if x == 0 else None
        axes.scatter(x + shift, vals, s=12, color="#aaaaaa", label=label)
        most = int(mine["params"].to_numpy().argmax())
        label = "most parameters" if x == 0 else None
        axes.scatter(
            [x], vals.iloc[[most]], s=46, marker="s", facecolors="none", edgecolors=MOST,
            label=label,
        )  # fmt: skip
        chosen = found.choices[found.choices["set"] == place]["mask"]
        by_mask = dict(zip(mine["mask"], vals, strict=True))
        ys = [by_mask[mask] for mask in chosen]
        spread = np.linspace(-0.12, 0.12, len(ys)) if len(ys) > 1 else np.zeros(1)
        label = "learned, a training" if x == 0 else None
        axes.scatter(x + spread, ys, s=26, marker="^", color=LEARNED, label=label, zorder=3)
        names.append("".join(SHORT[op] for op in mine["ops"].iloc[0].split(",")))
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_xticks(range(len(names)), names, rotation=90 if len(names) > 14 else 0)
    axes.set(xlabel="operations", ylabel="validation less the masks' mean (points)")
    axes.set_title("a   connectivity in the table", loc="left", fontweight="bold")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.12 * (high - low))  # the legend's
    axes.legend(fontsize=8, loc="upper left", ncols=3)
    axes.grid(axis="y")


def draw_inputs(axes: Axes, report: Report, found: Finished) -> None:
    """A bar an input of a vertex that has a choice."""
    last = found.manifest["vertices"] - 1
    names, excess = [], []
    for (y, x), (chosen, share) in report.inputs.items():
        source = "input" if x == 0 else str(x)
        names.append(f"{source} to {'output' if y == last else y}")
        excess.append(100 * (chosen - share))
    places = np.arange(len(names))
    axes.barh(places, excess, color=LEARNED, height=0.6)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.axvline(0, color="#444444", linewidth=0.8)
    axes.set_xlabel("chosen, above its share (points)")
    axes.set_title("b   which inputs", loc="left", fontweight="bold")
    axes.grid(axis="x")
