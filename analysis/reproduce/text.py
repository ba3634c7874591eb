"""What `rlnas reproduce` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rlnas.analysis.reproduce.measures import FAR, Reproduced, order
from rlnas.analysis.reproduce.studies import Study
from rlnas.analysis.text import aligned, number

MEASURES = {
    "test": "test value of the incumbent (%)",
    "error": "test error of the incumbent (%)",
    "regret": "test regret of the incumbent (percentage points)",
}


def text(study: Study, rows: Sequence[Reproduced], seeds: int) -> str:
    """A study: theirs, ours with its interval, by how many standard errors ours is higher."""
    points = [f"{point:,g}" for point in study.points]
    where = f"{study.benchmark}, {MEASURES[study.measure]} after {' / '.join(points)} {study.unit}"
    lines = [
        f"{study.name}: {where}",
        f"theirs: {study.source}; means of {study.runs} runs. Ours: {seeds} runs.",
        "",
    ]
    table = [["", "theirs", "ours, at the last with its 95 % interval", "off by", ""]]
    table += [cells(study, row) for row in rows if row.ours]
    if len(table) > 1:
        same, pairs = order(study, rows)
        lines += [aligned(table, right=()), "", f"{same} of {pairs} pairs stand in their order."]
    lines += [f"not checked: {row.row.said}: {row.why}" for row in rows if row.why]
    return "\n".join(lines)


def cells(study: Study, row: Reproduced) -> list[str]:
    """A line of the table."""
    theirs = " ".join("-" if x is None else number(x, digits=study.digits) for x in row.row.values)
    means = [number(x.value, digits=study.digits) for x in row.ours]
    low, high = (number(x, digits=study.digits) for x in row.ours[-1][1:])
    known = [z for z in row.errors if not math.isnan(z)]
    worst = max(known, key=abs)
    said = "agrees" if row.agrees else f"DIFFERS: more than {FAR:g} standard errors"
    return [row.row.said, theirs, f"{' '.join(means)} [{low}, {high}]", f"{worst:+.1f} SE", said]


def total(checked: Sequence[tuple[Study, Sequence[Reproduced]]]) -> str:
    """One line for all."""
    rows = [row for _, rows in checked for row in rows]
    run = [row for row in rows if row.ours]
    agree = sum(row.agrees for row in run)
    return (
        f"{agree} of {len(run)} rows agree within {FAR:g} standard errors; "
        f"{len(rows) - len(run)} could not be checked."
    )
