"""The learning curve of a training."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

from rlnas.analysis.style import RC, blank, plain_ticks, save, styles_of
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

    label, *names = [f"{agent}, greedy", *baselines]
    styles = styles_of({label: agent} | {name: name for name in names})
    (own, dashes, marker), middle = styles[label], len(queries) // 2
    steps = [row["step"] / 1000 for row in rows]
    with matplotlib.rc_context(RC):
        figure = blank(figsize=(11, 3.7), layout="constrained")
        *panels, last = figure.subplots(1, len(queries) + 1)
        for i, (axes, count) in enumerate(zip(panels, queries, strict=True)):
            found = [shown(row[f"reported_{count}"]) for row in rows]
            axes.plot(
                steps, found, color=own, linestyle=dashes, marker=marker, markersize=4, label=label
            )
            for name, values in baselines.items():
                colour, broken, _ = styles[name]
                axes.axhline(
                    shown(values["reported"][i]), color=colour, linestyle=broken, label=name
                )
            axes.set_title(f"after {count} queries")
            axes.set_xlabel("Environment steps (thousands)")
            if known:
                axes.set_ylim(bottom=0)
            axes.grid(axis="y")
        measure = (
            f"Regret, {reports}\n(percentage points)"
            if known
            else f"{reports.capitalize()}\nof the incumbent (%)"
        )
        panels[0].set_ylabel(measure)
        losses = [row["loss"] or math.nan for row in rows]  # 0: nothing learnt from so far
        last.plot(steps, losses, color=own)
        if all(x > 0 for x in losses if not math.isnan(x)) and not all(map(math.isnan, losses)):
            last.set_yscale("log")
            plain_ticks(last.yaxis)
        last.set_title("loss")
        last.set_xlabel("Environment steps (thousands)")
        last.grid(axis="y")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        kind = "regret" if known else reports
        end = shown(rows[-1][f"reported_{queries[middle]}"])
        beside = ", ".join(
            f"{name} {shown(values['reported'][middle]):.2f}" for name, values in baselines.items()
        )
        said = (
            f"One training of {agent} on {trained_on}: {kind} {end:.2f} after {queries[middle]} "
            f"queries; {beside}"
        )
        figure.suptitle(textwrap.fill(said, 112), x=0.01, ha="left", fontweight="bold")
    return save(figure, folder)
