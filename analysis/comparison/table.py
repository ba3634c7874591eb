"""The tables of a comparison for a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from itertools import pairwise

from rlnas.analysis.comparison import captions
from rlnas.analysis.comparison.measures import Measured, Row, measure
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import Run
from rlnas.analysis.text import aligned, humanise, number, plain

COLUMNS = 118
"""Width of a paragraph."""


def text(runs: Sequence[Run], measured: Measured | None = None) -> str:
    """What was compared; the agents by queries; against the reference; after the last query; and
    what it all means. measured: `measure(runs)`, where it is known."""
    measured = measure(runs) if measured is None else measured
    manifest = measured.manifest
    title = f"{captions.ground(manifest)}, {captions.seeds_of(measured.entrants)}"
    about = manifest["benchmark"].get("about")
    parts = [title_of(measured), title, *([about] if about else []), "", by_queries(measured), ""]
    if measured.reference is not None and len(measured.entrants) > 1:
        differences = against(measured.rows, measured.reference)
        parts += [f"Against {measured.reference}", "", differences, ""]
    parts += [f"After {manifest['budget']:,} queries", "", at_the_end(measured), ""]
    notes = captions.notes(measured)
    if any("[-]" in part for part in parts):
        notes.append(captions.NO_INTERVAL)
    return "\n".join([*parts, *(textwrap.fill(note, COLUMNS) for note in notes)])


def by_queries(measured: Measured) -> str:
    """Reported accuracy, regret and validation accuracy."""
    manifest = measured.manifest
    kinds = {f"{manifest['reports']} %": "accuracy_iqm"}
    kinds |= {} if manifest["optimum"] is None else {"regret (points)": "regret_iqm"}
    kinds |= {"validation %": "validation_iqm"}
    lines = [
        [count, row["agent"], *(interval(row, key, 100.0) for key in kinds.values())]
        for count, row in zip(once(measured.rows), measured.rows, strict=True)
    ]
    return aligned([["queries", "agent", *kinds], *lines], {0})


def against(rows: Sequence[Row], reference: str, unit: str = "points", scale: float = 100.0) -> str:
    """Paired differences to the reference, and the probability of being better than it."""
    others = [row for row in rows if row["agent"] != reference]
    lines = [
        [
            count,
            row["agent"],
            interval(row, "difference", scale),
            interval(row, "improvement", 1.0),
            p_value(row["p_holm"]),
        ]
        for count, row in zip(once(others), others, strict=True)
    ]
    header = ["queries", "agent", f"difference ({unit})", "P(better)", "p"]
    return aligned([header, *lines], {0})


def at_the_end(measured: Measured) -> str:
    """What a run comes to, and what it costs."""
    manifest = measured.manifest
    known = manifest["optimum"] is not None
    kind = " regret (points)" if known else f" {manifest['reports']} %"
    suffix = "_regret" if known else ""
    beside = measured.reference is not None and len(measured.entrants) > 1
    header = ["agent", f"anytime{kind}"]
    header += [f"anytime accuracy less {measured.reference}'s"] if beside else []
    header += ["worst tenth", *(["at optimum"] if known else [])]
    header += ["distinct", "sim. time"]
    learned = any(entrant.learned for entrant in measured.entrants)
    header += ["look-ups before", "unseen"] if learned else []
    lines = []
    for entrant in measured.entrants:
        row = measured.last(entrant.label)
        line = [row["agent"]]
        line += [interval(row, f"anytime{suffix}", 100.0)]
        line += [interval(row, "anytime_difference", 100.0)] if beside else []
        line += [interval(row, f"worst_tenth{suffix}", 100.0)]
        line += [f"{number(row['at_optimum'], 100.0, 1)} %"] if known else []
        line += [number(row["distinct_queries_mean"], digits=1)]
        line += [humanise(row["simulated_seconds_mean"])]
        if learned:
            unseen = number(row["unseen_incumbents"], 100.0, 0)
            line += [
                f"{row['pretraining_lookups']:,.0f}",
                unseen if unseen == "-" else f"{unseen} %",
            ]
        lines.append(line)
    return aligned([header, *lines], set(range(header.index("worst tenth") + 1, len(header))))


def once(rows: Sequence[Row]) -> list[str]:
    """The query counts, each beside the first of its rows only."""
    counts = [row["queries"] for row in rows]
    return ["" if count == above else str(count) for above, count in pairwise([None, *counts])]


def p_value(p: float | None) -> str:
    """To two significant digits, and no smaller than is said."""
    return "-" if p is None else "< 0.001" if p < 0.001 else f"{p:.2g}"


def title_of(measured: Measured) -> str:
    """What was found, in a sentence: the title of figure and table."""
    budget = measured.manifest["budget"]
    said = ""
    if measured.leaders:
        row = measured.last(measured.leaders[0])
        said = f"{interval(row, 'accuracy_iqm', 100.0)} % {measured.manifest['reports']}"
    where = f"at {budget:,} queries" if budget > 1 else "at one query"
    return captions.finding(measured.leaders, measured.entrants, where, said)


def interval(row: Row, key: str, scale: float) -> str:
    """`value [low, high]` of a measure and its two neighbours in the row; `[-]` without them."""
    if row[key] is None:
        return "-"
    ends = (row[f"{key}_{end}"] for end in ("low", "high"))
    return plain(Interval(row[key], *(math.nan if x is None else x for x in ends)), scale, "-")
