"""The figure of a retraining: table against retrained accuracy, and the ranks side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rlnas.analysis.rehearsal import called
from rlnas.analysis.retrain.data import GROUPS, Line, Verdict
from rlnas.analysis.retrain.text import plain, points
from rlnas.analysis.retrain.verdict import relation
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, blank
from rlnas.bench.rank import FEWEST

STYLE_OF = {"top": STYLES[2], "random": REFERENCE_STYLE, "worst": STYLES[1], "named": STYLES[3]}
NAMES = {
    "top": "top of the runs",
    "random": "random controls",
    "worst": "worst of the runs",
    "named": "named",
}
WIDTH, HEIGHT = 9.6, 5.2  # inches
DIAGONAL: dict[str, Any] = {"color": "#999999", "linewidth": 1, "linestyle": (0, (4, 3))}


def figure(verdict: Verdict, manifest: Mapping[str, Any]) -> Figure:
    """Left: each architecture, its seeds' mean and range over what the table says. Right: both
    rankings, joined."""
    kind, sentence = relation(manifest)
    with matplotlib.rc_context(RC):
        fig = blank(figsize=(WIDTH, HEIGHT))
        left, right = fig.subplots(
            1,
            2,
            gridspec_kw={
                "left": 0.075,
                "right": 0.985,
                "top": 0.79,
                "bottom": 0.225,
                "wspace": 0.2,
                "width_ratios": (1.25, 1),
            },
        )
        _scatter(left, verdict, diagonal=kind == "same")
        _ranks(right, verdict.lines)
        shown = [name for name in GROUPS if any(_group(line) == name for line in verdict.lines)]
        title = finding(verdict, manifest)
        fig.text(0.075, 0.975, title, fontsize=12.5, fontweight="bold", va="top")
        under = (
            f"{len(verdict.lines)} architectures: Spearman {plain(verdict.spearman)}, Kendall "
            f"{plain(verdict.kendall)}; regret of the table's choice {points(verdict.regret)} "
            "points"
        )
        fig.text(0.075, 0.925, under, fontsize=9.5, color="#333333", va="top")
        handles = [_handle(name) for name in shown]
        labels = [
            f"{NAMES[name]} ({sum(_group(line) == name for line in verdict.lines)})"
            for name in shown
        ]
        if kind == "same":
            handles.append(_diagonal_handle())
            labels.append("as the table says")
        fig.legend(
            handles=handles,
            labels=labels,
            ncols=len(labels),
            loc="upper left",
            bbox_to_anchor=(0.07, 0.885),
            borderaxespad=0.1,
            fontsize=9.5,
        )
        note = foot(manifest, sentence, verdict)
        fig.text(
            0.075,
            0.02,
            textwrap.fill(note, 150),
            fontsize=7.5,
            color="#555555",
            va="bottom",
            linespacing=1.35,
        )
    return fig


def finding(verdict: Verdict, manifest: Mapping[str, Any]) -> str:
    """Whether the rankings agree, as far as that can be told: the title."""
    name, (value, low, high) = called(manifest["benchmark"]), verdict.spearman
    if math.isnan(low):
        said = "-" if math.isnan(value) else f"{value:.2f}, without an interval"
        return f"{name} against retraining, {len(verdict.lines)} architectures: Spearman {said}"
    if low > 0:
        return f"{name} ranks much as retraining does: Spearman {value:.2f}"
    if high < 0:
        return f"{name} ranks against retraining: Spearman {value:.2f}"
    return f"No agreement shown between {name} and retraining: Spearman {value:.2f}"


def _group(line: Line) -> str:
    """The group an architecture is drawn in: the first of its own."""
    return min(line.groups, key=GROUPS.index)


def _drawn(lines: Sequence[Line]) -> list[Line]:
    """The controls first, so that they hide nothing."""
    return sorted(lines, key=lambda line: _group(line) != "random")


def _scatter(axes: Axes, verdict: Verdict, diagonal: bool) -> None:
    for line in _drawn(verdict.lines):
        if math.isnan(line.table):
            continue
        colour, _, marker = STYLE_OF[_group(line)]
        y = 100 * line.retrained
        axes.errorbar(
            100 * line.table,
            y,
            yerr=[[y - 100 * line.low], [100 * line.high - y]],
            color=colour,
            marker=marker,
            markersize=6,
            markeredgecolor="white",
            markeredgewidth=0.6,
            elinewidth=1.1,
            capsize=2.2,
            zorder=3,
        )
    if diagonal:
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], zorder=1, **DIAGONAL)
        axes.set_xlim(low, high)
    axes.set_xlabel(f"Table: mean {verdict.measure} (%)")
    axes.set_ylabel(f"Retrained: mean {verdict.measure} (%)")
    axes.grid(True)


def _ranks(axes: Axes, lines: Sequence[Line]) -> None:
    """A line joins an architecture's place in both rankings."""
    for line in _drawn(lines):
        if math.isnan(line.table):
            continue
        colour, _, marker = STYLE_OF[_group(line)]
        axes.plot(
            [0, 1],
            [line.table_rank, line.rank],
            color=colour,
            marker=marker,
            linewidth=1.3,
            markeredgecolor="white",
            markeredgewidth=0.6,
            alpha=0.9,
            zorder=3,
            clip_on=False,
        )
    n = len(lines)
    axes.set_xlim(-0.08, 1.08)
    axes.set_ylim(n + 0.5, 0.5)
    axes.set_xticks([0, 1], ["by the table", "retrained"])
    axes.set_yticks(sorted({1, *range(5, n + 1, 5), n}) if n > 6 else range(1, n + 1))
    axes.set_ylabel("Rank")
    axes.grid(True, axis="y")


def _handle(group: str) -> Any:
    colour, _, marker = STYLE_OF[group]
    return Line2D(
        [],
        [],
        color=colour,
        marker=marker,
        markeredgecolor="white",
        markeredgewidth=0.6,
        markersize=6,
    )


def _diagonal_handle() -> Any:
    return Line2D([], [], **DIAGONAL)


def foot(manifest: Mapping[str, Any], sentence: str, verdict: Verdict) -> str:
    """What was trained, and how the marks were made."""
    dataset, seeds = manifest["dataset"], manifest["seeds"]
    splits = ", ".join(f"{n:,} {name}" for name, n in dataset["splits"].items())
    return (
        f"Retrained on {dataset['description']} ({splits} images), preset {manifest['preset']}, "
        f"{manifest['settings']['epochs']} epochs, seeds {seeds[0]} to {seeds[-1]}. {sentence} "
        "Marks: means over "
        "seeds; bars: worst and best seed. Regret: best retrained mean minus that of the best by "
        "the table's "
        f"validation accuracy, in {verdict.measure}. Brackets: 95 % bootstrap intervals, of "
        f"correlations (of {FEWEST} or more) over architectures, of the regret over seeds."
    )
