"""What a comparison by simulated seconds prints."""

from __future__ import annotations

from rlnas.analysis.seconds.figure import note, subtitle, title
from rlnas.analysis.seconds.measures import Measured
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, humanise, number, points


def text(measured: Measured) -> str:
    manifest = measured.manifest
    regret = manifest["optimum"] is not None
    head = ["after", "agent", f"{manifest['reports']} (%)", *(["regret"] if regret else [])]
    head += ["queries", f"difference to {measured.reference}", "p"]
    lines = [head]
    before = None
    for row in measured.rows:
        after = humanise(row["seconds"]) if row["seconds"] != before else ""
        before = row["seconds"]
        cells = [after, row["agent"], points(interval(row, "accuracy_iqm"))]
        if regret:
            cells.append(number(none(row["regret_iqm"]), 100.0))
        apart = points(interval(row, "difference")) if row["difference"] is not None else "-"
        p = row.get("p_holm")
        cells += [number(row["queries_mean"], digits=0), apart, "-" if p is None else f"{p:.3f}"]
        lines.append(cells)
    width = len(head)
    return "\n".join([
        title(measured), subtitle(measured), "",
        aligned(lines, right=range(2, width)), "",
        note(measured),
        "Differences: means over pairs of runs with the same seed, percentage points; p: "
        "two-sided, adjusted for all lines (Holm).",
    ])  # fmt: skip


def interval(row: dict, name: str) -> Interval:
    return Interval(*(none(row[f"{name}{end}"]) for end in ("", "_low", "_high")))


def none(value: float | None) -> float:
    return float("nan") if value is None else value
