"""What the commands say of a table."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp

from rlnas.bench.cost_columns import described
from rlnas.bench.family import Made
from rlnas.bench.nb201 import table as tables
from rlnas.bench.nb201.benchmark import from_table, held
from rlnas.bench.nb201.table import SELECTIONS, Table

UNITS = {
    "percent": "percents as fractions",
    "fraction": "as it is; below 0 counts as 0",
    "negative loss": "exp of the negative loss, so that it is a fraction",
}


def made(path: Path) -> Made:
    """What `rlnas bench import-csv` says of a table."""
    table = tables.load(path)
    named = tables.available().get(table.name) == path
    size = table.task.variant.size
    what = f"{table.name}, {table.cells:,} of {size:,} cells, {table.measure}"
    notes = [*table.notes, *(f"{label}: {text}" for label, text in _declared(table))]
    return Made(path, table.name if named else str(path), what, tuple(notes))


def _declared(table: Table) -> list[tuple[str, str]]:
    """Lines about a partial table, and about values that are no single trainings."""
    cells = held(table)
    lines = [("partial", cells)] if cells else []
    return [*lines, ("values", table.values.caption)] if table.values else lines


def table_facts(table: Table) -> list[tuple[str, str]]:
    """Lines of `rlnas bench info`."""
    task, benchmark = table.task, from_table(table)
    space = benchmark.space
    best = int(jnp.nanargmax(benchmark.mean_val))
    lines = [
        ("name", table.name),
        ("space", f"{task.variant.title}: 6 edges, {space.ops} operations"),
        ("source", table.source),
        ("cells", f"{table.cells:,} with a value of {space.size:,}"),
        ("distinct", f"{space.num_distinct:,} when isomorphic cells count as one"),
        ("measure", f"{task.metric.name} ({UNITS[task.metric.unit]})"),
        ("selection", SELECTIONS[table.selection]),
        ("epochs", str(table.epochs)),
        ("repeats", str(table.repeats)),
        *_declared(table),
        *described(table.columns),
        ("best validation", f"{float(benchmark.mean_val[best]):.6f}"),
        ("its cell", f"{space.format(space.at(best))}, number {best}"),
        ("optimum", f"{float(benchmark.optimum):.6f} ({benchmark.reports})"),
    ]
    return [*lines, *(("note", note) for note in table.notes)]
