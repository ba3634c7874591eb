"""What the commands say of a table."""

from __future__ import annotations

from pathlib import Path

from rlnas.bench.agreement import agreement
from rlnas.bench.cost_columns import described
from rlnas.bench.family import Made
from rlnas.bench.nb101.about import held
from rlnas.bench.nb101.table import Table


def made(path: Path, *, named: bool) -> Made:
    """What `rlnas bench convert` and `import-csv` say of a table. named: it is in its usual
    place."""
    table = Table.load(path)
    notes = [*table.meta["notes"], *(f"{label}: {text}" for label, text in _declared(table))]
    return Made(path, table.name if named else str(path), size_of(table), tuple(notes))


def _declared(table: Table) -> list[tuple[str, str]]:
    """Lines about a partial table, and about values that are no single trainings."""
    cells = held(table)
    lines = [("partial", cells)] if cells else []
    for epochs in table.epochs.tolist():
        if values := table.values(epochs):
            lines.append((f"values at {epochs} epochs", values.caption))
    return lines


def size_of(table: Table) -> str:
    budgets = ", ".join(map(str, table.epochs))
    repeats = "1 repeat" if table.repeats == 1 else f"{table.repeats} repeats"
    return f"{len(table.row):,} cells x {repeats} at {budgets} epochs"


def table_facts(table: Table) -> list[tuple[str, str]]:
    meta, top = table.meta, int(table.epochs[-1])

    def accuracy(value: float) -> str:
        return "unknown" if value != value else f"{value:.6f} (mean over repeats, {top} epochs)"

    lines = [
        ("name", table.name),
        ("source", meta.get("source", "")),
        ("cells", f"{len(table.row):,}, at most {meta['max_vertices']} vertices"),
        ("budgets", ", ".join(map(str, table.epochs)) + " epochs"),
        ("fidelities", table.budgets.caption),
        ("repeats", str(table.repeats)),
        *_declared(table),
        ("parameters", f"{table.params.min():,} to {table.params.max():,}"),
        *described(table.columns),
        ("best validation", accuracy(table.best_val)),
        ("best test", accuracy(table.best_test)),
    ]
    measured = [(epochs, agreement(table.val[:, i])) for i, epochs in enumerate(table.epochs)]
    measured = [(e, found) for e, found in measured if found.repeats > 1 and found.cells > 2]
    if not measured:
        lines.append(("noise", "unknown: it takes two repeats of three cells"))
    lines += [(f"noise at {epochs} epochs", str(found)) for epochs, found in measured]
    for key in ("splits", "recipe"):
        if meta.get(key):
            lines.append((key, ", ".join(f"{k} {v}" for k, v in meta[key].items())))
    return [*lines, *(("note", note) for note in meta.get("notes", []))]
