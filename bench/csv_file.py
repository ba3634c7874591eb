"""CSV files as spreadsheets, pandas and people write them: one reader for all importers.

Read are commas, semicolons and tabs (the header shows which), Excel's line `sep=;`, gzip, UTF-8 and
UTF-16 with or without its mark, row numbers before the first column, and empty fields and lines
that a spreadsheet adds at the end. Everything else is refused with its line.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from rlnas.bench.errors import UserError
from rlnas.bench.files import is_file
from rlnas.bench.reading import reason

BATCH_LINES = 1 << 14
DELIMITERS = ",;\t"
GZIP = b"\x1f\x8b"
NO_TEXT = {
    b"PK\x03\x04": "a zip file or an Excel workbook; save its sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save its sheet as CSV",
    b"PAR1": "a parquet file; write it as CSV",
    b"BZh": "compressed with bzip2; decompress it",
    b"\xfd7zX": "compressed with xz; decompress it",
    b"(\xb5/\xfd": "compressed with Zstandard; decompress it",
}
MOST_LINE, MOST_COLUMNS, MOST_NAME = 1 << 20, 4096, 200
ALWAYS_FINE, MOST_TIMES = 1 << 22, 100
"""Unpacked, a file may have so many characters, or so many times as many as it has bytes."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UNITS = {"%": True, "percent": True, "percentage": True, "pct": True, "fraction": False}
"""What stands after a measurement's name, `accuracy (%)` or `accuracy_percent` -> whether values
are percentages."""
_WITH_UNIT = re.compile(r"(.+?)_*(?:[(\[]_*(.+?)_*[)\]]|(%)|_(percent|percentage|pct|fraction))")


class Batch(NamedTuple):
    """Some lines. lines: their numbers in the file. fields: their texts, a tuple a column."""

    lines: list[int]
    fields: list[tuple[str, ...]]


class Name(NamedTuple):
    """A column's name as it is compared: small letters, `_` for spaces and hyphens. percent:
    whether it says so; None where it says nothing."""

    known: str
    percent: bool | None


@dataclass(frozen=True)
class CsvFile:
    """An open file after its header line."""

    path: Path
    names: tuple[str, ...]  # of the columns, as they stand in the file; "" for none
    delimiter: str
    rows: Any  # the csv reader
    skipped: int  # lines before those that the reader counts

    def where(self, line: int) -> str:
        """How a message begins."""
        return f"{self.path.name}: line {line:,}"

    def batches(self) -> Iterator[Batch]:
        """The lines with something in them, in batches. Raises `UserError` for one of another
        length, and where there are none."""
        width, extra = len(self.names), None
        lines: list[int] = []
        kept: list[list[str]] = []
        none = True
        for row in self.rows:
            if not any(map(str.strip, row)):
                continue
            line = self.rows.line_num + self.skipped
            while len(row) > width and not row[-1].strip():
                row.pop()
            if extra is None:  # R writes row numbers without a name for them
                extra = int(len(row) == width + 1)
            if len(row) != width + extra:
                raise UserError(
                    f"{self.where(line)}: {len(row)} fields, expected {width} as in the header, "
                    f"between {self.delimiter!r}"
                )
            none = False
            lines.append(line)
            kept.append(row[extra:])
            if len(lines) == BATCH_LINES:
                yield Batch(lines, list(zip(*kept, strict=True)))
                lines, kept = [], []
        if none:
            raise UserError(f"{self.path}: a header and no lines; expected values below the names")
        if lines:
            yield Batch(lines, list(zip(*kept, strict=True)))

    def renamed(self, columns: Sequence[str]) -> tuple[Name, ...]:
        """What the columns are called after `--columns IN_THE_FILE=KNOWN_NAME ...`."""
        new = {}
        for entry in columns:
            old, equals, known = entry.partition("=")
            if not equals or not known.strip() or old not in self.names:
                raise UserError(
                    f"--columns {entry}: expected COLUMN=NAME, COLUMN of {', '.join(self.names)}"
                )
            new[old] = known
        return tuple(name_of(new.get(name, name)) for name in self.names)


def name_of(text: str) -> Name:
    """`Validation Accuracy (%)` is (validation_accuracy, True)."""
    known = re.sub(r"[\s\-]+", "_", text.strip().lower())
    if (match := _WITH_UNIT.fullmatch(known)) and (unit := match[2] or match[3] or match[4]):
        if unit in UNITS:
            return Name(match[1], UNITS[unit])
        if unit in ("s", "sec", "seconds"):
            return Name(match[1], None)
    return Name(known, None)


def nameless(name: str) -> bool:
    """Whether a column is the row numbers that pandas and spreadsheets write, or nothing."""
    return not name.strip() or name.strip().lower() == "index" or name.startswith("Unnamed: ")


@contextmanager
def opened(path: Path) -> Iterator[CsvFile]:
    """Open `path`, plain or gzipped, and read its header. What goes wrong with it later is a
    `UserError`, too."""
    if not is_file(path):
        raise UserError(f"{path}: no such file; expected a .csv or .csv.gz file")
    try:
        with _text(path) as file:
            skipped = 0
            lines = _lines(file, path)
            header = next(lines, "")
            if match := re.fullmatch(r'"?sep=(.)"?\s*', header):
                skipped, header = 1, next(lines, "")
            delimiter = match[1] if match else _delimiter(header)
            rows = csv.reader(
                chain([header], lines), delimiter=delimiter, skipinitialspace=True, strict=True
            )
            names = tuple(name.strip() for name in next(rows, []))
            if not any(names):
                raise UserError(f"{path}: empty file; expected a header line and lines below it")
            if len(names) > MOST_COLUMNS or max(map(len, names)) > MOST_NAME:
                raise UserError(
                    f"{path}: {len(names):,} columns, with names of {max(map(len, names)):,} "
                    f"characters; expected at most {MOST_COLUMNS:,}, and {MOST_NAME}"
                )
            yield CsvFile(path, names, delimiter, rows, skipped)
    except (OSError, EOFError, UnicodeError, zlib.error, csv.Error, MemoryError) as error:
        raise UserError(
            f"{path}: {reason(error)}; expected CSV text in UTF-8 (.gz: gzipped)"
        ) from None


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOWrapper]:
    with open(path, "rb") as raw:
        zipped = raw.read(len(GZIP)) == GZIP
    opener: Any = gzip.open if zipped else open
    with opener(path, "rb") as stream:
        head = stream.peek(1024)[:1024]
        for magic, what in NO_TEXT.items():
            if head.startswith(magic):
                raise UserError(f"{path}: {what}")
        encoding = "utf-16" if head.startswith(UTF_16) else "utf-8-sig"
        if encoding != "utf-16" and b"\0" in head:
            raise UserError(
                f"{path}: found zero bytes, so it is binary, or UTF-16 without its mark; expected "
                "CSV text in UTF-8"
            )
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            yield text


def _lines(file: io.TextIOWrapper, path: Path) -> Iterator[str]:
    """The lines of a text, none of which is longer than all of a table's should be; nor are they
    together much longer than the file, which may be packed."""
    left = max(ALWAYS_FINE, MOST_TIMES * path.stat().st_size)
    while line := file.readline(MOST_LINE):
        left -= len(line)
        if len(line) == MOST_LINE or left < 0:
            what = "a line of" if left >= 0 else "unpacked"
            raise UserError(f"{path}: {what} more than {MOST_LINE if left >= 0 else ALWAYS_FINE:,} "
                            "characters; expected a table")  # fmt: skip
        yield line


def _delimiter(header: str) -> str:
    """The one that makes most fields of the header."""
    return max(
        DELIMITERS,
        key=lambda mark: len(next(csv.reader([header], delimiter=mark, skipinitialspace=True), [])),
    )
