"""The numbers of a comparison at a few query counts: as an aligned table, a tidy CSV and a JSON
summary."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.analysis import stats, store
from rlnas.analysis.comparison import curves
from rlnas.analysis.store import Run
from rlnas.analysis.text import aligned, humanise, number
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path

CHECKPOINTS = (10, 20, 50, 100, 150, 200, 300)
REFERENCE = "random_search"

Row = dict[str, Any]
"""One agent after so many queries. Accuracies and regrets are fractions; None where nothing is
defined."""


def check_comparable(runs: Sequence[Run]) -> None:
    """`UserError` unless all runs are of one benchmark, noise policy and budget, with at least two
    seeds each."""
    if not runs:
        raise UserError(
            "no runs given; expected run folders, or a folder written by `rlnas compare`"
        )
    first = runs[0]
    for run in runs[1:]:
        for what, a, b in differences(first, run):
            raise UserError(
                f"these runs cannot be compared: {what} is {a} in {first.folder} but {b} in "
                f"{run.folder}; "
                "give runs that share benchmark, noise policy and budget"
            )
    for run in runs:
        if run.manifest["seeds"] < 2:
            raise UserError(
                f"{run.folder} has one seed, and an interval needs at least 2; run more seeds"
            )
    labels = [run.label for run in runs]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"two runs are called {label}; give each agent once")


def differences(a: Run, b: Run) -> list[tuple[str, Any, Any]]:
    """What the grounds of two runs disagree in: (what, in a, in b)."""
    facts_a, facts_b = (
        {"budget": run.manifest["budget"]} | run.manifest["benchmark"] for run in (a, b)
    )
    names = ["name", "noise", "epochs", *sorted({*facts_a, *facts_b} - {"name", "noise", "epochs"})]
    found = [(n, facts_a.get(n), facts_b.get(n)) for n in names if facts_a.get(n) != facts_b.get(n)]
    return [("the benchmark" if n == "name" else n, x, y) for n, x, y in found]


def reference_of(runs: Sequence[Run]) -> Run | None:
    """The run of plain random search that the others are measured against."""
    return next((run for run in runs if run.manifest["agent"] == REFERENCE), None)


def checkpoints(budget: int) -> list[int]:
    """10, 20, 50, 100, 150, 200, 300 as far as the budget goes, and the budget itself."""
    return sorted({c for c in CHECKPOINTS if c <= budget} | {budget})


def rows(runs: Sequence[Run]) -> list[Row]:
    """The table, by queries and then in the order of `runs`."""
    at = checkpoints(runs[0].manifest["budget"])
    reference = reference_of(runs)
    against = None if reference is None else curves.incumbent_values(reference.history)
    by_run = [_rows_of(run, at, None if run is reference else against) for run in runs]
    return [column[i] for i in range(len(at)) for column in by_run]


def _rows_of(run: Run, at: Sequence[int], against: np.ndarray | None) -> list[Row]:
    manifest, places = run.manifest, np.asarray(at) - 1
    values = curves.incumbent_values(run.history)
    picked = values[:, places].T
    iqm, mean = (stats.bootstrap([picked], statistic) for statistic in (stats.iqm, stats.mean))
    median = stats.median(picked)
    validation = stats.iqm(
        curves.incumbent_values(run.history, of=np.asarray(run.history.val))[:, places].T
    )
    distinct = curves.distinct(run.history)[:, places].mean(axis=0)
    seconds = curves.elapsed(run.history)[:, places].mean(axis=0)
    optimum = math.nan if manifest["optimum"] is None else manifest["optimum"]
    pretraining = manifest["pretraining"] or {}
    found = []
    for i, queries in enumerate(at):
        better = (
            None
            if against is None
            else stats.probability_of_improvement(picked[i], against[:, queries - 1])
        )
        row = {
            "benchmark": manifest["benchmark"].get("name"),
            "noise": manifest["benchmark"].get("noise"),
            "agent": run.label,
            "seeds": manifest["seeds"],
            "queries": queries,
            "accuracy_iqm": iqm.value[i],
            "accuracy_iqm_low": iqm.low[i],
            "accuracy_iqm_high": iqm.high[i],
            "accuracy_mean": mean.value[i],
            "accuracy_mean_low": mean.low[i],
            "accuracy_mean_high": mean.high[i],
            "accuracy_median": median[i],
            "validation_iqm": validation[i],
            "regret_iqm": optimum - iqm.value[i],
            "regret_iqm_low": optimum - iqm.high[i],
            "regret_iqm_high": optimum - iqm.low[i],
            "regret_mean": optimum - mean.value[i],
            "regret_mean_low": optimum - mean.high[i],
            "regret_mean_high": optimum - mean.low[i],
            "regret_median": optimum - median[i],
            "improvement_over_random": better and better.above.value,
            "improvement_over_random_low": better and better.above.low,
            "improvement_over_random_high": better and better.above.high,
            "equal_to_random": better and better.equal,
            "distinct_queries_mean": distinct[i],
            "simulated_seconds_mean": seconds[i],
            "pretraining_lookups": pretraining.get("lookups", 0),
            "trained_on": pretraining.get("trained_on"),
            "unseen_incumbents": pretraining["unseen_incumbents"][queries - 1]
            if "unseen_incumbents" in pretraining
            else None,
        }
        found.append(store.to_json(row))
    return found


def text(runs: Sequence[Run], table: Sequence[Row]) -> str:
    """The table for a terminal: a title, aligned columns, and what they mean."""
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
            interval(row, key, 100.0, 2)
            for key in ("accuracy_iqm", *(["regret_iqm"] if known else []))
        ]
        line.append(number(row["validation_iqm"], 100.0, 2))
        if reference is None:
            line.append("no random_search here")
        elif row["agent"] == reference.label:
            line.append("(reference)")
        else:
            line.append(interval(row, "improvement_over_random", 1.0, 2))
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
    right = {
        "queries",
        "validation %",
        "distinct",
        "sim. time",
        "pre-training look-ups",
        "unseen %",
    }
    columns = aligned([header, *lines], {i for i, name in enumerate(header) if name in right})
    title = f"{ground(manifest)}, {seeds_of(runs)}"
    notes = [
        "Interquartile means over seeds [95 % bootstrap interval] of the incumbent, the best by "
        "validation so far.",
        "Agents see validation accuracy only, as the noise policy answers it. P counts a tie as "
        "half. Queries include",
        "those asked before; distinct ones and simulated time are means over seeds.",
    ]
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


def interval(row: Row, key: str, scale: float, digits: int) -> str:
    """`value [low, high]`."""
    value, low, high = (
        number(row[name], scale, digits) for name in (key, f"{key}_low", f"{key}_high")
    )
    return value if value == "-" else f"{value} [{low}, {high}]"


def write_csv(path: Path, table: Sequence[Row]) -> None:
    """Tidy: a line an agent and query count; an empty field where a number is not defined."""
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    with atomic_path(path) as temporary:
        temporary.write_text(buffer.getvalue(), encoding="utf-8", newline="")


def summary(runs: Sequence[Run], table: Sequence[Row]) -> dict[str, Any]:
    """The comparison as JSON: what was compared, which runs, how the statistics were made, the
    table."""
    manifest, reference = runs[0].manifest, reference_of(runs)
    return {
        "format": "rlnas-comparison",
        "version": 1,
        "benchmark": manifest["benchmark"],
        "reports": manifest["reports"],
        "optimum": manifest["optimum"],
        "budget": manifest["budget"],
        "reference": reference.label if reference else None,
        "runs": [
            {
                "hash": run.manifest["hash"],
                "agent": run.label,
                "settings": run.manifest["config"],
                "seed": run.manifest["seed"],
                "seeds": run.manifest["seeds"],
                "pretraining": run.manifest["pretraining"],
            }
            for run in runs
        ],
        "statistics": {
            "iqm": "mean of the middle half of the seeds (floor(n/4) cut at either end)",
            "interval": (
                f"{stats.LEVEL:.0%} percentile bootstrap over seeds, {stats.REPLICATES} replicates"
            ),
            "improvement_over_random": "P(X > Y) + P(X = Y)/2 over all pairs of seeds",
        },
        "table": list(table),
    }
