"""A CSV file of NAS-Bench-201's or TransNAS-Bench-101's cells becomes a table for each data set or
task in it.

A line is a cell: `arch` (official string or six digits; also `arch_ops`), or `idx`, NAS-Bench-201's
index; where both are there they must agree. Its measurements are columns TASK_MEASURE, optionally
with `_best` (the largest over the epochs) and `_repeat0`: `cifar100_val`, `c10v_test_repeat1`,
`class_scene_val_best`, `autoencoder_time_s`. MEASURE: val, valid, validation, test; time, seconds.
Every other column is passed over.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell, tasks
from rlnas.bench.nb201.cell import Variant
from rlnas.bench.nb201.table import Table, folder
from rlnas.bench.nb201.tasks import Metric, Task

_MEASURES = {"val": "val", "valid": "val", "validation": "val", "test": "test"}
_MEASURES |= {"time": "seconds", "seconds": "seconds"}
_COLUMN = re.compile(
    rf"(?P<task>.+?)_(?P<measure>{'|'.join(_MEASURES)})(?:_acc(?:uracy)?)?(?:_s)?"
    r"(?P<best>_best)?(?:_repeat_?(?P<repeat>\d+))?"
)
_CELL = ("arch", "arch_ops", "idx")


class Column(NamedTuple):
    """A measurement's column. best: a maximum over the epochs."""

    place: int
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
    notes: Sequence[str] = (),
) -> Imported:
    """Import `path` (.csv or .csv.gz) into the folder `out`, default the cache folder.

    columns: "IN_THE_FILE=KNOWN_NAME". fractions: accuracies and mean IoU are fractions, where
    percents are expected. epochs: of the trainings, where they are not the benchmark's own. notes:
    for the tables' metadata. Cells or values that are not there are NaN. Raises `UserError` naming
    line and column; then nothing is written.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a .csv or .csv.gz file")
    with _open(path) as file:
        try:
            reader = csv.reader(file)
            names = _renamed(next(reader, []), columns)
            found = _columns(path, names)
            numbers, values = _values(path, reader, names, found)
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: {error}; expected CSV text in UTF-8 (.gz: gzipped)") from None
    tables = []
    for task in dict.fromkeys(column.task for column in found):
        own = [(i, column) for i, column in enumerate(found) if column.task == task]
        tables.append(
            _table(
                path, task, own, numbers, values, fractions=fractions, epochs=epochs, notes=notes
            )
        )
    for table in tables:
        table.validate(f"{path}: {table.name}")
    out = out or folder()
    paths = tuple(out / f"{table.name}.npz" for table in tables)
    for table, target in zip(tables, paths, strict=True):
        table.save(target)
    used = {column.place for column in found}
    skipped = tuple(n for i, n in enumerate(names) if i not in used and n not in _CELL)
    return Imported(tuple(tables), paths, skipped)


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield file


def _renamed(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    new = {}
    for text in columns:
        old, _, name = text.partition("=")
        if old not in names or not name:
            raise UserError(
                f"--columns {text}: expected IN_THE_FILE=KNOWN_NAME with a column of the file "
                f"({', '.join(names)})"
            )
        new[old] = name
    return [new.get(name, name) for name in names]


def _columns(path: Path, names: Sequence[str]) -> list[Column]:
    """The measurements' columns, all of one variant."""
    found: list[Column] = []
    for index, name in enumerate(names):
        match = _COLUMN.fullmatch(name)
        task = tasks.of_column(match["task"]) if match else None
        if match and task:
            measure = _MEASURES[match["measure"]]
            column = Column(
                index, task, measure, match["best"] is not None, int(match["repeat"] or 0)
            )
            twin = next((c for c in found if (c.task, c.measure, c.repeat) == _what(column)), None)
            if twin:
                raise UserError(
                    f"{path}: columns {names[twin.place]} and {name} are the same measurement; "
                    "rename the one you do not want with --columns"
                )
            found.append(column)
    if not found:
        raise UserError(
            f"{path}: no column of a known data set or task (found {', '.join(names) or 'none'}); "
            f"expected e.g. cifar100_val; known: {', '.join(task.name for task in tasks.TASKS)}"
        )
    variants = {column.task.variant.title for column in found}
    if len(variants) > 1:
        raise UserError(
            f"{path}: columns of {' and '.join(sorted(variants))}; expected one of them a file"
        )
    if not any(name in _CELL for name in names):
        raise UserError(f"{path}: no column says which cell a line is; expected one of {_CELL}")
    return found


def _what(column: Column) -> tuple[Task, str, int]:
    return column.task, column.measure, column.repeat


def _values(
    path: Path, reader: Iterator[list[str]], names: Sequence[str], found: Sequence[Column]
) -> tuple[np.ndarray, np.ndarray]:
    """(the lines' cells by number, float64 [lines, columns])."""
    variant = found[0].task.variant
    number_of = {digits: number for number, digits in enumerate(cell.official_order(variant))}
    which = [(name, names.index(name)) for name in _CELL if name in names]
    numbers: dict[int, int] = {}
    values = []
    for line, row in enumerate(reader, start=2):
        where = f"{path}: line {line:,}"
        if not row:
            continue
        if len(row) != len(names):
            raise UserError(f"{where}: {len(row)} values; expected {len(names)}, as in the header")
        number = _number(where, variant, number_of, [(name, row[i]) for name, i in which])
        if number in numbers:
            raise UserError(
                f"{where}: cell {cell.to_text(variant, cell.official_order(variant)[number])} was "
                f"line {numbers[number]:,}; expected each cell once"
            )
        numbers[number] = line
        values.append([_value(where, names[c.place], row[c.place]) for c in found])
    if not numbers:
        raise UserError(f"{path}: a header and no lines; expected a line a cell")
    return np.array(list(numbers)), np.array(values)


def _number(
    where: str,
    variant: Variant,
    number_of: dict[tuple[int, ...], int],
    named: Sequence[tuple[str, str]],
) -> int:
    """The number of the cell of a line; `UserError` when it is none, or two."""
    found: dict[str, int] = {}
    for name, text in named:
        if name != "idx":
            try:
                found[name] = number_of[cell.from_text(variant, text)]
            except UserError as error:
                raise UserError(f"{where}: {error}") from None
        elif variant is cell.NB201:
            if not text.isdecimal() or int(text) >= variant.size:
                raise UserError(f"{where}: idx {text!r}; expected 0 to {variant.size - 1}")
            found[name] = int(text)
    if len(set(found.values())) != 1:
        said = ", ".join(f"{name} is number {number}" for name, number in found.items())
        raise UserError(f"{where}: {said or 'no cell'}; expected the same cell in every column")
    return next(iter(found.values()))


def _value(where: str, name: str, text: str) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError:
        raise UserError(f"{where}: {name} is {text!r}; expected a number or nothing") from None


def _table(
    path: Path,
    task: Task,
    own: Sequence[tuple[int, Column]],
    numbers: np.ndarray,
    values: np.ndarray,
    *,
    fractions: bool,
    epochs: int | None,
    notes: Sequence[str],
) -> Table:
    """A task's table of its columns `own`, each with its place in `values`."""
    measured = [column for _, column in own if column.measure != "seconds"]
    if len({column.best for column in measured}) > 1:
        raise UserError(
            f"{path}: some columns of {task.name} are maxima over the epochs (_best), some are "
            "not; rename those you do not want with --columns"
        )
    repeats = 1 + max(column.repeat for _, column in own)
    arrays = {
        key: np.full((task.variant.size, repeats), np.nan, np.float32)
        for key in ("val", "test", "seconds")
    }
    said = list(notes)
    for place, column in own:
        column_values = values[:, place]
        if column.measure != "seconds":
            where = f"{path}: {task.name} {column.measure}"
            column_values, note = to_fractions(where, column_values, task.metric, fractions)
            said += [f"{column.measure}: {note}"] if note else []
        arrays[column.measure][numbers, column.repeat] = column_values
    best = any(column.best for column in measured)
    return Table(
        task, **arrays, selection="best" if best else "last", epochs=epochs or task.epochs,
        source=path.name, notes=tuple(said),
    )  # fmt: skip


def to_fractions(
    where: str, values: np.ndarray, metric: Metric, fractions: bool = False
) -> tuple[np.ndarray, str]:
    """The values in [0, 1], as `Metric` says, and a remark or "". `UserError` for values that its
    unit cannot have."""
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    if metric.unit == "negative loss":
        if high > 0:
            raise UserError(f"{where}: found {high:g}; expected negative losses, at most 0")
        return np.exp(values), f"exp of the negative loss, from {low:g} to {high:g}"
    if metric.unit == "percent" and not fractions:
        if low < 0 or high > 100 or high <= 1:
            hint = "; are these fractions? then say --fractions" if high <= 1 else ""
            raise UserError(f"{where}: found {low:g} to {high:g}; expected percents{hint}")
        return values / 100, ""
    if high > 1 or low < (-1 if metric.unit == "fraction" else 0):
        raise UserError(f"{where}: found {low:g} to {high:g}; expected fractions")
    below = int((known < 0).sum())
    return np.maximum(values, 0), f"{below} values below 0 count as 0" if below else ""
