"""Numbers of a CSV column: how they are written, and whether their unit can be true.

A unit is judged a column at a time: a file may hold one accuracy in percent and another as a
fraction, and an option that says one thing for all of them must not turn .93 into .0093.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.csv_file import Batch, CsvFile, Name
from rlnas.bench.errors import UserError

NOTHING = frozenset(
    ["", "-", "--", "?", "na", "n/a", "#n/a", "#na", "<na>", "nan", "null", "none", "missing"]
)
"""What stands where there is no value, in small letters."""
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")


class Numbers(NamedTuple):
    """A column's values, NaN where there is none; its name in the file; whether each was written
    with a % sign; the lines, for messages."""

    name: str
    values: np.ndarray  # float64 [n], without the sign: 95.0% is 95
    signed: np.ndarray  # bool [n]
    lines: np.ndarray  # int64 [n]

    def refuse(self, file: CsvFile, bad: np.ndarray, reason: str) -> None:
        """`UserError` for the first of the bad values."""
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            value = "empty" if np.isnan(self.values[i]) else f"{self.values[i]:g}"
            raise UserError(f"{file.where(int(self.lines[i]))}: {self.name} is {value}; {reason}")


def joined(parts: Sequence[Numbers]) -> Numbers:
    """The batches of a column as one."""
    columns = list(zip(*parts, strict=True))
    return Numbers(columns[0][0], *(np.concatenate(column) for column in columns[1:]))


def numbers_of(file: CsvFile, batch: Batch, column: int) -> Numbers:
    """A column's numbers; `UserError` for a text that is none."""
    texts = batch.fields[column]
    values, signed = np.empty(len(texts)), np.zeros(len(texts), bool)
    for i, text in enumerate(texts):
        try:
            values[i] = float(text)  # most are, and there are millions
            if "_" not in text:
                continue
        except ValueError:
            pass
        values[i], signed[i] = _number(file, batch.lines[i], file.names[column], text)
    return Numbers(file.names[column], values, signed, np.array(batch.lines, np.int64))


def _number(file: CsvFile, line: int, name: str, text: str) -> tuple[float, bool]:
    word = text.strip()
    if word.lower() in NOTHING:
        return float("nan"), False
    number = word.removesuffix("%").rstrip()
    if file.delimiter != "," and DECIMAL_COMMA.fullmatch(number):
        number = number.replace(",", ".")
    try:
        if "_" in number:
            raise ValueError
        return float(number), number != word
    except ValueError:
        raise UserError(
            f"{file.where(line)}: {name} is {shown(text)}; expected a number or nothing"
        ) from None


def whole_of(file: CsvFile, numbers: Numbers) -> np.ndarray:
    """int32: of a column that has a whole number from 0 in every line."""
    values = numbers.values
    good = (values >= 0) & (values == np.floor(values)) & (values <= np.iinfo(np.int32).max)
    numbers.refuse(file, ~good, "expected a whole number")
    return values.astype(np.int32)


def fractions_of(
    file: CsvFile,
    numbers: Numbers,
    name: Name,
    percent: bool,
    other: str,
    classes: int | None,
) -> np.ndarray:
    """A column of percentages or fractions, as fractions. Its % signs say which it is, else its
    name, else `percent`. other: how to say the other thing of all columns. classes: of an accuracy.
    Raises `UserError` where the values contradict what is said."""
    values, signed = numbers.values, numbers.signed
    known = values[~np.isnan(values)]
    numbers.refuse(file, values < 0, "expected 0 or more")
    if signed.any():
        mixed = ~signed & ~np.isnan(values)
        numbers.refuse(file, mixed, "expected a % sign, as other values of this column have")
    elif name.percent is not None:
        percent = name.percent

    def hint(unit: str) -> str:
        return f"{other}, or --columns {numbers.name}={name.known}_{unit} for this column alone"

    if not signed.any() and not percent:
        numbers.refuse(file, values > 1, f"above 1, expected a fraction; {hint('percent')}")
        return values
    numbers.refuse(file, values > 100, "above 100, expected a percentage")
    if len(known) and 0 < known.max() <= 1 and not signed.any():
        raise UserError(
            f"{file.path.name}: {numbers.name} goes from {known.min():g} to {known.max():g}, so it "
            f"holds no percentages; {hint('fraction')}"
        )
    if classes:  # a fifth of what guessing reaches (ours): a fraction among percentages
        low = (values > 0) & (values <= min(1, 20 / classes)) & ~signed
        numbers.refuse(file, low, f"guessing reaches {100 / classes:.3g} %; is it a fraction?")
    return values / 100
