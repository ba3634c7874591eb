"""Columns of costs from a CSV file into a table: latency, energy, whatever was measured elsewhere.

A line is a cell, named as the family's importer reads it, or by a column `arch` as the space writes
it; several lines of a cell, such as its trainings, have to say the same. A column's unit stands in
its header, `raspi4 (ms)` or `latency_ms`, or is said for all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np

from rlnas.bench.cost_columns import MOST_COLUMNS, UNITLESS, valid_column_name
from rlnas.bench.csv_file import Batch, CsvFile, Name, nameless, opened
from rlnas.bench.csv_numbers import Numbers, joined, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.objectives import Column, Objective

UNITS = ("ms", "us", "s", "mj", "j", "kj", "wh", "kwh", "w", "mb", "kb", "gb", "mm2")
SPELLED = {"mj": "mJ", "j": "J", "kj": "kJ", "wh": "Wh", "kwh": "kWh", "w": "W", "mb": "MB"}
SPELLED[UNITLESS] = ""
_UNIT = re.compile(rf"(?P<name>.+?)(?:\s*[(\[](?P<long>.+?)[)\]]|_(?P<short>{'|'.join(UNITS)}))")
DEGENERATE = 100
"""A value that is so many times smaller than its column's median is no measurement of a network:
one whose output does not depend on its input is optimised away (ours)."""
Degenerate = Literal["floor", "exclude", "keep"]


@runtime_checkable
class ColumnTable(Protocol):
    """A table that can take columns."""

    path: Path
    columns: tuple[Column, ...]
    size: int

    def is_cell(self, name: Name) -> bool:
        """Whether a column of the file says which cell a line is."""

    def places(self, file: CsvFile, names: Sequence[Name], batch: Batch) -> np.ndarray:
        """int [n]: the rows of the table that lines are of, -1 for cells that it lacks.
        `UserError` for what is no cell."""

    def save(self, columns: Sequence[Column], out: Path) -> None:
        """The same table with these columns."""


class Wanted(NamedTuple):
    """A column of the file: where, and what it becomes."""

    place: int
    objective: Objective


@dataclass(frozen=True)
class Added:
    """What came of it: a line a column, and what was passed over."""

    lines: tuple[str, ...]
    skipped: tuple[str, ...]


def add_columns(
    table: ColumnTable,
    path: Path,
    out: Path,
    *,
    columns: Sequence[str] = (),
    unit: str = "",
    degenerate: Degenerate = "floor",
    note: str = "",
) -> Added:
    """Write `table` with columns of the CSV file at `path` to `out`; columns of the same names are
    replaced. columns: which, `NAME` or `IN_THE_FILE=NAME`; all that hold numbers by default. unit:
    of those whose header says none. degenerate: what becomes of values that are no measurement
    (`DEGENERATE`): raised to the smallest other one, left out, or kept. note: what they are, for
    captions; default: the file's name. Raises `UserError`; then nothing is written."""
    with opened(path) as file:
        names = file.renamed([entry for entry in columns if "=" in entry])
        wanted = _wanted(file, names, table, columns, unit)
        places: list[np.ndarray] = []
        parts: list[dict[int, Numbers]] = []
        passed: set[int] = set()
        for batch in file.batches():
            places.append(table.places(file, names, batch))
            parts.append({})
            for column in wanted:
                if column.place in passed:
                    continue
                try:
                    parts[-1][column.place] = numbers_of(file, batch, column.place)
                except UserError:
                    if columns:
                        raise
                    passed.add(column.place)
        kept = [column for column in wanted if column.place not in passed]
        if not kept:
            raise UserError(f"{path}: no column of numbers but those that name cells; expected one")
        numbers = {c.place: joined([part[c.place] for part in parts]) for c in kept}
        rows = np.concatenate(places)
        _alike(file, rows, [numbers[column.place] for column in kept])
        made, lines = [], []
        for column in kept:
            x = numbers[column.place]
            x.refuse(file, np.isinf(x.values), "expected a finite number")
            values = np.full(table.size, np.nan, np.float32)
            values[rows[rows >= 0]] = x.values[rows >= 0]
            about = note or f"from {path.name}"
            found, said = _treated(Column(column.objective, values), degenerate, about)
            made.append(found)
            lines.append(said)
    new = {column.objective.name for column in made}
    columns_after = [*(c for c in table.columns if c.objective.name not in new), *made]
    if len(columns_after) > MOST_COLUMNS:
        raise UserError(f"{len(columns_after)} columns; expected at most {MOST_COLUMNS}")
    table.save(columns_after, out)
    return Added(tuple(lines), tuple(file.names[i] for i in sorted(passed)))


def _wanted(
    file: CsvFile, names: Sequence[Name], table: ColumnTable, columns: Sequence[str], unit: str
) -> list[Wanted]:
    """The columns of costs, with what they become."""
    asked = dict(entry.partition("=")[::2] for entry in columns)
    for original in asked:
        if original not in file.names:
            raise UserError(
                f"--columns {original}: no such column; expected some of {', '.join(file.names)}"
            )
    found: list[tuple[int, str, str, str]] = []
    for place, (original, name) in enumerate(zip(file.names, names, strict=True)):
        if table.is_cell(name) or nameless(original) or (asked and original not in asked):
            continue
        match = _UNIT.fullmatch(original.strip())
        own = (match["long"] or match["short"] or "").strip() if match else ""
        short = match["name"].strip() if match else original.strip()
        given = asked.get(original, "")
        found.append((place, given or short, original.strip(), SPELLED.get(own, own)))
    shorts = [short for _, short, _, _ in found]
    wanted = []
    for place, short, original, own in found:
        plain = re.sub(r"[^A-Za-z0-9_.+-]+", "_", original).strip("_")
        called = short if shorts.count(short) == 1 else plain
        wanted.append(Wanted(place, Objective(valid_column_name(called), own or unit)))
    if not wanted:
        raise UserError(f"{file.path}: no column but those that name cells; expected one of costs")
    return wanted


def _alike(file: CsvFile, rows: np.ndarray, columns: Sequence[Numbers]) -> None:
    """`UserError` where two lines say something else of one cell, or none of them is of the
    table's."""
    known = np.flatnonzero(rows >= 0)
    if not len(known):
        raise UserError(f"{file.path}: none of its cells is in the table; expected some")
    _, first, which = np.unique(rows[known], return_index=True, return_inverse=True)
    for numbers in columns:
        values = numbers.values[known]
        differ = np.flatnonzero(~np.isclose(values, values[first[which]], 0, 0, equal_nan=True))
        if len(differ):
            raise UserError(
                f"{file.where(int(numbers.lines[known[differ[0]]]))}: this cell was there before "
                "with another value; expected the same"
            )


def _treated(column: Column, how: Degenerate, source: str) -> tuple[Column, str]:
    """The column without what is no measurement, and what is said of it."""
    values, objective = column.values, column.objective
    known = values[~np.isnan(values)]
    bound = np.median(known) / DEGENERATE if len(known) and known.min() >= 0 else -np.inf
    bad = values < bound
    said = ""
    if bad.any():
        least = float(np.nanmin(np.where(bad, np.nan, values)))
        what = {
            "floor": f"floored at {least:g}, the smallest other",
            "exclude": "excluded",
            "keep": "kept as they are",
        }[how]
        said = f"; {int(bad.sum()):,} degenerate values below {bound:.3g} {what}"
        if how == "floor":
            values = np.where(bad, np.float32(least), values)
        elif how == "exclude":
            values = np.where(bad, np.float32(np.nan), values)
    there = values[~np.isnan(values)]
    span = f"{there.min():g} to {there.max():g}" if len(there) else "nothing"
    line = f"{objective.title}: {len(there):,} values, {span}{said}"
    return Column(replace(objective, about=source + said), values), line


def announced(added: Added, out: Any) -> str:
    """What a user reads."""
    lines = [f"{out}: {len(added.lines)} columns", *added.lines]
    return "\n".join(
        [*lines, *([f"passed over: {', '.join(added.skipped)}"] if added.skipped else [])]
    )
