"""What a grid of trainings says, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from rlnas.analysis.ablation.data import REFERENCE
from rlnas.analysis.ablation.measures import QUERY, columns_varied, finding, summary
from rlnas.analysis.rehearsal import called
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, blank, save
from rlnas.bench.benchmark import Benchmark

Groups = Sequence[tuple[str, dict[str, Any], pd.DataFrame]]
"""(label, style, lines of `summary`) for each combination of settings besides alpha."""


def write(folder: Path, frame: pd.DataFrame, benchmark: Benchmark, agent: str) -> list[Path]:
    """`figure.png` and `figure.svg` in `folder`: against alpha the validation accuracy, which the
    settings are judged by, and what is reported; a dot a training."""
    lines = summary(frame)
    settings = columns_varied(frame)
    groups = grouped(lines, settings)
    panels = [("val", "Validation accuracy")]
    if not benchmark.reports.startswith("validation"):
        panels.append(("reported", benchmark.reports.capitalize()))
    with matplotlib.rc_context(RC):
        figure = blank(figsize=(5.6 * len(panels), 4.1), layout="constrained")
        for axes, (measure, name) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            draw(axes, groups, measure, frame, settings)
            axes.set_ylabel(f"{name} of the incumbent\nafter {QUERY} queries (%)")
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        figure.suptitle(
            f"{agent} on {called(benchmark.describe())}: {finding(lines)}\n", x=0.01, ha="left",
            fontweight="bold", fontsize=11.5,
        )  # fmt: skip
        figure.text(
            0.01, 0.925,
            f"Lines: mean of {int(lines['trainings'].max())} trainings of about "
            f"{int(frame['lookups'].mean()):,} look-ups; bands: 95 % intervals over trainings; "
            "dots: trainings",
            fontsize=8.5, color="#333333",
        )  # fmt: skip
    return save(figure, folder)


def grouped(lines: pd.DataFrame, settings: list[str]) -> Groups:
    """`lines` by the settings besides alpha; one group where there are none."""
    groups = [((), lines)] if not settings else list(lines.groupby(settings))
    found = []
    for i, (key, group) in enumerate(groups):
        colour, dashes, marker = STYLES[i % len(STYLES)]
        style = {"color": colour, "linestyle": dashes, "marker": marker}
        label = ", ".join(_named(*pair) for pair in zip(settings, key, strict=True))
        found.append((label or "trainings", style, group))
    return found


def draw(
    axes: Axes, groups: Groups, measure: str, frame: pd.DataFrame, settings: list[str]
) -> None:
    """One measure against alpha."""
    colour, dashes, _ = REFERENCE_STYLE
    random = 100 * frame[f"{REFERENCE}_{measure}_{QUERY}"].iloc[0]
    axes.axhline(random, color=colour, linestyle=dashes, label=REFERENCE)
    for i, (label, style, group) in enumerate(groups):
        apart = 1 + 0.05 * (i - (len(groups) - 1) / 2)  # so that groups do not hide each other
        x = group["alpha"] * apart
        low, high = 100 * group[f"{measure}_low"], 100 * group[f"{measure}_high"]
        axes.fill_between(x, low, high, color=style["color"], alpha=0.15, lw=0)
        axes.plot(x, 100 * group[measure], label=label, **style)
        mine = frame
        for name in settings:
            mine = mine[mine[name] == group[name].iloc[0]]
        axes.plot(
            mine["alpha"] * apart, 100 * mine[f"{measure}_{QUERY}"], linestyle="", marker=".",
            markersize=4, color=style["color"], alpha=0.6,
        )  # fmt: skip
    alphas = np.unique(frame["alpha"])
    axes.set_xscale("log")
    axes.set_xticks(alphas, [f"{a:g}" for a in alphas], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("alpha")
    axes.grid(axis="y")


def _named(name: str, value: Any) -> str:
    return f"N = {value}" if name == "neighbours" else f"{name} {value}"
