"""What a comparison whose queries may be at any fidelity prints."""

from __future__ import annotations

import math

from rlnas.analysis.seconds.figure import note, subtitle, title
from rlnas.analysis.seconds.measures import Measured
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, humanise, number, points


def text(measured: Measured) -> str:
    manifest = measured.manifest
    regret = manifest["optimum"] is not None
    head = ["after", "agent", f"{manifest['reports']} (%)", *(["regret"] if regret else [])]
    head += [
        "queries" if measured.by_seconds else "spent",
        f"difference to {measured.reference}",
        "p",
    ]
    lines = [head]
    before = None
    for row in measured.rows:
        if measured.by_seconds:
            after, other = humanise(row["seconds"]), number(row["queries_mean"], digits=0)
        else:
            after, other = f"{row['queries']:,} queries", spent(row["seconds_mean"])
        shown = after if after != before else ""
        before = after
        cells = [shown, row["agent"], points(interval(row, "accuracy_iqm"))]
        if regret:
            cells.append(number(none(row["regret_iqm"]), 100.0))
        apart = points(interval(row, "difference")) if row["difference"] is not None else "-"
        p = row.get("p_holm")
        cells += [other, apart, "-" if p is None else f"{p:.3f}"]
        lines.append(cells)
    width = len(head)
    return "\n".join([
        title(measured), subtitle(measured), "",
        aligned(lines, right=range(2, width)), "",
        note(measured),
        "Differences: means over pairs of runs with the same seed, percentage points; p: "
        "two-sided, adjusted for all lines (Holm).",
    ])  # fmt: skip


def spent(seconds: float | None) -> str:
    return "-" if seconds is None or math.isnan(seconds) else humanise(seconds)


def interval(row: dict, name: str) -> Interval:
    return Interval(*(none(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def none(value: float | None) -> float:
    return float("nan") if value is None else value
