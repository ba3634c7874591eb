"""The figure of `rlnas morph`."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.morph.data import Finished
from rlnas.analysis.morph.measures import RUNS, Report, spent_epochs
from rlnas.analysis.morph.search import METHODS
from rlnas.analysis.morph.text import SAID
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES
from rlnas.bench.nb101.edits import KINDS

LOOKS = dict(zip(RUNS, (STYLES[1], STYLES[0], REFERENCE_STYLE), strict=True))
OF_METHOD = dict(zip(METHODS, (STYLES[2], REFERENCE_STYLE), strict=True))


def figure(report: Report, found: Finished) -> Figure:
    """Learning curves of the pairs, what each pair saved, and the search against the table."""
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(11.5, 4.6), layout="constrained")
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(1, 3, gridspec_kw={"width_ratios": (1, 0.9, 1)})
        draw_curves(panels[0], found)
        draw_saved(panels[1], report, found)
        draw_search(panels[2], found)
        for axes, letter in zip(panels, "abc", strict=True):
            title = axes.get_title(loc="left")
            axes.set_title(f"{letter}   {title}", loc="left", fontweight="bold")
        drawn.suptitle(finding(report, found), x=0.01, ha="left", fontsize=12.5, fontweight="bold")
        drawn.supxlabel(
            textwrap.fill(about(report, found), 195),
            x=0.01,
            ha="left",
            fontsize=7.5,
            color="#555555",
            linespacing=1.35,
        )
    return drawn


def finding(report: Report, found: Finished) -> str:
    """In a line."""
    inherited, short = (report.worth[run].saved.value for run in ("inherited", "short"))
    return (
        f"{found.manifest['benchmark']['name']}: training on from inherited weights saves "
        f"{inherited:.0%} of the epochs, a training as long from scratch {short:.0%}"
    )


def about(report: Report, found: Finished) -> str:
    """What is shown."""
    manifest = found.manifest
    return (
        f"{report.pairs} pairs of a cell and one edit that keeps what it computes; parents trained "
        f"for {manifest['parent_epochs']} epochs. a: mean over the pairs of the validation "
        "accuracy above the mean of the table's trainings from scratch, of "
        f"{manifest['table']['epochs']} epochs. b: share of those epochs that is not needed to "
        "reach that mean; below 0: it was not reached, so that all was in vain. Line: mean and 95 "
        "% bootstrap interval over cells. c: cells of the searches, each trained on from its "
        "start's weights, against the table's mean validation accuracy; filled: what a search "
        "chose."
    )


def draw_curves(axes: Axes, found: Finished) -> None:
    """Mean curve of every kind of training, and the middle half of the pairs."""
    target = found.pairs["target"].to_numpy()[:, None]
    for run in RUNS:
        above = 100 * (np.stack(found.pairs[run].to_list()) - target)
        colour, dashes, _ = LOOKS[run]
        epochs = np.arange(above.shape[1])
        axes.plot(epochs, above.mean(0), color=colour, linestyle=dashes, label=SAID[run])
        low, high = np.quantile(above, (0.25, 0.75), axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.axhline(0, color="#444444", linewidth=0.8)
    last = [np.stack(found.pairs[run].to_list())[:, -1] for run in RUNS]
    axes.set_ylim(max(-40.0, axes.get_ylim()[0]), 100 * float(np.max(last - target[:, 0])) + 3)
    axes.set(xlabel="epochs", ylabel="validation less the table's (points)")
    axes.set_title("learning curves", loc="left")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(axis="y")


def draw_saved(axes: Axes, report: Report, found: Finished) -> None:
    """A dot a pair, by kind of edit; the means."""
    whole = found.manifest["table"]["epochs"]
    saved = 100 * (1 - spent_epochs(found.pairs, "inherited", whole) / whole)
    kinds = [kind for kind in KINDS if kind in report.by_kind]
    rng = np.random.default_rng(0)
    for place, kind in enumerate(kinds):
        here = saved[(found.pairs["kind"] == kind).to_numpy()]
        shift = rng.uniform(-0.16, 0.16, len(here))
        axes.scatter(place + shift, here, s=22, color=LOOKS["inherited"][0], alpha=0.75)
        axes.plot([place - 0.3, place + 0.3], [here.mean()] * 2, color="#222222", linewidth=1.4)
    value, low, high = (100 * x for x in report.worth["inherited"].saved)
    axes.errorbar(
        [len(kinds)], [value], [[value - low], [high - value]], color="#222222", marker="s",
        capsize=3,
    )  # fmt: skip
    axes.axhline(0, color="#444444", linewidth=0.8)
    axes.set_xticks(range(len(kinds) + 1), [*kinds, "all"])
    axes.set_ylabel("epochs saved (%)")
    axes.set_title("saved by inheriting", loc="left")
    axes.grid(axis="y")


def draw_search(axes: Axes, found: Finished) -> None:
    """A dot a cell and search."""
    for method in METHODS:
        colour, _, marker = OF_METHOD[method]
        lines = found.nets[found.nets["method"] == method].drop_duplicates(["seed", "row"])
        best = lines.loc[lines.groupby("seed")["val"].idxmax()]
        axes.scatter(
            100 * lines["val"], 100 * lines["table_val"], s=24, marker=marker, linewidths=0.9,
            facecolors="none", edgecolors=colour, alpha=0.7, label=method,
        )  # fmt: skip
        axes.scatter(
            100 * best["val"], 100 * best["table_val"], s=52, marker=marker, color=colour, zorder=3
        )
    axes.set(
        xlabel="validation accuracy after inheriting (%)",
        ylabel="table: mean validation accuracy (%)",
    )
    axes.set_title("the search against the table", loc="left")
    axes.legend(loc="upper left", fontsize=8)
    axes.grid()
