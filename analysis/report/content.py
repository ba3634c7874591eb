"""What a page says of a comparison: everything in it, as texts and numbers."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlnas.analysis import store
from rlnas.analysis.comparison import captions
from rlnas.analysis.comparison.figure import by_queries, by_seconds, subtitle
from rlnas.analysis.comparison.measures import Measured, Row, measure
from rlnas.analysis.comparison.panels import Curve
from rlnas.analysis.comparison.table import interval, p_value, title_of
from rlnas.analysis.report.drawings import line_of
from rlnas.analysis.report.found import found
from rlnas.analysis.store import Run
from rlnas.analysis.style import styles_of
from rlnas.analysis.text import humanise, number
from rlnas.bench.names import visible

Json = dict[str, Any]


def of_ground(runs: Sequence[Run], number_of: int, reference: str = "", opened: Any = None) -> Json:
    """A section: the runs of one benchmark, noise policy and budget. number_of: of the section.
    opened: the benchmark, where its name does not open it."""
    measured = measure(runs, reference)
    manifest = measured.manifest
    name = visible(str(manifest["benchmark"]["name"]))
    queries = manifest["budget"]
    return {
        "id": f"ground{number_of}",
        "name": name,
        "question": (
            f"Which agent finds the best architecture of {name} with {queries:,} "
            f"{'queries' if queries > 1 else 'query'}?"
        ),
        "answer": f"{title_of(measured)}.",
        "under": subtitle(measured),
        "notes": captions.notes(measured),
        "foot": captions.foot(measured),
        "agents": agents(measured),
        "chart": chart(measured),
        "table": table(measured),
        "before": before(measured),
        "found": found(measured.entrants, opened),
        "provenance": provenance(measured),
    }


def agents(measured: Measured) -> list[Json]:
    """A legend entry each."""
    styles = styles_of({e.label: e.manifest["agent"] for e in measured.entrants})
    return [
        {"label": visible(e.label), "seeds": e.seeds, **line_of(styles[e.label])}
        for e in measured.entrants
    ]


def chart(measured: Measured) -> Json:
    """The curves of a section: by queries, and by simulated time where it is known; and the
    performance profiles. Percent."""
    styles = styles_of({e.label: e.manifest["agent"] for e in measured.entrants})
    queries = by_queries(measured.entrants, styles)
    timed, unit = by_seconds(measured.entrants, styles)
    optimum = measured.manifest["optimum"]
    known = {curve.label: curve for curve in timed}
    profile = measured.profile
    return {
        "reports": visible(str(measured.manifest["reports"])),
        "optimum": None if optimum is None else round(100 * optimum, 6),
        "unit": unit,
        "agents": [
            {
                **agent,
                "queries": curve_of(curve),
                "time": curve_of(known[curve.label]) if curve.label in known else None,
                "profile": numbers(100 * np.array(profile["share"][curve.label]["value"]))
                if profile
                else None,
            }
            for agent, curve in zip(agents(measured), queries, strict=True)
        ],
        "levels": numbers(100 * np.array(profile["at_least"])) if profile else [],
    }


def curve_of(curve: Curve) -> Json:
    value, low, high = (100 * np.asarray(end, float) for end in curve.band)
    low, high = (np.where(np.isnan(end), value, end) for end in (low, high))
    return {"x": numbers(curve.x), "y": numbers(value), "low": numbers(low), "high": numbers(high)}


def numbers(values: Any) -> list[float | None]:
    """As JSON has them: nothing for NaN."""
    return [None if x != x else round(float(x), 5) for x in np.asarray(values, float).tolist()]


COLUMNS = (
    ("agent", "Agent", ""),
    ("queries", "Queries", ""),
    ("accuracy_iqm", "", " (%)"),
    ("regret_iqm", "Regret", " (points)"),
    ("validation_iqm", "Validation", " (%)"),
    ("difference", "Difference", " (points)"),
    ("improvement", "P(better)", ""),
    ("p_holm", "p", ""),
    ("at_optimum", "At optimum", " (%)"),
    ("distinct_queries_mean", "Distinct", ""),
    ("simulated_seconds_mean", "Sim. time", ""),
    ("pretraining_lookups", "Look-ups before", ""),
)
PERCENT = ("accuracy_iqm", "regret_iqm", "validation_iqm", "difference", "at_optimum")


def table(measured: Measured) -> Json:
    """Header, and lines of (text, what it is sorted by); columns without anything are left out."""
    always, reports = ("agent", "queries"), str(measured.manifest["reports"]).capitalize()
    titles = {key: f"{title or visible(reports)}{unit}" for key, title, unit in COLUMNS}
    there = [
        key
        for key in titles
        if key in always or any(row.get(key) not in (None, 0) for row in measured.rows)
    ]
    if reports.startswith("Validation"):  # which is what is reported
        there.remove("validation_iqm")
    return {
        "columns": [{"title": titles[key], "number": key != "agent"} for key in there],
        "rows": [
            {
                "queries": row["queries"],
                "cells": [{"text": cell(row, key), "sort": sorted_by(row, key)} for key in there],
            }
            for row in measured.rows
        ],
        "queries": sorted({row["queries"] for row in measured.rows}),
        "reference": measured.reference,
    }


def cell(row: Row, key: str) -> str:
    value = row.get(key)
    if key == "agent":
        return visible(str(value))
    if key == "p_holm":
        return p_value(value)
    if key == "at_optimum":
        return number(value, 100.0, 1)
    if key == "simulated_seconds_mean":
        return humanise(value)
    if f"{key}_low" in row:
        return interval(row, key, 100.0 if key in PERCENT else 1.0)
    return "-" if value is None else f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def sorted_by(row: Row, key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value)


def before(measured: Measured) -> list[str]:
    """What was looked up before the searches, a sentence each."""
    said = captions.trained(measured.entrants)
    if len(said) < len(measured.entrants):
        who = [e.label for e in measured.entrants if not e.learned]
        said.append(f"{', '.join(who)}: nothing was looked up before a search.")
    return [visible(sentence) for sentence in said]


def provenance(measured: Measured) -> Json:
    """Where the numbers come from, and the command that makes them again."""
    manifest = measured.manifest
    runs = [run for entrant in measured.entrants for run in entrant.runs]
    return {
        "command": command(runs),
        "facts": [
            (key, text_of(value)) for key, value in manifest["benchmark"].items() if key != "about"
        ],
        "runs": [
            {
                "label": visible(run.label),
                "hash": run.manifest["hash"],
                "code": run.manifest["code"],
                "history": run.manifest["history_sha256"],
                "created": run.manifest["created"],
                "seconds": number(run.manifest["wall_seconds"], digits=1),
                "versions": ", ".join(f"{k} {v}" for k, v in run.manifest["versions"].items()),
                "settings": text_of(run.manifest["config"]),
            }
            for run in runs
        ],
        "versions": ", ".join(f"{name} {version}" for name, version in store.versions().items()),
    }


def text_of(value: Any) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def word_of(run: Run) -> str:
    """An agent as `--agents` takes it, with the settings of one that has a label of its own."""
    agent, config = run.manifest["agent"], run.manifest["config"]
    if run.label == agent or run.label.startswith(f"{agent}:"):
        return run.label
    options = ",".join(f"{key}={spelled(value)}" for key, value in config.items())
    return f"{run.label}={agent}{options and f':{options}'}"


def spelled(value: Any) -> str:
    """As a word has it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def command(runs: Sequence[Run]) -> str:
    """The command line that searches again."""
    first = runs[0].manifest
    about = first["benchmark"]
    words = ["rlnas", "compare", "--benchmark", str(about["name"])]
    words += ["--agents", *dict.fromkeys(map(word_of, runs))]
    seeds = max(run.manifest["seeds"] for run in runs)
    words += ["--budget", str(first["budget"]), "--seeds", str(seeds)]
    words += ["--seed", str(first["seed"]), "--noise", str(about.get("noise", "mean"))]
    words += ["--epochs", str(about["epochs"])] if about.get("epochs") is not None else []
    return visible(shlex.join(words))
