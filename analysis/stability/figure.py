"""The figure of `rlnas stability`: a dot a training, over learning rates."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis.stability.measures import REFERENCE, Reference, Trained
from rlnas.analysis.stability.text import sentences
from rlnas.analysis.style import RC, blank, styles_of

WIDTH = 0.5
"""Of a learning rate's dots, in rates."""


def figure(name: str, chance: Reference, found: Sequence[Trained]) -> Figure:
    """Collapsed trainings are hollow; lines are what random search asks and finds."""
    agents = list(dict.fromkeys(one.agent for one in found))
    rates = sorted({one.rate for one in found})
    styles = styles_of(
        {agent: agent.partition(":")[0] for agent in agents} | {REFERENCE: REFERENCE}
    )
    share = WIDTH / len(agents)
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(8, 4.6), layout="constrained")
        axes = drawn.subplots()
        for value, dashes, said in (
            (chance.found, "--", "found by random search"),
            (chance.drawn, ":", "asked by random search, mean"),
        ):
            axes.axhline(100 * value, color="#000000", linestyle=dashes, linewidth=1.2, label=said)
        for one in found:
            place = agents.index(one.agent)
            # Side by side, in the order of the trainings, so that none hides another.
            spread = np.linspace(-0.4, 0.4, len(one.final)) * share
            x = rates.index(one.rate) + (place - (len(agents) - 1) / 2) * share + spread
            colour, _, marker = styles[one.agent]
            for which, filling in ((~one.collapsed, colour), (one.collapsed, "white")):
                axes.plot(
                    x[which], 100 * one.final[which], linestyle="", marker=marker,
                    color=colour, markerfacecolor=filling,
                )  # fmt: skip
        for agent in agents:
            colour, _, marker = styles[agent]
            axes.plot([], [], linestyle="", marker=marker, color=colour, label=agent)
        axes.plot([], [], "o", color="#555555", markerfacecolor="white", label="hollow: collapsed")
        axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        axes.set_xlabel("Learning rate")
        axes.set_ylabel("Validation accuracy of the last queries (%)")
        axes.grid(True, axis="y")
        drawn.legend(loc="outside lower center", ncols=3)
        said = textwrap.fill(f"{name}. {' '.join(sentences(found))}", 88)
        drawn.suptitle(said, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return drawn
