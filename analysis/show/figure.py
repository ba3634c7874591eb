"""The picture of an architecture: its cells, and where its accuracy is among all others."""

from __future__ import annotations

import textwrap

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rlnas.analysis.cells import draw_graph, legend_handles, names_of
from rlnas.analysis.show.data import DRAWN, Seen
from rlnas.analysis.show.text import CELLS, ranks
from rlnas.analysis.style import RC, blank
from rlnas.analysis.text import percent
from rlnas.bench.benchmark import Graphs

WIDTH, CELL, BELOW = 7.2, 1.7, 2.0  # inches
LEFT = 0.1
HERE, NEAR, ALL = "#D55E00", "#0072B2", "#c8c8c8"
SHARE = 0.9
"""Of all, the best so many are drawn: the worst would take up the axis."""


def figure(seen: Seen) -> Figure:
    """Cells above, accuracies below."""
    space = seen.benchmark.space
    cells = len(np.asarray(space.graph(seen.arch).labels)) if isinstance(space, Graphs) else 0
    heights = [CELL] * cells + [BELOW]
    title = ", ".join(f"{percent(seen.own[i][0])} % {kind}" for kind, i in seen.kinds.items())
    words = textwrap.wrap(seen.text, 92, break_long_words=True)
    head = 0.62 + 0.16 * len(words)
    height = head + sum(heights) + 0.42 * len(heights) + 0.65
    with matplotlib.rc_context(RC):
        made = blank(figsize=(WIDTH, height))
        made.text(LEFT, 1 - 0.14 / height, f"{seen.benchmark.name}: {title}", fontsize=12.5,
                  fontweight="bold", va="top")  # fmt: skip
        made.text(
            LEFT, 1 - 0.42 / height, "\n".join(words), fontsize=8.5, color="#333333", va="top"
        )
        grid = made.add_gridspec(
            len(heights), 1, height_ratios=heights, left=LEFT, right=0.97, top=1 - head / height,
            bottom=0.95 / height, hspace=0.42 / (sum(heights) / len(heights)),
        )  # fmt: skip
        used: set[int] = set()
        for i in range(cells):
            axes = made.add_subplot(grid[i, 0])
            used |= draw_graph(axes, space, seen.arch, i, size=11.0)
            if cells > 1:
                axes.set_title(CELLS[i], fontsize=9, loc="left", pad=2)
        last = made.add_subplot(grid[cells, 0])
        distribution(last, seen)
        if used:
            names = names_of(space)
            made.legend(
                legend_handles(used), [names[i] for i in sorted(used)], 
                ncols=3 if len(used) > 4 else len(used),
                loc="lower left", fontsize=8.5, handletextpad=0.2, columnspacing=1.4,
                borderaxespad=0, bbox_to_anchor=(LEFT, last.get_position().y1 + 0.1 / height),
            )  # fmt: skip
    return made


def distribution(axes: Axes, seen: Seen) -> None:
    """How many have which accuracy; ticks are the neighbours', the line is its own."""
    place = max(seen.kinds.values())
    kind = next(kind for kind, i in seen.kinds.items() if i == place)
    own, near = 100 * seen.own[place][0], 100 * seen.neighbours[place]
    values = 100 * seen.everybody[place]
    values, near = values[~np.isnan(values)], near[~np.isnan(near)]
    low = np.quantile(values, 1 - SHARE) if len(values) else np.nan
    low = np.nanmin([low, own])
    axes.hist(values[values >= low], bins=60, color=ALL, linewidth=0)
    top = axes.get_ylim()[1]
    axes.plot(near[near >= low], np.full((near >= low).sum(), -0.06 * top), "|", color=NEAR,
              markersize=9, markeredgewidth=1.2, clip_on=False)  # fmt: skip
    axes.axvline(own, color=HERE, linewidth=2)
    axes.set_ylim(-0.12 * top, top)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_ylabel("Architectures")
    who = "all architectures" if seen.complete else f"{DRAWN:,} architectures at random"
    hidden = int((near < low).sum())
    beyond = f" ({hidden} are further left)" if hidden else ""
    said = f"grey: {who}; ticks: neighbours{beyond}; line: this one"
    axes.set_xlabel(f"{kind[0].upper()}{kind[1:]} (%)\n{said}\n{'; '.join(ranks(seen))}")
    axes.xaxis.label.set_linespacing(1.4)
