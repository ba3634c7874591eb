"""The figure of a comparison whose queries may be at any fidelity; with
correlations of fidelities before it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from rlnas.analysis.comparison import captions
from rlnas.analysis.comparison.panels import WIDTH, Curve, draw_panel, framed, limits
from rlnas.analysis.fidelity.measures import Agreement
from rlnas.analysis.rehearsal import called
from rlnas.analysis.seconds.measures import Measured
from rlnas.analysis.style import RC, styles_of
from rlnas.analysis.text import humanise, percent
from rlnas.bench.budgets import Budgets

PANEL_HEIGHT, GAP = 3.1, 0.3
UNITS = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def figure(measured: Measured, agreement: Sequence[Agreement] = ()) -> Figure:
    """Accuracy of the incumbent, and its regret where the optimum is known, against simulated
    seconds, or queries; left of them how the fidelities rank, where that was measured."""
    manifest, entered = measured.manifest, measured.entrants
    styles = styles_of({e.label: e.manifest["agent"] for e in entered})
    size, along = axis_of(measured)
    drawn = [
        Curve(e.label, styles[e.label], measured.grid / size, measured.curves[e.label])
        for e in entered
    ]
    optimum = manifest["optimum"]
    kinds = ["accuracy"] if optimum is None else ["accuracy", "regret"]
    columns = len(kinds) + bool(agreement)
    with matplotlib.rc_context(RC):
        shown, inside = framed(
            entered,
            styles,
            title=title(measured),
            under=subtitle(measured),
            note=note(measured, agreement),
            width=WIDTH * (0.24 + 0.38 * columns),
            panels=PANEL_HEIGHT,
            left=0.78,
        )
        grid = shown.subplots(1, columns, squeeze=False, gridspec_kw=inside | {"wspace": GAP})[0]
        if agreement:
            draw_agreement(grid[0], agreement)
        for axes, kind in zip(grid[-len(kinds) :], kinds, strict=True):
            draw_panel(axes, drawn, kind, optimum, log_x=True)
            axes.set_xlabel(along)
            limits(axes, kind, drawn, optimum)
            said = f"{manifest['reports'].capitalize()} of the incumbent (%)"
            label = textwrap.fill(said, 42) if kind == "accuracy" else "Regret (percentage points)"
            axes.set_ylabel(label)
    return shown


def axis_of(measured: Measured) -> tuple[int, str]:
    """(what one is there, what the axis says)."""
    if not measured.by_seconds:
        return 1, "Queries, at any fidelity"
    size, unit = next((u for u in UNITS if measured.grid[-1] >= 2 * u[0]), UNITS[-1])
    return size, f"Simulated training time ({unit})"


def draw_agreement(axes: Any, agreement: Sequence[Agreement]) -> None:
    """Spearman's correlation with whole trainings, of all architectures and of the best tenth."""
    epochs = np.array([one.epochs for one in agreement], np.float64)
    for name, said, colour, marker in (
        ("all", "all architectures", "#0072B2", "o"),
        ("best", "the best tenth", "#D55E00", "s"),
    ):
        value, low, high = (
            np.array([getattr(one, name)[i] for one in agreement]) for i in (0, 1, 2)
        )
        low, high = (np.where(np.isnan(end), value, end) for end in (low, high))
        axes.errorbar(
            epochs, value, yerr=[value - low, high - value], color=colour, marker=marker,
            capsize=3, label=said,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xticks(epochs, [f"{e:g}" for e in epochs])
    axes.minorticks_off()
    axes.set_ylim(min(0, axes.get_ylim()[0]), 1.02)
    axes.set_xlabel("Epochs")
    axes.set_ylabel("Rank correlation with whole trainings")
    axes.grid(True)
    axes.legend(loc="lower right", fontsize=8.5)


def title(measured: Measured) -> str:
    manifest = measured.manifest
    first = measured.leaders[0] if measured.leaders else ""
    said = percent(measured.last(first)["accuracy_iqm"]) + " %" if first else ""
    spent = f"{manifest.get('budget', 0):,} queries at any fidelity"
    spent = humanise(manifest["seconds"]) if measured.by_seconds else spent
    where = f"after {spent} on {called(manifest['benchmark'])}"
    return captions.finding(measured.leaders, measured.entrants, where, said)


def subtitle(measured: Measured) -> str:
    manifest = measured.manifest
    seeds = captions.seeds_of(measured.entrants)
    return (
        f"{called(manifest['benchmark'])}, fidelities: {said_of(manifest)}; noise policy "
        f"{manifest['benchmark'].get('noise')}, {seeds}"
    )


def budget_of(measured: Measured) -> str:
    if not measured.by_seconds:
        return (
            f"A run makes {measured.manifest['budget']:,} queries; each counts as one, at whatever "
            "fidelity."
        )
    seconds = measured.manifest["seconds"]
    return (
        f"A run ends before the query that would pass its budget of {seconds:,.0f} s, "
        f"{seconds / measured.whole:,.0f} whole trainings of mean length."
    )


def said_of(manifest: dict[str, Any]) -> str:
    found = manifest["fidelities"]
    return Budgets(**found | {"epochs": tuple(found["epochs"])}).caption


def note(measured: Measured, agreement: Sequence[Agreement] = ()) -> str:
    manifest = measured.manifest
    facts = manifest["benchmark"]
    sha = f" (sha256 {facts['sha256'][:12]})" if facts.get("sha256") else ""
    shown = f"mean {manifest['reports']} of its whole training, which no agent sees"
    if not manifest["reports"].startswith("test"):
        shown = f"{manifest['reports']} of its whole training, without noise"
    lines = [
        f"{captions.source(manifest)}{sha}. {budget_of(measured)} Incumbent: the "
        f"best by validation at the highest fidelity seen so far; shown is the {shown}. "
        "Agents that name no fidelity ask whole trainings. Lines: interquartile mean; bands: "
        "95 % bootstrap intervals over seeds."
    ]
    if agreement:
        lines.append(
            f"Left: Spearman's correlation over {agreement[0].architectures:,} architectures, 95 % "
            "bootstrap intervals over them; the best tenth by whole trainings."
        )
    return " ".join([*lines, *captions.trained(measured.entrants)])
