"""The figure of `rlnas reproduce`: theirs beside ours, a panel a study."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis.reproduce.measures import Reproduced
from rlnas.analysis.reproduce.studies import Study
from rlnas.analysis.reproduce.text import MEASURES, total
from rlnas.analysis.style import RC, blank

OURS, THEIRS = "#0072B2", "#D55E00"
ROW, HEAD = 0.28, 1.1  # inches


def figure(checked: Sequence[tuple[Study, Sequence[Reproduced]]]) -> Figure:
    """Studies with something to show, at their last point; a line an agent."""
    shown = [(study, [row for row in rows if row.ours]) for study, rows in checked]
    shown = [(study, rows) for study, rows in shown if rows]
    heights = [HEAD + ROW * len(rows) for _, rows in shown]
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(8, 0.9 + sum(heights)), layout="constrained")
        panels = drawn.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (study, rows) in zip(panels, shown, strict=True):
            y = np.arange(len(rows))
            last = [row.ours[-1] for row in rows]
            mine = np.array([x.value for x in last])
            ends = np.abs(np.array([[x.low, x.high] for x in last]).T - mine)
            said = np.array([np.nan if (v := row.row.values[-1]) is None else v for row in rows])
            axes.errorbar(
                mine, y, xerr=ends, fmt="o", color=OURS, capsize=3,
                label="ours, mean and 95 % interval",
            )  # fmt: skip
            axes.plot(
                said, y, "D", color=THEIRS, markerfacecolor="none", markersize=8, label="theirs"
            )
            axes.set_yticks(y, [row.row.said for row in rows])
            axes.set_ylim(len(rows) - 0.5, -0.5)
            what = MEASURES[study.measure]
            axes.set_xlabel(f"{what[0].upper()}{what[1:]}, {study.points[-1]:,g} {study.unit}")
            axes.set_title(study.name, loc="left", fontweight="bold")
            axes.grid(True, axis="x")
        panels[0].legend(loc="lower left", bbox_to_anchor=(0.35, 1.0), ncols=2)
        drawn.suptitle(
            textwrap.fill(total(checked), 80), x=0.01, ha="left", fontsize=12, fontweight="bold"
        )
    return drawn
