"""Any CSV table of NAS-Bench-101 cells becomes a table of ours.

A line is a cell, given by one or more of
    module_hash                   the official md5, hex
    upper_triangle_bits and ops   0/1 of the upper triangle, row by row; operations with | between
    or adjacency and ops          the whole matrix, as digits or as Python and numpy print it
and what was measured:
    validation_accuracy, test_accuracy, train_accuracy   fractions, or percentages; empty: unknown
    training_time                                        seconds
    trainable_params                                     NAS-Bench-101's own, which are checked, or
                                                         of other networks, which are kept
Long form: columns `epochs` and `repeat` (any numbering) say which run a line is. Wide form: the
measurement's name does, `validation_accuracy_108ep_repeat0`. Without a repeat there is one. Shorter
names are known too (`val`, `val_108`, `mean3_test_accuracy`, `seconds`, ...): see `csv_header`; how
files may be written, in `rlnas.bench.csv_file`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlnas.bench.csv_file import Batch, CsvFile, opened
from rlnas.bench.csv_numbers import Numbers, fractions_of, joined, numbers_of, whole_of
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import measurements, table
from rlnas.bench.nb101.csv_cells import rows_of_lines
from rlnas.bench.nb101.csv_header import Column, Header, read_header
from rlnas.bench.nb101.measurements import Measurements
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.progress import bar
from rlnas.bench.values import Values, by_budget, check_budgets

CLASSES = 10
"""Of CIFAR-10, and of whatever else cells are tabulated on here."""


def import_csv(
    path: Path | str,
    out: Path | str | None = None,
    *,
    name: str,
    columns: Sequence[str] = (),
    epochs: int | None = None,
    percent: bool = False,
    values: Sequence[str] = (),
    notes: Sequence[str] = (),
    continues: bool = False,
    max_vertices: int = 7,
    progress: bool = True,
) -> Path:
    """Import `path` (.csv or .csv.gz) as table `name` and return where the table is.

    columns: "IN_THE_FILE=KNOWN_NAME" for columns under other names. epochs: the budget where the
    file names none. percent: accuracies are 0..100, where neither a column's name nor % signs say
    what it is. values: what a value is, `max-of-3`, or at one budget, `108=max-of-3`. notes go into
    the table's metadata. continues: budgets are checkpoints of one training. Gaps become NaN.
    Raises `UserError` naming the line.
    """
    path, out = Path(path), Path(out) if out else table.new_path(name)
    declared = by_budget(values)
    reference = Reference(max_vertices)
    with opened(path) as file, bar(f"import {path.name}", unit=" lines", shown=progress) as shown:
        header = read_header(file, columns, epochs)
        parts = []
        for batch in file.batches():
            parts.append(_lines(file, header, batch, reference, epochs))
            shown.update(len(batch.lines))
    counts, said = _parameters(file, parts, reference)
    runs = _runs(file, header, parts, percent)
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
        recipe={"checkpoints": dense.epochs.tolist()} if continues else None,
        notes=[*notes, *said, *_notes(header, dense)],
        values=_declared(path, header, declared, dense.epochs.tolist()),
        created_by="rlnas bench import-csv",
    )
    params = np.array([counts[row] for row in dense.row.tolist()], np.int32)
    table.Table(params=params, meta=meta, **dense._asdict()).save(out)
    return out


class _Lines(NamedTuple):
    """What some lines say: arrays [n], and the numbers of the measurements' columns."""

    row: np.ndarray
    epochs: np.ndarray
    repeat: np.ndarray
    position: np.ndarray
    params: Numbers | None
    measured: list[Numbers]


def _lines(
    file: CsvFile, header: Header, batch: Batch, reference: Reference, epochs: int | None
) -> _Lines:
    n = len(batch.lines)
    row = rows_of_lines(file, header, batch, reference)
    counted = header.plain.get("trainable_params")

    def whole(column: str, otherwise: int) -> np.ndarray:
        if column not in header.plain:
            return np.full(n, otherwise, np.int32)
        return whole_of(file, numbers_of(file, batch, header.plain[column]))

    return _Lines(
        row,
        whole("epochs", epochs or 0),
        whole("repeat", 0),
        np.array(batch.lines, np.int64),
        None if counted is None else numbers_of(file, batch, counted),
        [numbers_of(file, batch, column.index) for column in header.columns],
    )


def _runs(file: CsvFile, header: Header, parts: list[_Lines], percent: bool) -> Measurements:
    """All lines as runs, a column's unit being judged by all of its values."""
    *arrays, _, measured = zip(*parts, strict=True)
    row, epochs, repeat, position = (np.concatenate(array) for array in arrays)
    other = "leave --percent out" if percent else "pass --percent"
    values: dict[Column, np.ndarray] = {}
    for column, batches in zip(header.columns, zip(*measured, strict=True), strict=True):
        numbers = joined(batches)
        if column.measure == "seconds":
            x = numbers.values
            numbers.refuse(file, (x < 0) | np.isinf(x), "expected seconds, 0 or more")
        else:
            x = fractions_of(file, numbers, column.name, percent, other, CLASSES)
        values[column] = x.astype(np.float32)
    n = len(row)
    runs = []
    for at in dict.fromkeys((column.epochs, column.repeat) for column in header.columns):
        of_run = {c.measure: x for c, x in values.items() if (c.epochs, c.repeat) == at}
        unknown = np.full(n, np.nan, np.float32)
        runs.append(
            Measurements(
                row=row,
                epochs=epochs if at[0] is None else np.full(n, at[0], np.int32),
                repeat=repeat if at[1] is None else np.full(n, at[1], np.int32),
                position=position,
                **{measure: of_run.get(measure, unknown) for measure in table.MEASURES},
            )
        )
    return measurements.concatenate(runs)


def _parameters(
    file: CsvFile, parts: list[_Lines], reference: Reference
) -> tuple[dict[int, int], list[str]]:
    """(row -> the parameters of that cell; remarks). Counts of NAS-Bench-101's own networks must
    be right, as a sign that lines name the right cells; where hardly any is, they are of other
    networks, and kept. `UserError` for lines that contradict each other."""
    row = np.concatenate([part.row for part in parts])
    ours, cells = reference.parameters[row], row.tolist()
    own = dict(zip(cells, ours.tolist(), strict=True))
    if parts[0].params is None:
        return own, ["no trainable_params: counts are those of NAS-Bench-101's networks"]
    given = joined([part.params for part in parts if part.params])
    known = ~np.isnan(given.values)
    wrong = known & (given.values != ours)
    if 2 * wrong.sum() <= known.sum():
        expected = ours[wrong][0] if wrong.any() else ""
        given.refuse(file, wrong, f"expected {expected} for this cell; is it of another network?")
        return own, []
    counts = whole_of(file, given)
    kept = dict(zip(cells, counts.tolist(), strict=True))
    differ = counts != np.array([kept[cell] for cell in cells])
    given.refuse(file, differ, "another line of this cell says otherwise; expected the same")
    return kept, ["trainable_params are the file's, of other networks than NAS-Bench-101's"]


def _declared(
    path: Path, header: Header, said: dict[int | None, Values], budgets: list[int]
) -> dict[str, str]:
    """By budget, what a value is: as `said`, or as the names of validation columns say. `UserError`
    where the two contradict each other, and for a budget that is not there."""
    check_budgets(said, budgets, path)
    found = {}
    for epochs in budgets:
        named = [
            column
            for column in header.columns
            if column.measure == "val" and column.values and column.epochs in (None, epochs)
        ]
        values = said.get(epochs, said.get(None))
        for column in named:
            if values not in (None, column.values):
                raise UserError(
                    f"--values says {values} at {epochs} epochs, but {path.name} has a column "
                    f"{column.name.known}; expected the same of both"
                )
            values = column.values
        if values:
            found[str(epochs)] = str(values)
    return found


def _notes(header: Header, dense: measurements.Dense) -> list[str]:
    """What a user of the table should know."""
    notes = []
    if dense.val.shape[2] == 1:
        notes.append("one repeat: its noise is unknown")
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
