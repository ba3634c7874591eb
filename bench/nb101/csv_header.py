"""What the header of a CSV table of NAS-Bench-101 cells says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import table

_MEASUREMENT = re.compile(
    r"""(?:mean(?P<mean>\d+)_|mean_)?(?:final_)?
        (?:(?P<val>val(?:id|idation)?_acc(?:uracy)?)|(?P<test>test_acc(?:uracy)?)
          |(?P<train>train(?:ing)?_acc(?:uracy)?)|(?P<seconds>(?:training_)?(?:time|seconds)))
        (?:_(?P<epochs>\d+)ep(?:ochs?)?)?(?:_repeat_?(?P<repeat>\d+))?(?:_s)?""",
    re.VERBOSE,
)
_ALIASES = {
    "hash": "module_hash",
    "epoch": "epochs",
    "budget": "epochs",
    "seed": "repeat",
    "params": "trainable_params",
    "parameters": "trainable_params",
    "trainable_parameters": "trainable_params",
    "operations": "ops",
}
_CELL = ("module_hash", "upper_triangle_bits", "adjacency", "ops", "num_vertices")
_PLAIN = (*_CELL, "epochs", "repeat", "trainable_params")


@dataclass(frozen=True)
class Column:
    """A measurement: which column it is, of what run; epochs or repeat None: another column
    says."""

    index: int
    measure: str  # val, test, train, seconds
    epochs: int | None
    repeat: int | None
    mean_of: int  # the value is a mean over so many runs


@dataclass(frozen=True)
class Header:
    """What the first line says."""

    names: tuple[str, ...]
    plain: dict[str, int]  # known plain columns -> index
    columns: tuple[Column, ...]
    ignored: tuple[str, ...]


def read_header(path: Path, names: list[str], renamed: Sequence[str], epochs: int | None) -> Header:
    if not names:
        raise UserError(f"{path}: empty file; expected a header line and one line a run")
    pairs = [entry.partition("=") for entry in renamed]
    for column, equals, known in pairs:
        if not equals or column not in names:
            raise UserError(
                f"--columns {column}{equals}{known}: expected COLUMN=NAME, COLUMN of "
                f"{', '.join(names)}"
            )
    new = {column: known for column, _, known in pairs}
    plain: dict[str, int] = {}
    columns: list[Column] = []
    ignored: list[str] = []
    for index, original in enumerate(names):
        column = new.get(original, original).strip().lower()
        column = _ALIASES.get(column, column)
        match = _MEASUREMENT.fullmatch(column)
        if column in _PLAIN:
            if column in plain:
                raise UserError(
                    f"{path}: {names[plain[column]]!r} and {original!r} are both {column}; keep one"
                )
            plain[column] = index
        elif match:
            measure = next(m for m in table.MEASURES if match[m])
            run = [int(match[key]) if match[key] else None for key in ("epochs", "repeat")]
            columns.append(Column(index, measure, run[0], run[1], int(match["mean"] or 1)))
        elif original in new:
            raise UserError(
                f"--columns {original}={new[original]}: no such name; expected "
                f"{', '.join(_PLAIN)} or a measurement "
                "like validation_accuracy or test_accuracy_108ep_repeat0"
            )
        else:
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
    return Header(tuple(names), plain, tuple(columns), tuple(ignored))
