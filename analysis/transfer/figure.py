"""The figure of `rlnas transfer`: heat maps, a source a row and a target a column."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis.style import RC, blank
from rlnas.analysis.text import percent
from rlnas.analysis.transfer.measures import Cell
from rlnas.analysis.transfer.text import WAYS, sentences, short

COLOURS = "RdBu"
"""Blue where it helps."""
DARK = 0.65
"""Beyond it, of colours from -1 to 1, text is white."""


def figure(cells: Sequence[Cell], points: Sequence[int], agent: str) -> Figure:
    """A row of maps for each number of queries. Colours do not depend on a target's scale: the
    share of the regret that is left alone which knowing the source removes. Numbers are percentage
    points."""
    targets = list(dict.fromkeys(cell.target for cell in cells))
    names = [textwrap.fill(name, 12, break_long_words=False) for name in short(targets)]
    height = 0.5 + 0.42 * len(targets)
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(9.5, 1.4 + (height + 0.5) * len(points)), layout="constrained")
        panels = drawn.subplots(len(points), len(WAYS), squeeze=False, sharex=True, sharey=True)
        for row, queries in zip(panels, points, strict=True):
            for axes, (way, called) in zip(row, WAYS.items(), strict=True):
                shown = {
                    (c.source, c.target): c for c in cells if (c.way, c.queries) == (way, queries)
                }
                image = panel(axes, shown, {t: alone(cells, t, queries) for t in targets}, targets)
                axes.set_title(f"{called}, {queries} queries", loc="left", fontweight="bold")
                axes.set_xticks(range(len(targets)), names, rotation=20, ha="right")
                axes.set_yticks(range(len(targets)), names)
            row[0].set_ylabel("source")
        for axes in panels[-1]:
            axes.set_xlabel("target")
        drawn.colorbar(image, ax=panels, shrink=0.8, label="share of regret removed")
        said = sentences(cells, points, agent)[0]
        note = (
            "Numbers: gain in validation over searching alone, percentage points, * p < 0.05 "
            "(Holm). Diagonal: regret alone."
        )
        drawn.suptitle(textwrap.fill(said, 100), x=0.01, ha="left", fontsize=10, fontweight="bold")
        drawn.supxlabel(note, x=0.01, ha="left", fontsize=8.5, color="#444444")
    return drawn


def alone(cells: Sequence[Cell], target: str, queries: int) -> Cell:
    """The searches of a target that know nothing."""
    return next(c for c in cells if (c.way, c.target, c.queries) == ("alone", target, queries))


def panel(axes: Any, there: dict[Any, Cell], without: dict[str, Cell], targets: list[str]) -> Any:
    """A map. there: by (source, target). without: searches alone, by target."""
    n = len(targets)
    shares = np.full((n, n), np.nan)
    for i, source in enumerate(targets):
        for j, target in enumerate(targets):
            left = without[target].regret.value
            cell = there.get((source, target))
            if cell is None:
                said, colour = percent(left), "#777777"
            else:
                shares[i, j] = share(cell.gain.value, left)
                said = f"{'+' if cell.gain.value >= 0 else ''}{percent(cell.gain.value)}"
                said += "*" if cell.verdict else ""
                colour = "white" if abs(shares[i, j]) > DARK else "#222222"
            axes.text(j, i, said, ha="center", va="center", color=colour, fontsize=9)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return axes.imshow(shares, cmap=COLOURS, vmin=-1, vmax=1, aspect="auto")


def share(gain: float, regret: float) -> float:
    """Of the regret alone, from -1 to 1; 0 where neither is anything."""
    if regret <= 0:
        return float(np.sign(gain))
    return float(np.clip(gain / regret, -1, 1))
