"""A CSV file of NAS-Bench-201's or TransNAS-Bench-101's cells becomes a table for each data set or
task in it.

A line is a cell: `arch` (official string or six digits; also `arch_str`), or `idx`, NAS-Bench-201's
index; where both are there they must agree. Its measurements are columns TASK_MEASURE, optionally
with `_best` (the largest over the epochs) and `_repeat0`: `cifar100_val`, `c10v_test_repeat1`,
`class_scene_val_best`, `autoencoder_time_s`. MEASURE: val, valid, validation, test; time, seconds.
Every other column is passed over. How files may be written: `rlnas.bench.csv_file`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlnas.bench.arguments import whole
from rlnas.bench.csv_file import CsvFile, Name, nameless, opened
from rlnas.bench.csv_numbers import Numbers, fractions_of, joined, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once
from rlnas.bench.nb201 import cell, tasks
from rlnas.bench.nb201.cell import Variant
from rlnas.bench.nb201.table import MOST_REPEATS, Table, folder
from rlnas.bench.nb201.tasks import Task
from rlnas.bench.values import by_budget, check_budgets

_MEASURES = {"val": "val", "valid": "val", "validation": "val", "test": "test"}
_MEASURES |= {"time": "seconds", "seconds": "seconds"}
_COLUMN = re.compile(
    rf"(?P<task>.+?)_(?P<measure>{'|'.join(_MEASURES)})(?:_acc(?:uracy)?)?(?:_s)?"
    r"(?P<best>_best)?(?:_repeat_?(?P<repeat>\d+))?"
)
CELL = ("arch", "idx")
_ALIASES = {"arch_ops": "arch", "arch_str": "arch", "arch_index": "idx"}


class Column(NamedTuple):
    """A measurement's column. best: a maximum over the epochs."""

    place: int
    name: Name
    task: Task
    measure: str
    best: bool
    repeat: int


@dataclass(frozen=True)
class Imported:
    """What came of a file. skipped: columns passed over."""

    tables: tuple[Table, ...]
    paths: tuple[Path, ...]
    skipped: tuple[str, ...]


def import_csv(
    path: Path,
    out: Path | None = None,
    *,
    columns: Sequence[str] = (),
    fractions: bool = False,
    epochs: int | None = None,
    values: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Imported:
    """Import `path` (.csv or .csv.gz) into the folder `out`, default the cache folder.

    columns: "IN_THE_FILE=KNOWN_NAME". fractions: accuracies and mean IoU are fractions, where
    percents are expected. epochs: of the trainings, where they are not the benchmark's own. values:
    what a value is, e.g. `mean-of-3`. notes: for the tables' metadata. Cells or values that are not
    there are NaN. Raises `UserError` naming line and column; then nothing is written.
    """
    with opened(path) as file:
        names = file.renamed(columns)
        found = _columns(file, names)
        numbers, measured = _values(file, names, found)
    declared = by_budget(values)
    tables = []
    for task in dict.fromkeys(column.task for column in found):
        own = [(c, x) for c, x in zip(found, measured, strict=True) if c.task == task]
        table = _table(file, task, own, numbers, fractions=fractions, epochs=epochs, notes=notes)
        tables.append(replace(table, values=declared.get(table.epochs, declared.get(None))))
    check_budgets(declared, [table.epochs for table in tables], path)
    for table in tables:
        table.validate(f"{path}: {table.name}")
    out = out or folder()
    paths = tuple(out / f"{table.name}.npz" for table in tables)
    with at_once():
        for table, target in zip(tables, paths, strict=True):
            table.save(target)
    used = {column.place for column in found}
    skipped = tuple(
        original
        for i, (original, name) in enumerate(zip(file.names, names, strict=True))
        if i not in used and cell_column(name) is None and not nameless(original)
    )
    return Imported(tuple(tables), paths, skipped)


def cell_column(name: Name) -> str | None:
    """The column that says which cell a line is, by our name for it."""
    column = _ALIASES.get(name.known, name.known)
    return column if column in CELL else None


def _columns(file: CsvFile, names: Sequence[Name]) -> list[Column]:
    """The measurements' columns, all of one variant."""
    path = file.path
    found: list[Column] = []
    for index, name in enumerate(names):
        match = _COLUMN.fullmatch(name.known)
        task = tasks.of_column(match["task"]) if match else None
        if match and task:
            measure = _MEASURES[match["measure"]]
            column = Column(
                index, name, task, measure, match["best"] is not None, int(match["repeat"] or 0)
            )
            if column.repeat >= MOST_REPEATS:
                raise UserError(
                    f"{path}: {file.names[index]} is repeat {column.repeat}; expected one below "
                    f"{MOST_REPEATS:,}"
                )
            twin = next((c for c in found if (c.task, c.measure, c.repeat) == _what(column)), None)
            if twin:
                raise UserError(
                    f"{path}: columns {file.names[twin.place]} and {file.names[index]} are the "
                    "same measurement; rename the one you do not want with --columns"
                )
            found.append(column)
    if not found:
        raise UserError(
            f"{path}: no column of a known data set or task (found {', '.join(file.names)}); "
            f"expected e.g. cifar100_val; known: {', '.join(task.name for task in tasks.TASKS)}"
        )
    variants = {column.task.variant.title for column in found}
    if len(variants) > 1:
        raise UserError(
            f"{path}: columns of {' and '.join(sorted(variants))}; expected one of them a file"
        )
    if not any(map(cell_column, names)):
        raise UserError(
            f"{path}: no column says which cell a line is; expected one of {', '.join(CELL)}"
        )
    return found


def _what(column: Column) -> tuple[Task, str, int]:
    return column.task, column.measure, column.repeat


def _values(
    file: CsvFile, names: Sequence[Name], found: Sequence[Column]
) -> tuple[np.ndarray, list[Numbers]]:
    """(the lines' cells by number, the columns' numbers)."""
    variant = found[0].task.variant
    order = cell.official_order(variant)
    number_of = {digits: number for number, digits in enumerate(order)}
    which = [(kind, i) for i, name in enumerate(names) if (kind := cell_column(name))]
    line_of: dict[int, int] = {}
    parts = []
    for batch in file.batches():
        for place, line in enumerate(batch.lines):
            where = file.where(line)
            named = [(kind, batch.fields[i][place]) for kind, i in which]
            number = number_of_line(where, variant, number_of, named)
            if number in line_of:
                raise UserError(
                    f"{where}: cell {cell.to_text(variant, order[number])} was line "
                    f"{line_of[number]:,}; expected each cell once"
                )
            line_of[number] = line
        parts.append([numbers_of(file, batch, column.place) for column in found])
    return np.array(list(line_of)), [joined(column) for column in zip(*parts, strict=True)]


def number_of_line(
    where: str,
    variant: Variant,
    number_of: dict[tuple[int, ...], int],
    named: Sequence[tuple[str, str]],
) -> int:
    """The number of the cell of a line; `UserError` when it is none, or two."""
    found: dict[str, int] = {}
    for kind, text in named:
        try:
            if kind == "arch":
                found[kind] = number_of[cell.from_text(variant, text)]
            elif variant is cell.NB201:  # pandas writes 7.0 where a line has none
                text = text.strip().removesuffix(".0")
                found[kind] = whole(text, "idx", most=variant.size - 1)
        except UserError as error:
            raise UserError(f"{where}: {error}") from None
    if len(set(found.values())) != 1:
        said = ", ".join(f"{kind} is number {number}" for kind, number in found.items())
        raise UserError(f"{where}: {said or 'no cell'}; expected the same cell in every column")
    return next(iter(found.values()))


def _table(
    file: CsvFile,
    task: Task,
    own: Sequence[tuple[Column, Numbers]],
    cells: np.ndarray,
    *,
    fractions: bool,
    epochs: int | None,
    notes: Sequence[str],
) -> Table:
    """A task's table of its columns `own`; cells: the number of every line's."""
    measured = [column for column, _ in own if column.measure != "seconds"]
    if len({column.best for column in measured}) > 1:
        raise UserError(
            f"{file.path}: some columns of {task.name} are maxima over the epochs (_best), some "
            "are not; rename those you do not want with --columns"
        )
    repeats = 1 + max(column.repeat for column, _ in own)
    arrays: dict[str, Any] = {
        key: np.full((task.variant.size, repeats), np.nan, np.float32)
        for key in ("val", "test", "seconds")
    }
    said = list(notes)
    for column, numbers in own:
        values = numbers.values
        if column.measure == "seconds":
            numbers.refuse(file, (values < 0) | np.isinf(values), "expected seconds, 0 or more")
        else:
            values, note = to_fractions(file, numbers, column.name, task, fractions)
            said += [f"{column.measure}: {note}"] if note else []
        arrays[column.measure][cells, column.repeat] = values
    best = any(column.best for column in measured)
    return Table(
        task, **arrays, selection="best" if best else "last", epochs=epochs or task.epochs,
        source=file.path.name, notes=tuple(said),
    )  # fmt: skip


def to_fractions(
    file: CsvFile, numbers: Numbers, name: Name, task: Task, fractions: bool = False
) -> tuple[np.ndarray, str]:
    """A column's values in [0, 1], as `Metric` says, and a remark or "". `UserError` for values
    that its unit cannot have."""
    values, metric = numbers.values, task.metric
    if metric.unit == "negative loss":
        numbers.refuse(file, values > 0, "expected negative losses, at most 0")
        known = values[~np.isnan(values)]
        span = f"from {known.min():g} to {known.max():g}" if len(known) else "of nothing"
        return np.exp(values), f"exp of the negative loss, {span}"
    if metric.unit == "percent":
        other = "leave --fractions out" if fractions else "pass --fractions"
        return fractions_of(file, numbers, name, not fractions, other, task.classes), ""
    numbers.refuse(file, (values > 1) | (values < -1), f"expected {metric.name} from -1 to 1")
    below = int((values < 0).sum())
    return np.maximum(values, 0), f"{below} values below 0 count as 0" if below else ""
