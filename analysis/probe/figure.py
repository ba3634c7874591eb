"""The figure of `rlnas probe`: what is found under true and under wrong answers."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.panels import Curve, draw_panel, limits
from rlnas.analysis.probe.measures import Probe, mean
from rlnas.analysis.probe.text import sentences
from rlnas.analysis.probe.variants import AS_IT_IS, CHANCE, INVERTED, PERMUTED, TWIN
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, Style, handle

DRAWN: dict[str, Style] = {
    AS_IT_IS: STYLES[1],
    PERMUTED: STYLES[2],
    INVERTED: STYLES[3],
    TWIN: STYLES[6],
    CHANCE: REFERENCE_STYLE,
}


def figure(found: Probe) -> Figure:
    """Anytime curves: validation accuracy of the best asked so far, true values, means over seeds
    with bands of 95 %."""
    shown = {what: style for what, style in DRAWN.items() if what in found.curves}
    places = curves.thin(found.counts[-1])
    with matplotlib.rc_context(RC):
        drawn = Figure(figsize=(8, 4.8), layout="constrained")
        FigureCanvasAgg(drawn)
        axes = drawn.subplots()
        lines = [
            Curve(what, style, places + 1.0, mean(found.curves[what][:, places]))
            for what, style in shown.items()
        ]
        draw_panel(axes, lines, "accuracy", None, log_x=False)
        limits(axes, "accuracy", lines, None)
        axes.set_xlim(0, found.counts[-1] * 1.01)
        axes.set_xlabel("Queries")
        axes.set_ylabel("Validation accuracy of the best asked (%)\ntrue values")
        drawn.legend(
            handles=[handle(style) for style in shown.values()],
            labels=[label(found, what) for what in shown],
            loc="outside lower center",
            ncols=3,
            handlelength=3.4,
        )
        title = textwrap.fill(f"{found.benchmark}. {' '.join(sentences(found)[:2])}", 100)
        drawn.suptitle(title, x=0.01, ha="left", fontsize=10, fontweight="bold")
    return drawn


def label(found: Probe, what: str) -> str:
    """A search in the legend, with how much of it is as it was."""
    same = found.row(what).same
    if what == AS_IT_IS:
        return f"{found.agent}, {what}"
    if what == CHANCE or same is None or np.isnan(same):
        return what
    return f"{what}: {100 * same:.0f} % of the queries the same"
