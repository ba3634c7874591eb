"""The figure of `rlnas probe`: what is found under true and under wrong answers."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.panels import Curve, displayed, draw_panel
from rlnas.analysis.probe.measures import Probe, mean
from rlnas.analysis.probe.text import percent_of, sentences
from rlnas.analysis.probe.variants import AS_IT_IS, CHANCE, INVERTED, PERMUTED, TWIN
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, Style, blank, handle

DRAWN: dict[str, Style] = {
    AS_IT_IS: STYLES[1],
    PERMUTED: STYLES[2],
    INVERTED: STYLES[3],
    TWIN: STYLES[6],
    CHANCE: REFERENCE_STYLE,
}
MISLED = (PERMUTED, INVERTED)
SKIPPED = 0.1
"""Of the queries: see `heights`."""


def figure(found: Probe) -> Figure:
    """Anytime curves: validation accuracy of the best asked so far, true values, means over seeds
    with bands of 95 %."""
    shown = {what: style for what, style in DRAWN.items() if what in found.curves}
    places = curves.thin(found.counts[-1])
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(8, 4.8), layout="constrained")
        axes = drawn.subplots()
        lines = [
            Curve(what, style, places + 1.0, mean(found.curves[what][:, places]))
            for what, style in shown.items()
        ]
        draw_panel(axes, lines, "accuracy", None, log_x=False)
        axes.set_ylim(*heights(lines))
        axes.set_xlim(0, found.counts[-1] * 1.01)
        axes.set_xlabel("Queries")
        axes.set_ylabel("True validation accuracy of the best asked (%)")
        drawn.legend(
            handles=[handle(style) for style in shown.values()],
            labels=[label(found, what) for what in shown],
            loc="outside lower center",
            ncols=2,
            handlelength=3.4,
        )
        title = textwrap.fill(f"{found.benchmark}. {sentences(found)[0]}", 82)
        drawn.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return drawn


def heights(lines: Sequence[Curve]) -> tuple[float, float]:
    """Ends of the y axis: it begins at what is reached after a part of the queries, as the first
    few span most of the range and say least."""
    late = [line.x >= SKIPPED * line.x[-1] for line in lines]
    bands = [displayed(line, "accuracy", None) for line in lines]
    low = min(np.nanmin(band[1][part]) for band, part in zip(bands, late, strict=True))
    high = max(np.nanmax(band[2]) for band in bands)
    room = max(high - low, 0.1)
    return low - 0.04 * room, high + 0.06 * room


def label(found: Probe, what: str) -> str:
    """A search in the legend, with how much of it is as it was."""
    same = found.row(what).same
    if what == AS_IT_IS:
        return f"{textwrap.shorten(found.agent, 40, placeholder='...')}, {what}"
    return f"{what} ({percent_of(same)} of queries the same)" if what in MISLED else what
