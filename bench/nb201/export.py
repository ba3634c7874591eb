"""A table as CSV or parquet; `import_csv` reads the wide form back.

Columns: idx (the cell's number), arch, representative (the number of the isomorphic cell that comes
first), for NAS-Bench-201 also trainable_params and flops (closed forms), then in wide form (a line
a cell) CIFAR100_val_repeat0, CIFAR100_test_repeat0, CIFAR100_time_repeat0 and so on, with `_best`
where values are maxima over the epochs; in long form (a line a training) repeat, validation, test,
seconds. Columns of costs follow, `latency (ms)`, in long form on every line of a cell.
Values are in the benchmark's own unit: percents, SSIM, negative losses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rlnas.bench import cost_columns
from rlnas.bench.columns import column_file
from rlnas.bench.files import quoted
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.skeleton import nb201, trainable_parameters
from rlnas.bench.nb201.table import Table
from rlnas.bench.nb201.tasks import Metric


def export(table: Table, path: Path, *, shape: str = "long") -> None:
    """Write the cells that have a value; the ending of `path` chooses the format. shape: `long` or
    `wide`."""
    rows = np.flatnonzero(~np.isnan(table.val).all(axis=1))
    order = cell.official_order(table.task.variant)
    cells = [order[row] for row in rows]
    columns = {
        "idx": rows,
        "arch": np.array([cell.to_text(table.task.variant, digits) for digits in cells]),
        "representative": np.array(cell.representatives(table.task.variant))[rows],
    }
    if table.task.variant is cell.NB201 and (classes := table.task.classes):
        sizes = [trainable_parameters(digits, nb201(), classes) for digits in cells]
        columns["trainable_params"] = np.array(sizes)
        count = [cell.flops(digits, classes=classes, side=table.task.side) for digits in cells]
        columns["flops"] = np.array(count)
    metric = table.task.metric
    val, test = (in_its_unit(values[rows], metric) for values in (table.val, table.test))
    costs = cost_columns.exported(table.columns, rows)
    measured = {"validation": val, "test": test, "seconds": table.seconds[rows]}
    if shape == "long":
        columns = {key: np.repeat(values, table.repeats) for key, values in columns.items()}
        columns["repeat"] = np.tile(np.arange(table.repeats), len(rows))
        columns |= {key: values.ravel() for key, values in measured.items()}
        costs = {key: np.repeat(values, table.repeats) for key, values in costs.items()}
    else:
        best = "_best" if table.selection == "best" else ""
        names = {"validation": f"val{best}", "test": f"test{best}", "seconds": "time"}
        for key, values in measured.items():
            for repeat in range(table.repeats):
                name = f"{table.task.name}_{names[key]}_repeat{repeat}"
                columns[name] = values[:, repeat]
    with column_file(path) as write:
        write(columns | costs)


def read_back(table: Table, path: Path) -> str:
    """Lines with the commands that make a table of the wide form again, with all that its columns
    do not say."""
    words = [] if table.epochs == table.task.epochs else [f"--epochs {table.epochs}"]
    words += [f"--values {table.values}"] if table.values else []
    line = " ".join([f"\nback: rlnas bench import-csv {quoted(path)} --family nb201", *words])
    return line + cost_columns.read_back(table.columns, table.name, path)


def in_its_unit(fractions: np.ndarray, metric: Metric) -> np.ndarray:
    """The inverse of `import_csv.to_fractions`, float64."""
    values = fractions.astype(np.float64)
    if metric.unit == "percent":
        return 100 * values
    with np.errstate(divide="ignore"):
        return np.log(values) if metric.unit == "negative loss" else values
