"""The learning curve of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rlnas.analysis.comparison.figure import RC, REFERENCE_STYLE, STYLES, save


def write(
    folder: Path,
    rows: Sequence[Mapping[str, float]],
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
    import math

    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = [int(key.removeprefix("val_")) for key in rows[0] if key.startswith("val_")]
    known = not math.isnan(optimum)

    def shown(value: float) -> float:
        return 100 * (optimum - value if known else value)

    steps = [row["step"] / 1000 for row in rows]
    styles = dict(zip(baselines, [REFERENCE_STYLE, *STYLES], strict=False))
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        *panels, last = figure.subplots(1, len(counts) + 1)
        for i, (axes, queries) in enumerate(zip(panels, counts, strict=True)):
            agent = [shown(row[f"reported_{queries}"]) for row in rows]
            axes.plot(steps, agent, color="#0072B2", marker="^", markersize=4, label="dqn, greedy")
            for name, values in baselines.items():
                colour, dashes, _ = styles[name]
                axes.axhline(
                    shown(values["reported"][i]), color=colour, linestyle=dashes, label=name
                )
            axes.set_title(f"after {queries} queries")
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
        last.set_title("loss (weighted Huber)")
        last.set_xlabel("Environment steps (thousands)")
        last.grid(axis="y")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        figure.suptitle(f"Learning to search {trained_on}", x=0.01, ha="left", fontweight="bold")
    return save(figure, folder)
