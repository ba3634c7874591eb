"""How every figure looks, and how it is saved. Matplotlib's global state is left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from rlnas.bench.files import atomic_path

Style = tuple[str, Any, str]
"""Colour, dashes, marker."""

# Okabe and Ito's palette, ordered so that neighbours differ in lightness too; each comes with its
# own dashes and marker, so that no curve depends on its colour. Random search is black and dotted
# in every figure.
REFERENCE_STYLE: Style = ("#000000", (0, (1.2, 1.6)), "o")
STYLES: tuple[Style, ...] = (
    ("#E69F00", "-", "s"),
    ("#0072B2", (0, (6, 1.5)), "^"),
    ("#D55E00", "-", "D"),
    ("#009E73", (0, (5, 1.5, 1.2, 1.5)), "v"),
    ("#CC79A7", (0, (3, 1.2)), "P"),
    ("#56B4E9", (0, (3, 1.2, 1, 1.2, 1, 1.2)), "X"),
    ("#777777", "-", "*"),
)
RC: dict[Any, Any] = {
    "svg.hashsalt": "rlnas",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.edgecolor": "#444444",
    "axes.linewidth": 0.8,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "xtick.labelcolor": "#222222",
    "ytick.labelcolor": "#222222",
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.9,
    "lines.markersize": 5,
    "legend.frameon": False,
}


def handle(style: Style) -> Line2D:
    """The line of a style, for a legend."""
    colour, dashes, marker = style
    return Line2D(
        [],
        [],
        color=colour,
        linestyle=dashes,
        marker=marker,
        markeredgecolor="white",
        markeredgewidth=0.6,
    )


def plain_ticks(axis: Axis) -> None:
    """1, 2, 5, 10, ... instead of powers of ten, closer over less than a decade; no minor ticks."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high > 10 * low else (1, 1.5, 2, 3, 5, 7)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())


def save(figure: Figure, folder: Path) -> list[Path]:
    """`figure.png` (150 dots an inch) and `figure.svg` in `folder`; equal figures are equal
    bytes."""
    paths = [folder / "figure.png", folder / "figure.svg"]
    with matplotlib.rc_context(RC):
        for path in paths:
            dated = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            with atomic_path(path) as temporary:
                figure.savefig(temporary, dpi=150, metadata=dated, facecolor="white")
    return paths
