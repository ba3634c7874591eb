"""What `rlnas probe` prints."""

from __future__ import annotations

import textwrap

from rlnas.analysis.comparison.captions import NO_INTERVAL
from rlnas.analysis.probe.measures import Probe, reads
from rlnas.analysis.probe.variants import AS_IT_IS, CHANCE, INVERTED, PERMUTED, TWIN
from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, number, percent, plain, points

COLUMNS = 118
"""Width of a paragraph."""
ANSWERED = (
    "Permuted: every look-up answers with the value of another architecture, by a new permutation "
    "in each run."
)
HASHED = (
    "Permuted: every look-up answers with the value of another architecture, the same one each "
    "time in a run, drawn by a hash of what was asked; without numbers there is no permutation."
)
JUDGED = (
    "Inverted: it answers 1 - v. Whatever an agent was told, what it asked is judged by the true "
    "values: the best by validation among it, mean over runs with 95 % intervals."
)
BESIDE = (
    "Without a search: what as many look-ups buy, those before the search included; a random "
    "forest asks what it predicts best."
)


def text(found: Probe) -> str:
    """What was found, the table, and how to read it."""
    title = (
        f"{found.agent} on {found.benchmark}, {found.counts[-1]:,} queries, {found.seeds:,} runs "
        f"of each: validation accuracy (%) of the best asked after {counts(found)} queries, and "
        f"its {found.reports} after the last"
    )
    notes = [f"{ANSWERED if found.permutes else HASHED} {JUDGED}"]
    notes += [BESIDE] if any(row.same is None for row in found.rows) else []
    rows = table(found)
    notes += [NO_INTERVAL] if "[-]" in rows else []
    finding, title, *notes = (
        textwrap.fill(part, COLUMNS) for part in (" ".join(sentences(found)), title, *notes)
    )
    return "\n".join([finding, "", title, "", rows, "", *notes])


def counts(found: Probe) -> str:
    """The query counts of the columns."""
    return " / ".join(f"{count:,}" for count in found.counts)


def table(found: Probe) -> str:
    """A line a search, then a line a control."""
    paid = any(row.before for row in found.rows)
    rows = [
        ["", *(["before"] if paid else []), "same", *(f"{q:,}" for q in found.counts), "reported"]
    ]
    for row in found.rows:
        same = "-" if row.same is None else f"{number(row.same, 100.0, 1)} %"
        last = (at(row.reported, -1),)
        values = [*(at(row.validation, i) for i in range(len(found.counts))), *last]
        cells = [plain(value, 100.0, "-") for value in values]
        rows.append([row.what, *([f"{row.before:,.0f}"] if paid else []), same, *cells])
    return aligned(rows, right=range(1, 3 if paid else 2))


def at(interval: Interval, place: int) -> Interval:
    """One of the points of an interval of several."""
    return Interval(*(float(x[place]) for x in interval))


def sentences(found: Probe) -> list[str]:
    """Whether it reads its answers, and what it makes of them; the first is the finding."""
    permuted, inverted = (percent_of(found.row(what).same) for what in (PERMUTED, INVERTED))
    if not reads(found):
        return [
            f"{found.agent} asks the same cells whatever the answers are: {permuted} of its "
            f"queries stay when they are permuted, {inverted} when inverted.",
            *beside_the_twin(found),
        ]
    own, misled, chance = (last(found, what) for what in (AS_IT_IS, PERMUTED, CHANCE))
    loss, above = found.difference(PERMUTED, AS_IT_IS), found.difference(PERMUTED, CHANCE)
    fall = {-1: "falls", 1: "RISES", 0: "hardly changes:"}[side(loss)]
    level = {-1: "below", 1: "above", 0: "the level of"}[side(above)]
    return [
        f"{found.agent} reads its answers: {permuted} of its queries stay the same when they are "
        f"permuted, {inverted} when inverted.",
        f"Permuted, the best it asks in {found.counts[-1]:,} queries {fall} from {own} to "
        f"{misled} % validation (difference {points(loss)} points): {level} random search "
        f"({chance}; difference {points(above)}).",
        *beside_the_twin(found),
    ]


def beside_the_twin(found: Probe) -> list[str]:
    """What training was good for."""
    if TWIN not in found.curves:
        return []
    return [
        f"Untrained it finds {last(found, TWIN)} %, trained {last(found, AS_IT_IS)} % (difference "
        f"{points(found.difference(AS_IT_IS, TWIN))} points)."
    ]


def last(found: Probe, what: str) -> str:
    """Validation after the last query, in percent."""
    return percent(at(found.row(what).validation, -1).value)


def side(difference: Interval) -> int:
    """1 or -1 where all of the interval is above or below 0; where there is none, of the value."""
    value, low, high = difference
    if low != low:
        low = high = value
    return int(low > 0) - int(high < 0)


def percent_of(share: float | None) -> str:
    """A share; all of it only where it is all."""
    return (
        f"{number(share, 100.0, 1)} %" if share not in (0, 1) else f"{share:.0%}".replace("%", " %")
    )
