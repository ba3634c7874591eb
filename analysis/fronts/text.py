"""What a comparison of searches for several objectives comes to, for a terminal."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

from rlnas.analysis.comparison import captions
from rlnas.analysis.comparison.table import COLUMNS, interval, once, p_value
from rlnas.analysis.fronts.data import Ground
from rlnas.analysis.fronts.measures import Measured
from rlnas.analysis.text import aligned, number
from rlnas.bench.objectives import Objective

MOST_LINES = 12
"""Points of a front that are printed; of more, some, evenly along it."""


def text(measured: Measured, names: list[str]) -> str:
    """names: the architectures of the front."""
    manifest = measured.manifest
    parts = [title(measured), subtitle(measured), "", by_queries(measured), ""]
    if measured.reference is not None and len(measured.entrants) > 1:
        parts += [f"Against {measured.reference}", "", against(measured), ""]
    parts += [of_front(measured), "", front(measured, names), ""]
    said = notes(measured)
    if any("[-]" in part for part in parts):
        said.append(captions.NO_INTERVAL)
    about = manifest["benchmark"].get("about")
    parts[2:2] = [about] if about else []
    return "\n".join([*parts, *(textwrap.fill(note, COLUMNS) for note in said)])


def title(measured: Measured) -> str:
    """What was found, in a sentence."""
    budget, said = measured.manifest["budget"], ""
    if measured.leaders:
        row = measured.last[measured.leaders[0]]
        said = f"hypervolume {interval(row, 'hypervolume', 100.0)} % of the front's"
    return captions.finding(measured.leaders, measured.entrants, f"at {budget:,} queries", said)


def subtitle(measured: Measured) -> str:
    objectives = ", ".join(objective.name for objective in measured.ground.objectives)
    ground = captions.ground(measured.manifest)
    return f"Search for {objectives} on {ground}, {captions.seeds_of(measured.entrants)}"


def by_queries(measured: Measured) -> str:
    header = ["queries", "agent", "hypervolume (% of the front's)", "IGD+ (x 100)"]
    header += [f"of the front ({len(measured.ground.front)})"]
    lines = [
        [
            count,
            row["agent"],
            interval(row, "hypervolume", 100.0),
            interval(row, "igd_plus", 100.0),
            number(row["found"], digits=1),
        ]
        for count, row in zip(once(measured.rows), measured.rows, strict=True)
    ]
    return aligned([header, *lines], {0, 4})


def against(measured: Measured) -> str:
    rows = [row for row in measured.rows if row["agent"] != measured.reference]
    lines = [
        [count, row["agent"], interval(row, "difference", 100.0), p_value(row["p_holm"])]
        for count, row in zip(once(rows), rows, strict=True)
    ]
    return aligned([["queries", "agent", "difference (points)", "p"], *lines], {0})


def of_front(measured: Measured) -> str:
    ground = measured.ground
    what = "The exact front" if ground.exact else "The front of all that was found"
    count = len(ground.front)
    some = f"; {MOST_LINES} of them" if count > MOST_LINES else ""
    return f"{what}: {count} architectures, hypervolume {ground.volume:.6f}{some}"


def front(measured: Measured, names: list[str]) -> str:
    """Some of it, the knee marked."""
    ground = measured.ground
    points = ground.natural(ground.points[ground.front].copy())
    header = ["", *(heading(objective) for objective in ground.objectives), "architecture"]
    lines = [
        [
            "knee" if i == measured.knee else "",
            *(value(ground, j, points[i, j]) for j in range(points.shape[1])),
            names[i],
        ]
        for i in shown(measured)
    ]
    return aligned([header, *lines], set(range(1, len(ground.objectives) + 1)))


def shown(measured: Measured) -> list[int]:
    """Which points of the front are printed: its ends, its knee, and some between."""
    count = len(measured.ground.front)
    places = np.unique(np.linspace(0, count - 1, min(count, MOST_LINES)).round().astype(int))
    if measured.knee >= 0 and measured.knee not in places:
        places[np.abs(places[1:-1] - measured.knee).argmin() + 1] = measured.knee
    return [int(i) for i in np.unique(places)]


def heading(objective: Objective) -> str:
    return "accuracy %" if objective.unit == "fraction" else objective.title


def value(ground: Ground, place: int, x: float) -> str:
    """In as many digits as tell something."""
    if place == 0:
        return f"{x:.2f}"
    return f"{x:,.0f}" if abs(x) >= 1000 else f"{x:.4g}"


def notes(measured: Measured) -> list[str]:
    ground = measured.ground
    over = "all architectures" if ground.exact else "all that was found by any agent"
    if not ground.exact:
        over += " (the space is too large to know more)"
    said: list[Any] = [
        "Interquartile means over runs [95 % bootstrap interval]. Hypervolume: what a run's "
        "answers dominate, as a share of what the front does; error and costs count from 0, the "
        f"smallest of {over}, to 1, the largest; the reference is (1, ..., 1). IGD+: how far the "
        "front is from them, on that scale. Accuracy is validation accuracy, as queries answered "
        "it; `weighted` restarts its agent with other weights of the objectives, and so splits "
        "the budget.",
    ]
    if measured.reference is not None and len(measured.entrants) > 1:
        said.append(
            "Difference: of the share of hypervolume, mean over pairs of runs with the same seed; "
            "p: of no difference, two-sided, adjusted for all lines (Holm)."
        )
    if measured.knee >= 0:
        said.append("Knee: the point of the front farthest below the line between its ends.")
    sources = [
        f"{objective.name}: {objective.about}"
        for objective in ground.objectives[1:]
        if objective.about.startswith("from ")
    ]
    said += [f"Costs: {'; '.join(sources)}."] if sources else []
    return [*said, *captions.trained(measured.entrants)]
