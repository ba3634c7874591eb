"""What the header of a CSV table of NAS-Bench-101 cells says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.bench.csv_file import CsvFile, Name, nameless
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import table
from rlnas.bench.values import Values

_MEASUREMENT = re.compile(
    r"""(?:(?P<kind>mean|max)(?P<of>\d*)_)?(?:final_)?
        (?:(?P<val>val(?:id|idation)?(?:_acc(?:uracy)?)?|(?=repeat_?\d))
          |(?P<test>test(?:_acc(?:uracy)?)?)
          |(?P<train>train(?:ing)?(?:_acc(?:uracy)?)?)|(?P<seconds>(?:training_)?(?:time|seconds)))
        (?:_(?P<epochs>\d+)(?:_?ep(?:ochs?)?)?)?(?:_?repeat_?(?P<repeat>\d+))?(?:_s)?""",
    re.VERBOSE,
)
"""A name without a measure, `repeat_1`, is of validation accuracies."""
ALIASES = {
    "hash": "module_hash",
    "epoch": "epochs",
    "budget": "epochs",
    "seed": "repeat",
    "params": "trainable_params",
    "parameters": "trainable_params",
    "trainable_parameters": "trainable_params",
    "operations": "ops",
    "module_operations": "ops",
    "raw_operations": "ops",
    "module_adjacency": "adjacency",
    "raw_adjacency": "adjacency",
    "matrix": "adjacency",
}
"""The official API calls the two parts of a cell module_adjacency and module_operations, the
official files raw_adjacency and raw_operations."""
MOST = 10**9
CELL = ("module_hash", "upper_triangle_bits", "adjacency", "ops", "num_vertices")
_PLAIN = (*CELL, "epochs", "repeat", "trainable_params")


@dataclass(frozen=True)
class Column:
    """A measurement: which column it is, of what run; epochs or repeat None: another column
    says."""

    index: int
    name: Name
    measure: str  # val, test, train, seconds
    epochs: int | None
    repeat: int | None
    values: Values | None  # what a value is, by the column's name


@dataclass(frozen=True)
class Header:
    """What the first line says."""

    plain: dict[str, int]  # known plain columns -> index
    columns: tuple[Column, ...]
    ignored: tuple[str, ...]


def read_header(file: CsvFile, renamed: Sequence[str], epochs: int | None) -> Header:
    """renamed: of `--columns`. epochs: where the file does not say. Raises `UserError`."""
    path, names = file.path, file.names
    plain: dict[str, int] = {}
    columns: list[Column] = []
    ignored: list[str] = []
    new = {entry.partition("=")[0]: entry for entry in renamed}
    for index, (original, name) in enumerate(zip(names, file.renamed(renamed), strict=True)):
        column = ALIASES.get(name.known, name.known)
        match = _MEASUREMENT.fullmatch(column)
        if column in _PLAIN:
            if column in plain:
                raise UserError(
                    f"{path}: {names[plain[column]]!r} and {original!r} are both {column}; keep one"
                )
            plain[column] = index
        elif match:
            measure = next(m for m in table.MEASURES if match[m] is not None)
            run = [int(match[key]) if match[key] else None for key in ("epochs", "repeat")]
            if max(n or 0 for n in run) > MOST:
                raise UserError(f"{path}: {original!r} has a number above {MOST:,}")
            of = f"-of-{match['of']}" if match["of"] else ""
            values = Values.parse(f"{match['kind']}{of}") if match["kind"] else None
            columns.append(Column(index, name, measure, run[0], run[1], values))
        elif original in new:
            raise UserError(
                f"--columns {new[original]}: no such name; expected {', '.join(_PLAIN)} or a "
                "measurement like validation_accuracy or test_accuracy_108ep_repeat0"
            )
        elif not nameless(original):
            ignored.append(original)
    seen: dict[tuple[str, int | None, int | None], str] = {}
    for entry in columns:
        key, here = (entry.measure, entry.epochs, entry.repeat), names[entry.index]
        if key in seen:
            raise UserError(
                f"{path}: {seen[key]!r} and {here!r} are the same measurement; keep one or use "
                "--columns"
            )
        seen[key] = here
    if "module_hash" not in plain and not (
        "ops" in plain and {"upper_triangle_bits", "adjacency"} & plain.keys()
    ):
        raise UserError(
            f"{path}: no column says which cell a line is (found {', '.join(names)}); expected "
            "module_hash, "
            "or ops with upper_triangle_bits or adjacency; --columns maps other names"
        )
    if not any(column.measure == "val" for column in columns):
        raise UserError(
            f"{path}: no validation accuracy (found {', '.join(names)}); --columns "
            "COLUMN=validation_accuracy names it"
        )
    if (
        epochs is None
        and "epochs" not in plain
        and any(column.epochs is None for column in columns)
    ):
        raise UserError(
            f"{path}: nothing says after how many epochs; expected a column epochs, or pass "
            "--epochs"
        )
    for axis in ("epochs", "repeat"):
        if axis in plain and any(getattr(column, axis) is not None for column in columns):
            raise UserError(
                f"{path}: {axis} is a column and stands in column names too; keep one of them"
            )
    return Header(plain, tuple(columns), tuple(ignored))
