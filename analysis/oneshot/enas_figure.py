"""What `rlnas oneshot enas` shows: its table and its figure."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlnas.analysis.oneshot.choices import ENAS, RANDOM, TABLE, Choice, Report
from rlnas.analysis.style import RC, REFERENCE_STYLE, STYLES, blank
from rlnas.analysis.text import aligned, humanise, percent

COLOURS = {ENAS: STYLES[1][0], RANDOM: REFERENCE_STYLE[0], TABLE: STYLES[0][0]}


def label(choice: Choice) -> str:
    if not choice.trainings:
        return f"{choice.method}, none trained"
    return f"{choice.method}, {choice.trainings} trained"


def text(report: Report, name: str) -> str:
    """What is printed."""
    rows = [("chosen by", "test (%)", "regret (pp)", "searches", "time")]
    for one in report.choices:
        mean = float(np.mean(one.test))
        regret = f"{100 * (report.best - mean):.2f}"
        rows.append((label(one), percent(mean), regret, str(len(one.test)), humanise(one.seconds)))
    ranks = ", ".join(f"{rho:.2f}" for rho in report.spearman)
    drawn = ", ".join(percent(val) for val in report.drawn)
    return "\n".join(
        [
            f"ENAS with the cells of {name}; its trainings are looked up there: they are real ones "
            "of the same recipe.",
            "",
            aligned(rows, {1, 2, 3, 4}),
            "",
            f"Mean validation accuracy in the table: of the cells drawn at the end {drawn} %, of "
            f"all {percent(report.all)} %.",
            f"Among the cells drawn, shared weights and table agree by Spearman {ranks}.",
            f"Mean reward of the first epoch {report.rewards[:, 0].mean():.3f}, of the last "
            f"{report.rewards[:, -1].mean():.3f}. Times: processor time of one thread.",
        ]
    )


def figure(report: Report, name: str) -> Figure:
    """The rewards, and what the choices cost."""
    with matplotlib.rc_context(RC):
        drawn = blank(figsize=(9.5, 4.0), layout="constrained")
        left, right = drawn.subplots(1, 2)
        draw_rewards(left, report)
        draw_choices(right, report)
        drawn.suptitle(finding(report, name), x=0.01, ha="left", fontweight="bold", fontsize=11)
    return drawn


def finding(report: Report, name: str) -> str:
    """In a line, by test regret in points."""
    means = {
        one.method: 100 * (report.best - float(np.mean(one.test)))
        for one in reversed(report.choices)
        if one.trainings
    }
    return (
        f"{name}: ENAS' choice costs {means[ENAS]:.2f} points of test accuracy, a random one "
        f"{means[RANDOM]:.2f}"
    )


def draw_rewards(axes: Axes, report: Report) -> None:
    epochs = np.arange(1, report.rewards.shape[1] + 1)
    for rewards in report.rewards:
        axes.plot(epochs, 100 * rewards, color=COLOURS[ENAS], linewidth=1, alpha=0.7)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Mean reward: accuracy with shared weights (%)")
    axes.set_title("a   The controller's rewards, a line a search", loc="left")
    axes.grid(True)


def draw_choices(axes: Axes, report: Report) -> None:
    for row, one in enumerate(report.choices):
        regret = 100 * (report.best - np.array(one.test))
        axes.barh(row, regret.mean(), 0.6, color=COLOURS[one.method], alpha=0.75, zorder=2)
        time = humanise(one.seconds) if one.seconds else "no time"
        few = len(one.test) <= 10
        end = max(regret) if few else regret.mean()
        axes.text(end, row, f"  {regret.mean():.2f} ({time})", va="center", fontsize=8)
        if few:
            rows = [row] * len(regret)
            axes.scatter(regret, rows, s=18, color="white", edgecolors="black", zorder=3)
    axes.set_yticks(range(len(report.choices)), [label(one) for one in report.choices])
    axes.set_ylim(len(report.choices) - 0.4, -0.6)
    most = max(100 * (report.best - float(np.mean(one.test))) for one in report.choices)
    axes.set_xlim(0, 1.5 * most)
    axes.set_xlabel("Test regret (percentage points)")
    axes.set_title("b   What the choice costs", loc="left")
    axes.grid(True, axis="x")
