"""A comparison of several benchmarks in words: tables for a terminal, and what captions say."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rlnas.analysis.comparison import captions
from rlnas.analysis.comparison.measures import Row
from rlnas.analysis.comparison.several.measures import EVERYWHERE, Ground, Several
from rlnas.analysis.comparison.table import COLUMNS, against, interval, once
from rlnas.analysis.text import aligned, number


def text(several: Several) -> str:
    """What was compared; scores by queries; against the reference; after the last query, on each
    benchmark too; and what it all means."""
    parts = [finding(several), about(several), "", by_queries(several), ""]
    if several.reference is not None and len(several.entrants) > 1:
        lines = against(several.of(EVERYWHERE), several.reference, "score", 1.0)
        parts += [f"Against {several.reference}", "", lines, ""]
        here = f"Score less {several.reference}'s on each benchmark"
        parts += [f"{here}, after {several.budget:,} queries", "", apart(several, "difference"), ""]
        parts += [f"{here}, anytime", "", apart(several, "anytime_difference"), ""]
    parts += [f"After {several.budget:,} queries", "", at_the_end(several), ""]
    notes = captions_of(several)
    if any("[-]" in part for part in parts):
        notes.append(captions.NO_INTERVAL)
    return "\n".join([*parts, *(textwrap.fill(note, COLUMNS) for note in notes)])


def finding(several: Several) -> str:
    """Who leads, in a sentence."""
    rows = {row["agent"]: row for row in several.of(EVERYWHERE)}  # the last query's
    where = f"at {several.budget:,} queries on {len(several.grounds)} benchmarks"
    said = "" if not several.leaders else interval(rows[several.leaders[0]], "score_iqm", 1.0)
    return captions.finding(several.leaders, several.entrants, where, f"score {said}")


def about(several: Several) -> str:
    """What was searched, in a phrase."""
    names = ", ".join(ground.name for ground in several.grounds)
    noise = sorted({str(g.manifest["benchmark"].get("noise")) for g in several.grounds})
    seeds = captions.seeds_of(several.entrants)
    return (
        f"{names}; noise policy {' and '.join(noise)}, {several.budget:,} queries a run, {seeds} "
        "on each benchmark"
    )


def by_queries(several: Several) -> str:
    """Scores over all benchmarks."""
    rows = several.of(EVERYWHERE)
    kinds = {"score, IQM": "score_iqm", "score, mean": "score_mean"}
    lines = [
        [count, row["agent"], *(interval(row, key, 1.0) for key in kinds.values())]
        for count, row in zip(once(rows), rows, strict=True)
    ]
    return aligned([["queries", "agent", *kinds], *lines], {0})


def apart(several: Several, key: str) -> str:
    """Paired differences to the reference after the last query, over all benchmarks and on each."""
    last = ends(several)
    others = [entrant.label for entrant in several.entrants if entrant.label != several.reference]
    lines = [[x, *(interval(of[x], key, 1.0) for of in last.values())] for x in others]
    return aligned([["agent", *last], *lines], set())


def ends(several: Several) -> dict[str, dict[str, Row]]:
    """Each agent's row after the last query: of all benchmarks together, then of each."""
    names = (EVERYWHERE, *(ground.name for ground in several.grounds))
    return {name: {row["agent"]: row for row in several.of(name)} for name in names}


def at_the_end(several: Several) -> str:
    """What a run comes to, and the score on each benchmark."""
    last = ends(several)
    solved = all(ground.known for ground in several.grounds)
    learned = any(entrant.learned for entrant in several.entrants)
    header = ["agent", "anytime score", "worst tenth", *(["at optimum"] if solved else [])]
    header += ["look-ups before"] if learned else []
    header += [f"on {ground.name}" for ground in several.grounds]
    lines = []
    for label, row in last[EVERYWHERE].items():
        line = [label, *(interval(row, key, 1.0) for key in ("anytime", "worst_tenth"))]
        line += [f"{number(row['at_optimum'], 100.0, 1)} %"] if solved else []
        line += [f"{row['pretraining_lookups']:,.0f}"] if learned else []
        line += [interval(last[g.name][label], "score_iqm", 1.0) for g in several.grounds]
        lines.append(line)
    return aligned([header, *lines], {header.index(x) for x in NUMBERS if x in header})


NUMBERS = ("at optimum", "look-ups before")
"""Columns that stand to the right."""


def scale(grounds: Sequence[Ground]) -> str:
    """What 0 and 1 are, in a sentence or two."""
    said = (
        "Score: on each benchmark, of what the incumbent (the best by validation so far) is "
        "reported as; 0 is the mean of random search after as many queries, 1 the best there is"
    )
    unknown = [ground.name for ground in grounds if not ground.known]
    if unknown:
        said += f" (on {', '.join(unknown)}, where that is unknown, the best that any agent here "
        said += "looked up)"
    ends = [f"{g.name} {100 * g.best:.2f} % {g.manifest['reports']}" for g in grounds]
    return f"{said}: {', '.join(ends)}."


def resampled(several: Several) -> str:
    """How intervals were made, in a phrase."""
    over = "seeds are drawn again within each benchmark"
    if captions.pooled(several.entrants):
        over += "; of several trainings the trainings, the same ones on all benchmarks, and seeds "
        over += "within them"
    return f"95 % stratified bootstrap intervals ({over}; what scores 0 and 1 is taken as known)"


def captions_of(several: Several) -> list[str]:
    """What stands under the tables, a paragraph each."""
    said = [
        f"{scale(several.grounds)} Interquartile means and means of the runs on all benchmarks, "
        f"which count the same, with {resampled(several)}."
    ]
    if several.reference is not None and len(several.entrants) > 1:
        said.append(
            "Difference: of scores, mean over benchmarks and over pairs of runs with the same "
            f"seed. P(better): of any run against any of {several.reference} on the same "
            "benchmark, a tie counts as half. p: of no difference, two-sided, adjusted for all "
            "lines (Holm)."
        )
    said.append("Anytime: the score, mean over the queries. Worst tenth: mean of these runs.")
    for ground in several.grounds:
        said += captions.remarks(ground.measured, f" on {ground.name}")
    return said + captions.trained(several.entrants)


def foot(several: Several) -> str:
    """Under the figure: what the numbers are and how its lines were made."""
    return (
        f"A query looks one architecture up instead of training it. {scale(several.grounds)} "
        "Lines: interquartile means of runs, left of all benchmarks together; bands: "
        f"{resampled(several)}. " + " ".join(captions.trained(several.entrants))
    ).rstrip()
