"""How every figure looks, and how it is saved. Matplotlib's global state is left alone."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from rlnas.agents.registry import REGISTRY
from rlnas.bench.files import atomic_path

Style = tuple[str, Any, str]
"""Colour, dashes, marker."""

# Okabe and Ito's palette, ordered so that neighbours differ in lightness too. Colours, dashes and
# markers come round after 7, 5 and 11: no two of 55 styles in a row share dashes and marker, so
# that no curve depends on its colour. Random search is black and dotted in every figure.
REFERENCE_STYLE: Style = ("#000000", (0, (1.2, 1.6)), "o")
COLOURS = ("#E69F00", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#777777")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 1.5)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (3, 1.2)),
    (0, (3, 1.2, 1, 1.2, 1, 1.2)),
)
MARKERS = ("s", "^", "D", "v", "P", "X", "*", "<", "p", ">", "d")
STYLES: tuple[Style, ...] = tuple(
    (COLOURS[i % 7], DASHES[i % 5], MARKERS[i % 11]) for i in range(385)
)
REFERENCE = "random_search"
RC: dict[Any, Any] = {
    "svg.hashsalt": "rlnas",
    "text.parse_math": False,  # a `$` in a label is a `$`
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


class Shown(Figure):
    """A figure that notebooks show by itself, whatever they have set matplotlib to."""

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        with matplotlib.rc_context(RC):
            self.savefig(written, format="png", dpi=110, facecolor="white")
        return written.getvalue()


def blank(**options: Any) -> Shown:
    """An empty figure. options: as of matplotlib's."""
    made = Shown(**options)
    FigureCanvasAgg(made)
    return made


def styles_of(agents: Mapping[str, str]) -> dict[str, Style]:
    """label -> style, of agents by their labels. A registered agent has the style of its place in
    the registry, whoever is drawn beside it; of several variants of it one does, the plain one if
    it is there. The others, and agents that are not registered, have those behind, in order, with
    colours that are not in the figure yet as long as there are any."""
    known = [name for name in ordered_names() if name != REFERENCE]
    places = {REFERENCE: REFERENCE_STYLE} | dict(zip(known, STYLES, strict=False))
    own: dict[str, str] = {}
    for label, agent in agents.items():
        if agent in places and (label == agent or agent not in own):
            own[agent] = label
    found = {label: places[agent] for agent, label in own.items()}
    free = list(STYLES[len(known) :])
    for label in agents:
        if label not in found:
            colours = {style[0] for style in found.values()}
            style = next((style for style in free if style[0] not in colours), free[0])
            free.remove(style)
            found[label] = style
    return found


def ordered_names() -> list[str]:
    """The registered agents, ours first, as they are registered; then those of others, sorted."""
    ours = list(REGISTRY.builtin)
    return [*ours, *(name for name in REGISTRY.names() if name not in ours)]


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
    """1, 2, 5, 10, ... instead of powers of ten, closer over less than a decade, these over more
    than three; no minor ticks."""
    low, high = axis.get_view_interval()
    subs = (1.0,) if high > 1000 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=subs if high > 10 * low else (1, 1.5, 2, 3, 5, 7)))
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
