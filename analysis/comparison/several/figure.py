"""The figure of a comparison of several benchmarks: the score over all of them, and each."""

from __future__ import annotations

import math

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis import stats
from rlnas.analysis.comparison import curves
from rlnas.analysis.comparison.panels import SKIPPED, WIDTH, Curve, draw_panel, framed, limits
from rlnas.analysis.comparison.several.measures import Several
from rlnas.analysis.comparison.several.text import about, finding, foot
from rlnas.analysis.style import RC, styles_of

POINTS, SMALL_POINTS = 60, 40
"""Points of a curve; each is resampled."""
HEIGHT, GAP = 2.1, 0.72  # inches, of a small panel and between them
MOST_ROWS = 3


def figure(several: Several) -> Figure:
    """Left: the score over all benchmarks against queries, interquartile mean with its stratified
    bootstrap interval. Right: the score on each benchmark, on the same axis."""
    grounds, entered = several.grounds, several.entrants
    styles = styles_of({e.label: e.manifest["agent"] for e in entered})
    columns = math.ceil(len(grounds) / MOST_ROWS)
    rows = math.ceil(len(grounds) / columns)
    height = max(3.4, HEIGHT * rows + GAP * (rows - 1))
    with matplotlib.rc_context(RC):
        drawn, inside = framed(
            entered,
            styles,
            title=finding(several),
            under=f"Architecture search on {about(several)}",
            note=foot(several),
            width=WIDTH * (1 + 0.3 * (columns - 1)),
            panels=height + 0.25,
            left=0.78,
        )
        inside["top"] -= 0.25 / drawn.get_figheight()
        grid = drawn.add_gridspec(
            rows, 1 + columns, width_ratios=[1.9, *[1] * columns], wspace=0.09,
            hspace=GAP / HEIGHT, **inside,
        )  # fmt: skip
        whole = drawn.add_subplot(grid[:, 0])
        panels = [
            drawn.add_subplot(grid[i // columns, 1 + i % columns], sharey=whole)
            for i in range(len(grounds))
        ]
        places = late(several.budget, POINTS)
        everywhere = [
            Curve(x, styles[x], places + 1.0, stats.bootstrap([values[places] for values in of]))
            for x, of in several.scores.items()
        ]
        draw_panel(whole, everywhere, "score", None, log_x=True)
        whole.set_title(f"All {len(grounds)} benchmarks", loc="left", fontweight="bold")
        whole.set_ylabel("Score of the incumbent (0: random search, 1: the best there is)")
        places = late(several.budget, SMALL_POINTS)
        shown = list(everywhere)
        for i, (axes, ground) in enumerate(zip(panels, grounds, strict=True)):
            here = [
                Curve(x, styles[x], places + 1.0, stats.bootstrap([of[i][places]]))
                for x, of in several.scores.items()
            ]
            draw_panel(axes, here, "score", None, log_x=True, markers=4)
            shown += here
            axes.set_title(ground.name, loc="left")
            axes.tick_params(labelleft=False)
        limits(whole, "score", shown, None)
        for axes in drawn.axes:
            axes.set_xlabel("Queries")
            axes.plot(
                [places[0] + 1, places[-1] + 1], [0, 0], color="#444444", linewidth=0.8, zorder=1
            )
    return drawn


def late(budget: int, points: int) -> np.ndarray:
    """Where curves are drawn. Not after the first few queries: there a few runs of random search
    are far behind, and nearly everything is far above its mean."""
    places = curves.thin(budget, points)
    return places[places + 1 >= budget / SKIPPED]
