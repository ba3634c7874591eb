"""A table of NAS-Bench-101 cells as a `Benchmark`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import SeveralBudgets
from rlnas.bench.files import sha256
from rlnas.bench.nb101.about import about
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb101.table import Table, find
from rlnas.bench.noise import NoiseLike
from rlnas.bench.objectives import PARAMS, Column
from rlnas.bench.table_benchmark import TableBenchmark
from rlnas.bench.values import SINGLE


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellBenchmark(TableBenchmark):
    """One budget (epochs) of a table with M cells and R repeats, over a `CellSpace`."""

    def lookup(self, cell: Any, key: Any = None) -> QueryResult:
        """Python side: look up a `Cell` in any isomorphic form, its text, or a row of the space.
        key: a jax.random.key, for `sample`. Raises `UserError` with the reason when it cannot
        be."""
        return self.answer(
            self.space.parse(cell), key, f" at {self.epochs} epochs",
            f"choose another budget or noise policy (`rlnas bench info {self.name}`)",
        )  # fmt: skip

    def restrict(self, places: np.ndarray) -> CellBenchmark:
        """The benchmark of some of the rows (ascending): the others, and the ways through them, are
        gone."""
        rows = np.asarray(self.space.rows)[places]
        return self.part(make_space(rows, int(self.space.num_vertices()[places].max())), places)


def from_table(
    table: Table, *, epochs: int | None = None, noise: NoiseLike = "mean", sha256: str = ""
) -> CellBenchmark:
    """The benchmark of one budget of `table` (default: the largest). `UserError` for a budget it
    lacks."""
    budgets = [int(e) for e in table.epochs]
    epochs = budgets[-1] if epochs is None else epochs
    if epochs not in budgets:
        raise UserError(f"no budget of {epochs} epochs in {table.name}; expected one of {budgets}")
    column = budgets.index(epochs)
    space = make_space(np.asarray(table.row), table.meta["max_vertices"])
    values = table.values(epochs)
    return CellBenchmark.of(
        space,
        *(x[:, column] for x in (table.val, table.test, table.seconds)),
        name=table.name,
        family="nb101",
        epochs=epochs,
        noise=noise,
        sha256=sha256,
        about=about(table, epochs, space),
        values=str(values) if values and values != SINGLE else "",
        columns=[Column(PARAMS, table.params), *table.columns],
    )


def fidelities(
    name_or_path: str, *, epochs: int | None = None, noise: NoiseLike = "mean"
) -> SeveralBudgets:
    """A table with all its budgets up to `epochs`."""
    path = find(name_or_path)
    stored, digest = Table.load(path), sha256(path)
    table, budgets = stored.with_seconds(), stored.budgets
    top = from_table(table, epochs=epochs, noise=noise, sha256=digest)
    below = [e for e in budgets.epochs if e < (top.epochs or 0)]
    lower = [from_table(table, epochs=e, noise=noise, sha256=digest) for e in below]
    return SeveralBudgets.of([*lower, top], budgets.continues, budgets.estimated)


def load(
    name_or_path: str, *, epochs: int | None = None, noise: NoiseLike = "mean"
) -> CellBenchmark:
    """Open a table by name (embedded or converted) or by path."""
    path = find(name_or_path)
    return from_table(Table.load(path), epochs=epochs, noise=noise, sha256=sha256(path))
