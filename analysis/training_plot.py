"""The learning curve of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.evaluate import QUERIES
from analysis.plots import RC, REFERENCE_STYLE, STYLES, save


def write(
    folder: Path,
    rows: Sequence[Mapping[str, float]],
    baselines: Mapping[str, Mapping[str, Sequence[float]]],
    trained_on: str,
    optimum: float,
    reports: str,
) -> list[Path]:
    """`figure.png` and `.svg` in `folder`: the regret of searches with the network of every evaluation, and the loss.

    rows: evaluations, as in `curve.csv`. baselines: name -> {"reported": at each of `QUERIES`}, horizontal lines.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    steps = [row["step"] / 1000 for row in rows]
    styles = dict(zip(baselines, [REFERENCE_STYLE, *STYLES], strict=False))
    with matplotlib.rc_context(RC):
        figure = Figure(figsize=(11, 3.4), layout="constrained")
        FigureCanvasAgg(figure)
        *panels, last = figure.subplots(1, len(QUERIES) + 1)
        for i, (axes, queries) in enumerate(zip(panels, QUERIES, strict=True)):
            agent = [100 * (optimum - row[f"reported_{queries}"]) for row in rows]
            axes.plot(steps, agent, color="#0072B2", marker="^", markersize=4, label="dqn, greedy")
            for name, values in baselines.items():
                colour, dashes, _ = styles[name]
                regret = 100 * (optimum - values["reported"][i])
                axes.axhline(regret, color=colour, linestyle=dashes, label=name)
            axes.set_title(f"after {queries} queries")
            axes.set_xlabel("Environment steps (thousands)")
            axes.set_ylim(bottom=0)
            axes.grid(axis="y")
        panels[0].set_ylabel(f"Regret, {reports}\n(percentage points)")
        last.semilogy(steps, [max(row["loss"], 1e-12) for row in rows], color="#0072B2")
        last.set_title("loss (weighted Huber)")
        last.set_xlabel("Environment steps (thousands)")
        last.grid(axis="y")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
        figure.suptitle(f"Learning to search {trained_on}", x=0.01, ha="left", fontweight="bold")
    return save(figure, folder)
