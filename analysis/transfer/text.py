"""What `rlnas transfer` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rlnas.analysis.stats import Interval
from rlnas.analysis.text import aligned, plain
from rlnas.analysis.transfer.measures import SURE, Cell

WAYS = {"list": "zero-shot", "informed": "informed"}


def text(cells: Sequence[Cell], points: Sequence[int], agent: str, seeds: int) -> str:
    """A matrix for each number of queries, one for what is reported at the end, the sentences."""
    paid = [cell.lookups for cell in cells if cell.lookups]
    said = [
        f"What {agent} gains on a target (columns) by knowing a source (rows), {seeds} searches "
        "each; percentage points with 95 % intervals of the paired difference to searching alone, "
        f"* where p < {SURE} (Holm). Every source has cost {min(paid):,} to {max(paid):,} "
        "look-ups before the search. zero-shot: the source's ranking as a list, the same for every "
        "seed."
    ]
    for queries in points:
        said.append(matrix([c for c in cells if c.queries == queries], queries, "validation"))
    said.append(matrix([c for c in cells if c.queries == points[-1]], points[-1], "reported"))
    return "\n\n".join([*said, *sentences(cells, points, agent)])


def matrix(cells: Sequence[Cell], queries: int, measure: str) -> str:
    """measure: `validation`, or `reported`."""
    targets = list(dict.fromkeys(cell.target for cell in cells))
    there: dict[tuple[str, str, str], Cell] = {
        (cell.way, cell.source, cell.target): cell for cell in cells
    }
    rows = [[f"{measure}, {queries} queries", "", *short(targets)]]
    rows.append(["alone: regret", ""])
    for target in targets:
        alone = there["alone", "", target]
        rows[-1].append(plain(scaled(alone.regret if measure == "validation" else alone.reported)))
    for way, called in WAYS.items():
        for source, name in zip(targets, short(targets), strict=True):
            found = [there.get((way, source, target)) for target in targets]
            rows.append([called, name, *(entry(cell, measure) for cell in found)])
    return aligned(rows, right=range(2, 2 + len(targets)))


def entry(cell: Cell | None, measure: str) -> str:
    if cell is None:
        return "."
    gain = cell.gain if measure == "validation" else cell.reported_gain
    star = "*" if measure == "validation" and cell.verdict else " "
    sign = "+" if gain.value >= 0 else ""
    return f"{sign}{plain(scaled(gain), none='alike')}{star}"


def scaled(interval: Interval) -> Interval:
    """In percentage points."""
    return Interval(*(100 * x for x in interval))


def short(names: Sequence[str]) -> list[str]:
    """Without what all begin with, up to a dash."""
    heads = {name.partition("-")[0] for name in names}
    return [name.partition("-")[2] or name if len(heads) == 1 else name for name in names]


def sentences(cells: Sequence[Cell], points: Sequence[int], agent: str) -> list[str]:
    """How often it helps, and harms, after each number of queries."""
    said = []
    for way, called in (("informed", f"{agent} that knows the source"), ("list", "The list")):
        parts = []
        for queries in points:
            mine = [c for c in cells if c.way == way and c.queries == queries]
            better, worse = (sum(c.verdict == sign for c in mine) for sign in (1, -1))
            parts.append(
                f"after {queries:,} queries better in {better} and worse in "
                f"{worse} of {len(mine)} pairs"
            )
        said.append(f"{called}, against {agent} alone: {'; '.join(parts)}.")
    return said
