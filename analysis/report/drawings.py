"""Marks, lines and cells as SVG: numbers and paths that a page draws in its own colours."""

from __future__ import annotations

import math
from typing import Any

from rlnas.analysis.cells import colour_of, curved, mark_of, names_of
from rlnas.analysis.graph_layout import place
from rlnas.analysis.style import Style
from rlnas.bench.benchmark import Graphs

WIDTH, HEIGHT, MARGIN = 260.0, 92.0, 14.0
"""Of a cell's drawing; a crowded one is taller."""
APART = 17.0
"""From row to row, at least: marks do not touch."""


def polygon(points: int, inner: float = 0.0) -> str:
    """A regular one with its top up; a star where `inner` is the radius between its points."""
    count = 2 * points if inner else points
    radii = [inner if inner and i % 2 else 1.15 for i in range(count)]
    angles = [2 * math.pi * i / count - math.pi / 2 for i in range(count)]
    corners = zip(radii, angles, strict=True)
    return f"M{'L'.join(f'{r * math.cos(a):.2f} {r * math.sin(a):.2f}' for r, a in corners)}Z"


MARKS = {
    "o": "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0Z",
    "s": "M-.9-.9H.9V.9H-.9Z",
    "^": "M0-1.1L1.1 .8H-1.1Z",
    "v": "M0 1.1L1.1-.8H-1.1Z",
    "<": "M-1.1 0L.8-1.1V1.1Z",
    ">": "M1.1 0L-.8-1.1V1.1Z",
    "D": "M0-1.2L1.2 0L0 1.2L-1.2 0Z",
    "d": "M0-1.2L.7 0L0 1.2L-.7 0Z",
    "P": "M-.4-1.1H.4V-.4H1.1V.4H.4V1.1H-.4V.4H-1.1V-.4H-.4Z",
    "X": "M0-.5L.6-1.1L1.1-.6L.5 0L1.1 .6L.6 1.1L0 .5L-.6 1.1L-1.1 .6L-.5 0L-1.1-.6L-.6-1.1Z",
    "p": polygon(5),
    "*": polygon(5, 0.5),
}
"""Matplotlib's, as paths of about radius 1."""
INK = "#000000"


def line_of(style: Style) -> dict[str, str]:
    """A style of the figures as SVG's attributes; black is the page's own ink."""
    colour, dashes, mark = style
    pattern = "" if dashes == "-" else " ".join(f"{2 * x:g}" for x in dashes[1])
    return {
        "colour": "currentColor" if colour == INK else colour,
        "dash": pattern,
        "mark": MARKS[mark],
    }


def operations(space: Graphs, used: set[int]) -> list[dict[str, str]]:
    """The legend of drawn cells."""
    names = names_of(space)
    return [
        {"name": names[i], "colour": colour_of(i), "mark": MARKS[mark_of(i)]} for i in sorted(used)
    ]


def cell(space: Graphs, arch: Any, number: int = 0) -> tuple[dict[str, Any], set[int]]:
    """A cell to be drawn in WIDTH x HEIGHT, and the operations in it."""
    placed = place(space, arch, number)
    height = max(HEIGHT, 2 * MARGIN + APART * (placed.rows - 1))

    def at(x: float, y: float) -> str:
        across, down = WIDTH - 2 * MARGIN, height - 2 * MARGIN
        return f"{MARGIN + x * across:.1f} {height / 2 + y * down * 1.1:.1f}"

    names = [*names_of(space), "output", *["input"] * space.graph_inputs]
    edges = []
    for route in placed.routes:
        first, *rest = (at(*point) for point in curved(route))
        edges.append(f"M{first}C{' '.join(rest)}")
    vertices = []
    for label, x, y in placed.vertices:
        end = label >= placed.operations
        vertices.append(
            {
                "at": at(x, y),
                "size": 4.0 if end else 7.0,
                "mark": MARKS["s" if end else mark_of(label)],
                "colour": "currentColor" if end else colour_of(label),
                "name": names[label],
            }
        )
    return {"edges": edges, "vertices": vertices, "width": WIDTH, "height": height}, placed.used
