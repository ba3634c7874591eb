"""The learning curve of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, save
from rlnas.analysis.training.data import Row, counts


def write(
    folder: Path,
    agent: str,
    rows: Sequence[Row],
    baselines: Mapping[str, Mapping[str, Sequence[float]]],
    trained_on: str,
    optimum: float,
    reports: str,
) -> list[Path]:
    """`figure.png` and `.svg` in `folder`: the regret of searches with the network of every
    evaluation (their accuracy where the optimum is unknown, NaN), and the loss.

    rows: evaluations, as in `curve.csv`. baselines: name -> {"reported": after so many queries},
    horizontal lines.
    """
    queries = counts(rows[0])
    known = not math.isnan(optimum)

    def shown(value: float) -> float:
        return 100 * (optimum - value if known else value)

    steps = [row["step"] / 1000 for row in rows]
    styles = dict(zip(baselines, [REFERENCE_STYLE, *STYLES], strict=False))
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        *panels, last = figure.subplots(1, len(queries) + 1)
        for i, (axes, count) in enumerate(zip(panels, queries, strict=True)):
            found = [shown(row[f"reported_{count}"]) for row in rows]
            label = f"{agent}, greedy"
            axes.plot(steps, found, color="#0072B2", marker="^", markersize=4, label=label)
            for name, values in baselines.items():
                colour, dashes, _ = styles[name]
                axes.axhline(
                    shown(values["reported"][i]), color=colour, linestyle=dashes, label=name
                )
            axes.set_title(f"after {count} queries")
            axes.set_xlabel("Environment steps (thousands)")
            if known:
                axes.set_ylim(bottom=0)
            axes.grid(axis="y")
        label = (
            f"Regret, {reports}\n(percentage points)"
            if known
            else f"{reports.capitalize()}\nof the incumbent (%)"
        )
        panels[0].set_ylabel(label)
        last.semilogy(steps, [max(row["loss"], 1e-12) for row in rows], color="#0072B2")
        last.set_title("loss")
        last.set_xlabel("Environment steps (thousands)")
        last.grid(axis="y")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        figure.suptitle(f"Learning to search {trained_on}", x=0.01, ha="left", fontweight="bold")
    return save(figure, folder)
