"""The table of a comparison for a terminal, and the phrases that the figure shares with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rlnas.analysis.comparison.measures import Row, rows
from rlnas.analysis.comparison.runs import reference_of
from rlnas.analysis.stats import Interval
from rlnas.analysis.store import Run
from rlnas.analysis.text import aligned, humanise, number, percent, plain

RIGHT = {"queries", "validation %", "distinct", "sim. time", "pre-training look-ups", "unseen %"}


def text(runs: Sequence[Run], table: Sequence[Row] | None = None) -> str:
    """The table for a terminal: a title, aligned columns, and what they mean. table: `rows(runs)`,
    where it is known."""
    table = rows(runs) if table is None else table
    manifest, reference = runs[0].manifest, reference_of(runs)
    learned = any(run.manifest["pretraining"] for run in runs)
    known = manifest["optimum"] is not None
    header = [
        "queries",
        "agent",
        f"{manifest['reports']} %",
        *(["regret (points)"] if known else []),
        "validation %",
    ]
    header += [
        f"P(better than {reference.label})" if reference else "P(better than random)",
        "distinct",
        "sim. time",
    ]
    header += ["pre-training look-ups", "unseen %", "trained on"] if learned else []
    lines: list[list[str]] = []
    for row in table:
        line = [str(row["queries"]) if row["agent"] == table[0]["agent"] else "", row["agent"]]
        line += [
            interval(row, key, 100.0)
            for key in ("accuracy_iqm", *(["regret_iqm"] if known else []))
        ]
        line.append(percent(row["validation_iqm"]))
        if reference is None:
            line.append("no random_search here")
        elif row["agent"] == reference.label:
            line.append("(reference)")
        else:
            line.append(interval(row, "improvement_over_random", 1.0))
        line += [
            number(row["distinct_queries_mean"], 1.0, 1),
            humanise(row["simulated_seconds_mean"]),
        ]
        if learned:
            line += [
                f"{row['pretraining_lookups']:,}",
                number(row["unseen_incumbents"], 100.0, 0),
                row["trained_on"] or "-",
            ]
        lines.append(line)
    columns = aligned([header, *lines], {i for i, name in enumerate(header) if name in RIGHT})
    title = f"{ground(manifest)}, {seeds_of(runs)}"
    notes = [
        "Interquartile means over seeds [95 % bootstrap interval] of the incumbent, the best by "
        "validation so far.",
        "Agents see validation accuracy only, as the noise policy answers it. P counts a tie as "
        "half. Queries include",
        "those asked before; distinct ones and simulated time are means over seeds.",
    ]
    if "[-]" in columns:
        notes.append(
            "[-]: no interval; (nearly) all runs end alike, so resampling them says nothing."
        )
    if learned:
        notes.append("Unseen: runs whose incumbent was never looked up in training.")
    return "\n".join([title, "", columns, "", *notes])


def ground(manifest: dict[str, Any], *, named: bool = True) -> str:
    """What was searched, in a phrase."""
    facts = manifest["benchmark"]
    parts = [str(facts.get("name"))] if named else []
    size = manifest["architectures"]
    parts.append(
        f"{size:,.0f} architectures"
        if size < 1e9
        else f"{size:.2e} architectures".replace("e+", "e")
    )
    parts += [f"{facts['epochs']} epochs"] if facts.get("epochs") is not None else []
    return ", ".join(
        [*parts, f"noise policy {facts.get('noise')}", f"{manifest['budget']:,} queries a run"]
    )


def seeds_of(runs: Sequence[Run]) -> str:
    """How many runs there are of each agent."""
    seeds = sorted({run.manifest["seeds"] for run in runs})
    return f"{' to '.join(f'{n:,}' for n in dict.fromkeys((seeds[0], seeds[-1])))} seeds an agent"


def interval(row: Row, key: str, scale: float) -> str:
    """`value [low, high]` of a measure and its two neighbours in the row; `[-]` without them."""
    if row[key] is None:
        return "-"
    ends = (row[f"{key}_{end}"] for end in ("low", "high"))
    return plain(Interval(row[key], *(math.nan if x is None else x for x in ends)), scale, "-")
