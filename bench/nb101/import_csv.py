"""Any CSV table of NAS-Bench-101 cells becomes a table of ours.

A line is a cell, given by one or more of
    module_hash                   the official md5, hex
    upper_triangle_bits and ops   0/1 of the upper triangle, row by row; operations separated by |
    or , adjacency and ops             the whole matrix, row by row (anything but 0 and 1 is
    skipped)
and what was measured:
    validation_accuracy, test_accuracy, train_accuracy   fractions; empty: unknown
    training_time                                        seconds
    trainable_params                                     compared with the cell's own
Long form: columns `epochs` and `repeat` (any numbering) say which run a line is. Wide form: the
measurement's name does, `validation_accuracy_108ep_repeat0`. Without a repeat there is one. Shorter
names are known too (`val_acc_108ep`, `mean3_test_accuracy`, `seconds`, ...): see `_MEASUREMENT`.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph, measurements, table
from rlnas.bench.nb101.cell import Cell, parse
from rlnas.bench.nb101.measurements import Measurements
from rlnas.bench.nb101.reference import Reference

BATCH_LINES = 1 << 14
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
    bar = tqdm(desc=f"import {path.name}", unit=" lines", disable=None if progress else True)
    with bar, _open(path) as file:
        try:
            reader = csv.reader(file)
            header = _header(path, next(reader, []), columns, epochs)
            for lines, rows in _batches(path, reader, len(header.names)):
                parts.append(_batch(path, header, lines, rows, reference, epochs, percent))
                bar.update(len(lines))
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


def _header(path: Path, names: list[str], renamed: Sequence[str], epochs: int | None) -> Header:
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

    row = _rows(path, header, lines, fields, reference)
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


def _rows(
    path: Path,
    header: Header,
    lines: list[int],
    fields: list[tuple[str, ...]],
    reference: Reference,
) -> np.ndarray:
    """int32 [n] rows; by hash, by graph, or by both if they agree."""

    def refuse(i: int, reason: str) -> UserError:
        return UserError(f"{path.name}: line {lines[i]:,}: {reason}")

    by_hash = by_graph = None
    texts: tuple[str, ...] = ()
    if "module_hash" in header.plain:
        texts = fields[header.plain["module_hash"]]
        try:
            hashes = np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), 16)
        except ValueError:
            bad = (i for i, t in enumerate(texts) if not re.fullmatch("[0-9a-fA-F]{32}", t))
            raise refuse(
                i := next(bad, 0), f"module_hash {texts[i]!r}; expected 32 hexadecimal digits"
            ) from None
        by_hash = reference.rows(hashes)
        if (by_hash < 0).any():
            i = int(np.flatnonzero(by_hash < 0)[0])
            space = f"NAS-Bench-101 cell with at most {reference.max_vertices} vertices"
            raise refuse(i, f"module_hash {texts[i]} is no {space}; check where it comes from")
    kind = next((k for k in ("upper_triangle_bits", "adjacency") if k in header.plain), None)
    if kind and "ops" in header.plain:
        specs = list(zip(fields[header.plain[kind]], fields[header.plain["ops"]], strict=True))
        cells: dict[tuple[str, str], Cell] = {}
        for i, spec in enumerate(specs):
            if spec not in cells:
                try:
                    cells[spec] = _cell(kind, *spec)
                except UserError as error:
                    raise refuse(i, str(error)) from None
        found = graph.rows_of(_columns(list(cells.values())), reference.max_vertices)
        row_of = dict(zip(cells, found, strict=True))
        by_graph = np.array([row_of[spec] for spec in specs], np.int32)
        if (by_graph < 0).any():
            i = int(np.flatnonzero(by_graph < 0)[0])
            raise refuse(
                i,
                f"cell {specs[i][0]} {specs[i][1]} has more than {reference.max_vertices} vertices",
            )
    if by_hash is not None and by_graph is not None and (by_hash != by_graph).any():
        i = int(np.flatnonzero(by_hash != by_graph)[0])
        found_name = reference.name(int(by_graph[i]))
        raise refuse(
            i, f"module_hash {texts[i]}, but its graph is cell {found_name}; one of them is wrong"
        )
    rows = by_hash if by_hash is not None else by_graph
    assert rows is not None  # `_header` saw to it
    return rows


def _cell(kind: str, digits: str, operations: str) -> Cell:
    """The pruned cell of a graph in text; `UserError` with the reason if it is none."""
    ops = [op.strip(" '\"") for op in re.split(r"[|,]", operations.strip(" []()"))]
    n = len(ops)
    if kind == "adjacency":
        digits = re.sub("[^01]", "", digits)
        if len(digits) != n * n:
            raise UserError(
                f"adjacency with {len(digits)} entries for {n} operations; expected {n * n}"
            )
        return parse([[int(d) for d in digits[x * n : (x + 1) * n]] for x in range(n)], ops)
    if len(digits) != n * (n - 1) // 2 or set(digits) - set("01"):
        raise UserError(
            f"upper_triangle_bits {digits!r} for {n} operations; expected {n * (n - 1) // 2} "
            "digits 0 or 1"
        )
    rest = iter(digits)
    return parse([[int(next(rest)) if x < y else 0 for y in range(n)] for x in range(n)], ops)


def _columns(cells: list[Cell]) -> graph.Cells:
    labels = [[*cell.labels, *[graph.UNUSED] * (5 - len(cell.labels))] for cell in cells]
    return graph.Cells(
        np.array([cell.num_vertices for cell in cells], np.uint8),
        np.array([cell.bits for cell in cells], np.uint32),
        np.array(labels, np.uint8).reshape(-1, 5),
    )


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
