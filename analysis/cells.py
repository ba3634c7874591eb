"""An architecture drawn as its graph: an operation is a mark of its own shape and colour, inputs to
the left."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from rlnas.analysis.graph_layout import Point, place
from rlnas.bench.benchmark import Graphs

COLOURS = ("#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#F0E442")
"""Of operations, in the order of their labels; Okabe and Ito's."""
MARKS = ("o", "^", "D", "v", "P", "X", "p")
"""Beside the colours, so that nothing depends on them."""
ENDS = "#444444"


def draw_graph(axes: Axes, space: Graphs, arch: Any, cell: int = 0, size: float = 7.0) -> set[int]:
    """One cell of an architecture; the operations that are in it. size: of a mark, in points."""
    placed = place(space, arch, cell)
    for route in placed.routes:
        points = curved(route)
        line = Path(points, [Path.MOVETO] + [Path.CURVE4] * (len(points) - 1))
        axes.add_patch(
            PathPatch(line, facecolor="none", edgecolor="#999999", linewidth=0.13 * size, zorder=1)
        )
    for label, x, y in placed.vertices:
        end = label >= placed.operations
        axes.plot(
            x, y, marker="s" if end else mark_of(label), zorder=2,
            markersize=0.6 * size if end else size, color=ENDS if end else colour_of(label),
            markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(-0.55, 0.55)
    axes.axis("off")
    return placed.used


def curved(route: tuple[Point, ...]) -> list[Point]:
    """Cubic curves through the points, level at each: the first point, then three a curve."""
    points: list[Point] = [route[0]]
    for (x0, y0), (x1, y1) in pairwise(route):
        middle = (x0 + x1) / 2
        points += [(middle, y0), (middle, y1), (x1, y1)]
    return points


def legend_handles(used: Collection[int]) -> list[Line2D]:
    """Of the operations `used`, ascending."""
    return [
        Line2D([], [], marker=mark_of(label), linestyle="", color=colour_of(label))
        for label in sorted(used)
    ]


def names_of(space: Any) -> list[str]:
    """Of its operations, by label."""
    there = getattr(space, "graph_names", ())[: space.graph_operations]
    return [*there, *(f"operation {i}" for i in range(len(there), space.graph_operations))]


def colour_of(label: int) -> str:
    return COLOURS[label % len(COLOURS)]


def mark_of(label: int) -> str:
    return MARKS[label % len(MARKS)]
