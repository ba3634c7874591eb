"""Any CSV table of NAS-Bench-101 cells becomes a table of ours.

A line is a cell, given by one or more of
    module_hash                   the official md5, hex
    upper_triangle_bits and ops   0/1 of the upper triangle, row by row; operations separated by |
    or adjacency and ops          the whole matrix, row by row (all but 0 and 1 is skipped)
and what was measured:
    validation_accuracy, test_accuracy, train_accuracy   fractions; empty: unknown
    training_time                                        seconds
    trainable_params                                     compared with the cell's own
Long form: columns `epochs` and `repeat` (any numbering) say which run a line is. Wide form: the
measurement's name does, `validation_accuracy_108ep_repeat0`. Without a repeat there is one. Shorter
names are known too (`val_acc_108ep`, `mean3_test_accuracy`, `seconds`, ...): see
`csv_header`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import measurements, table
from rlnas.bench.nb101.csv_cells import rows_of_lines
from rlnas.bench.nb101.csv_header import Header, read_header
from rlnas.bench.nb101.measurements import Measurements
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.progress import bar

BATCH_LINES = 1 << 14


def import_csv(
    path: Path | str,
    out: Path | str | None = None,
    *,
    name: str,
    columns: Sequence[str] = (),
    epochs: int | None = None,
    percent: bool = False,
    notes: Sequence[str] = (),
    max_vertices: int = 7,
    progress: bool = True,
) -> Path:
    """Import `path` (.csv or .csv.gz) as table `name` and return where the table is.

    columns: "IN_THE_FILE=KNOWN_NAME" for columns under other names. epochs: the budget where the
    file names none. percent: accuracies are 0..100. notes go into the table's metadata. Gaps become
    NaN. Raises `UserError` naming the line.
    """
    path, out = Path(path), Path(out) if out else table.new_path(name)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a .csv or .csv.gz file")
    reference = Reference(max_vertices)
    parts: list[Measurements] = []
    shown = bar(f"import {path.name}", unit=" lines", shown=progress)
    with shown, _open(path) as file:
        try:
            reader = csv.reader(file)
            header = read_header(path, next(reader, []), columns, epochs)
            for lines, rows in _batches(path, reader, len(header.names)):
                parts.append(_batch(path, header, lines, rows, reference, epochs, percent))
                shown.update(len(lines))
        except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: {error}; expected CSV text in UTF-8 (.gz: gzipped)") from None
    if not parts:
        raise UserError(f"{path}: a header and no lines; expected one line a run")
    runs = measurements.concatenate(parts)
    dense = measurements.assemble(
        runs,
        where=lambda i: f"{path.name}: line {runs.position[i]:,}",
        cell_name=reference.name,
        allow_missing=True,
    )
    vertices = int(reference.cells.num_vertices[dense.row[-1]])
    meta = table.make_meta(
        name,
        max_vertices=vertices,
        source=path.name,
        notes=[
            *notes,
            *_notes(header, dense, int((reference.cells.num_vertices <= vertices).sum())),
        ],
        created_by="rlnas bench import-csv",
    )
    table.Table(params=reference.parameters[dense.row], meta=meta, **dense._asdict()).save(out)
    return out


@contextmanager
def _open(path: Path) -> Iterator[IO[str]]:
    with (
        gzip.open(path, "rt", encoding="utf-8-sig", newline="")
        if path.suffix == ".gz"
        else open(path, encoding="utf-8-sig", newline="")
    ) as file:
        yield file


def _batches(
    path: Path, reader: Iterator[list[str]], width: int
) -> Iterator[tuple[list[int], list[list[str]]]]:
    """Line numbers and fields; blank lines are skipped."""
    lines: list[int] = []
    rows: list[list[str]] = []
    for row in reader:
        line: int = reader.line_num  # type: ignore[attr-defined]
        if not row:
            continue
        if len(row) != width:
            raise UserError(
                f"{path.name}: line {line:,}: {len(row)} fields, expected {width} as in the header"
            )
        lines.append(line)
        rows.append(row)
        if len(lines) == BATCH_LINES:
            yield lines, rows
            lines, rows = [], []
    if lines:
        yield lines, rows


def _batch(
    path: Path,
    header: Header,
    lines: list[int],
    rows: list[list[str]],
    reference: Reference,
    epochs: int | None,
    percent: bool,
) -> Measurements:
    fields = list(zip(*rows, strict=True))

    def refuse(bad: np.ndarray, reason: str, index: int) -> None:
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            raise UserError(
                f"{path.name}: line {lines[i]:,}: {header.names[index]} {fields[index][i]!r}: "
                f"{reason}"
            )

    def numbers(index: int) -> np.ndarray:
        values = np.empty(len(lines))
        for i, text in enumerate(fields[index]):
            try:
                values[i] = float(text) if text else np.nan
            except ValueError:
                raise UserError(
                    f"{path.name}: line {lines[i]:,}: {header.names[index]} {text!r}: expected a "
                    "number or nothing"
                ) from None
        return values

    def whole(index: int) -> np.ndarray:
        values = numbers(index)
        refuse(
            ~(values >= 0) | (values != np.floor(values)) | (values > 2**31 - 1),
            "expected a whole number",
            index,
        )
        return values.astype(np.int32)

    row = rows_of_lines(path, header, lines, fields, reference)
    if "trainable_params" in header.plain:
        index = header.plain["trainable_params"]
        given, ours = numbers(index), reference.parameters[row]
        wrong = ~np.isnan(given) & (given != ours)
        expected = ours[wrong][0] if wrong.any() else ""
        refuse(wrong, f"expected {expected} for this cell; it may be of another network", index)

    n = len(lines)
    if "epochs" in header.plain:
        line_epochs = whole(header.plain["epochs"])
    else:
        line_epochs = np.full(n, 0 if epochs is None else epochs, np.int32)
    line_repeat = (
        whole(header.plain["repeat"]) if "repeat" in header.plain else np.zeros(n, np.int32)
    )
    values = {}
    for column in header.columns:
        x = numbers(column.index)
        if column.measure != "seconds":
            if percent:
                refuse(x > 100, "above 100, expected a percentage", column.index)
                x = x / 100
            else:
                refuse(
                    x > 1,
                    "above 1, expected a fraction; pass --percent if these are percentages",
                    column.index,
                )
        refuse((x < 0) | np.isinf(x), "expected 0 or more", column.index)
        values[column] = x.astype(np.float32)
    parts = []
    for run in dict.fromkeys((column.epochs, column.repeat) for column in header.columns):
        of_run = {
            column.measure: x
            for column, x in values.items()
            if (column.epochs, column.repeat) == run
        }
        unknown = np.full(n, np.nan, np.float32)
        parts.append(
            Measurements(
                row=row,
                epochs=line_epochs if run[0] is None else np.full(n, run[0], np.int32),
                repeat=line_repeat if run[1] is None else np.full(n, run[1], np.int32),
                val=of_run.get("val", unknown),
                test=of_run.get("test", unknown),
                train=of_run.get("train", unknown),
                seconds=of_run.get("seconds", unknown),
                position=np.array(lines, np.int64),
            )
        )
    return measurements.concatenate(parts)


def _notes(header: Header, dense: measurements.Dense, space: int) -> list[str]:
    """What a user of the table should know."""
    notes = []
    if dense.val.shape[2] == 1:
        notes.append("one repeat: its noise is unknown")
    means = sorted({column.mean_of for column in header.columns if column.mean_of > 1})
    notes += [f"a value is the mean of {count} runs" for count in means]
    if len(dense.row) < space:
        notes.append(f"incomplete: {len(dense.row):,} of {space:,} cells")
    for measure in table.MEASURES:
        known = ~np.isnan(getattr(dense, measure))
        shares = known.mean(axis=(0, 2))
        if not known.any():
            notes.append(f"{measure} is unknown")
        elif (shares < 1).any():
            at = ", ".join(
                f"{share:.0%} at {epochs} epochs"
                for share, epochs in zip(shares, dense.epochs, strict=True)
            )
            notes.append(f"{measure} is known for {at}")
    if header.ignored:
        notes.append(f"columns not imported: {', '.join(header.ignored)}")
    return notes
