"""A table as CSV or parquet, for every other tool; `import_csv` reads the CSV back.

Columns: module_hash, num_vertices, upper_triangle_bits (0/1, row by row), ops (separated by |),
trainable_params (of the table's own networks), then in long form (a line a run, also where nothing
was measured) epochs, repeat, validation_accuracy, test_accuracy, train_accuracy, training_time; in
wide form (a line a cell) the measurements as validation_accuracy_108ep_repeat0 and so on. Repeats
count from 0 as in the noise policy `repeat=i`. Accuracies are fractions, times seconds; names of
those that are declared to be means or maxima begin with `mean3_` or `max3_`, in long form where all
budgets are alike. Columns of costs follow, `latency (ms)`, in long form on every line of a cell.
Learning curves are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rlnas.bench import cost_columns
from rlnas.bench.columns import column_file
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.nb101.cell import MAX_VERTICES, OPS
from rlnas.bench.nb101.forms import Cells
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.nb101.table import MEASURES, Table
from rlnas.bench.progress import bar
from rlnas.bench.values import Values

SHAPES = ("long", "wide")
COLUMN = {
    "val": "validation_accuracy",
    "test": "test_accuracy",
    "train": "train_accuracy",
    "seconds": "training_time",
}
BATCH_CELLS = 1 << 13


def export(table: Table, path: Path | str, *, shape: str = "long", progress: bool = True) -> Path:
    """Write the table; the ending of `path` chooses the format: .csv, .csv.gz or .parquet."""
    path = Path(path)
    if shape not in SHAPES:
        raise UserError(f"shape {shape!r}; expected one of {', '.join(SHAPES)}")
    reference = Reference(table.meta["max_vertices"])
    with (
        column_file(path) as write,
        bar(f"export {path.name}", len(table.row), unit="cell", shown=progress) as done,
    ):
        for start in range(0, len(table.row), BATCH_CELLS):
            chunk = slice(start, start + BATCH_CELLS)
            columns = _cell_columns(table.row[chunk], reference)
            columns["trainable_params"] = table.params[chunk]
            costs = cost_columns.exported(table.columns, chunk)
            if shape == "wide":
                write(columns | _wide(table, chunk) | costs)
            else:
                write(_long(table, chunk, columns, costs))
            done.update(len(table.row[chunk]))
    return path


def _cell_columns(rows: np.ndarray, reference: Reference) -> dict[str, np.ndarray]:
    cells = Cells(*(column[rows] for column in reference.cells))
    return {
        "module_hash": np.array([reference.name(int(row)) for row in rows]),
        "num_vertices": cells.num_vertices.astype(np.int32),
        "upper_triangle_bits": np.array(
            [_triangle(int(v), int(b)) for v, b in zip(*cells[:2], strict=True)]
        ),
        "ops": np.array(
            [_operations(int(v), ops) for v, ops in zip(cells.num_vertices, cells.ops, strict=True)]
        ),
    }


def _triangle(v: int, bits: int) -> str:
    return "".join(
        str(bits >> (x + y * (y - 1) // 2) & 1) for x in range(v) for y in range(x + 1, v)
    )


def _operations(v: int, ops: np.ndarray) -> str:
    return "|".join(("input", *(OPS[label] for label in ops[: v - 2]), "output"))


def _long(
    table: Table, chunk: slice, columns: dict[str, np.ndarray], costs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    _, budgets, repeats = table.val.shape
    cells = len(table.row[chunk])

    def each(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {key: np.repeat(column, budgets * repeats) for key, column in columns.items()}

    runs = each(columns)
    runs["epochs"] = np.tile(np.repeat(table.epochs, repeats), cells)
    runs["repeat"] = np.tile(np.arange(repeats, dtype=np.int32), cells * budgets)
    declared = {table.values(epochs) for epochs in table.epochs.tolist()}
    alike = declared.pop() if len(declared) == 1 else None
    runs |= {_name(m, alike): getattr(table, m)[chunk].ravel() for m in MEASURES}
    return runs | each(costs)


def _wide(table: Table, chunk: slice) -> dict[str, np.ndarray]:
    return {
        f"{_name(m, table.values(epochs))}_{epochs}ep_repeat{r}": getattr(table, m)[chunk, b, r]
        for m in MEASURES
        for b, epochs in enumerate(table.epochs.tolist())
        for r in range(table.repeats)
    }


def _name(measure: str, values: Values | None) -> str:
    """The column's name says what a value is, as `csv_header` reads it: `max3_test_accuracy`."""
    if values is None or values.kind not in ("mean", "max") or measure == "seconds":
        return COLUMN[measure]
    return f"{values.kind}{values.of or ''}_{COLUMN[measure]}"


def read_back(table: Table, path: Path) -> str:
    """Lines with the commands that make a table of the file again, with all that its columns do
    not say."""
    again = f"{table.name}-again"
    words = [f"--name {again}"]
    if table.meta["max_vertices"] < MAX_VERTICES:
        words.append(f"--max-vertices {table.meta['max_vertices']}")
    found = [(epochs, table.values(epochs)) for epochs in table.epochs.tolist()]
    declared = [f"{epochs}={values}" for epochs, values in found if values]
    words += [f"--values {' '.join(declared)}"] if declared else []
    costs = cost_columns.read_back(table.columns, again, path)
    return f"\nback: rlnas bench import-csv {quoted(path)} {' '.join(words)}{costs}"
