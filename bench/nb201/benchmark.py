"""A table of NAS-Bench-201 or TransNAS-Bench-101 micro as a `Benchmark`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from rlnas.bench.benchmark import QueryResult
from rlnas.bench.connected import connectivity
from rlnas.bench.errors import UserError
from rlnas.bench.files import sha256
from rlnas.bench.nb201 import table as tables
from rlnas.bench.nb201.space import CellPart, CellSpace
from rlnas.bench.nb201.table import Table
from rlnas.bench.nb201.tasks import ACCURACY
from rlnas.bench.noise import NoiseLike
from rlnas.bench.table_benchmark import TableBenchmark
from rlnas.bench.values import PREDICTED, SINGLE


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellBenchmark(TableBenchmark):
    """One data set or task, over a `CellSpace`; row i is cell number i, measured or not."""

    def describe(self) -> dict[str, Any]:
        """One repeat may be a mean over several trainings, so captions do not count them."""
        facts = super().describe()
        return facts if facts["repeats"] != 1 else facts | {"repeats": None}

    def lookup(self, cell: Any, key: Any = None) -> QueryResult:
        """Python side: look a cell up by its text or its digits. key: a jax.random.key, for
        `sample`. Raises `UserError` with the reason when it cannot be."""
        return self.answer(
            self.space.parse(cell), key, advice="choose another cell or noise policy"
        )

    def restrict(self, places: np.ndarray) -> CellBenchmark:
        """The benchmark of some of the cells, by number (ascending): the others, and the ways
        through them, are gone."""
        part: CellBenchmark = self.part(CellPart.of(self.space, np.asarray(places)), places)
        return part


def from_table(table: Table, *, noise: NoiseLike = "mean", sha256: str = "") -> CellBenchmark:
    """The benchmark of a table: it reports the test measure, or the validation measure where there
    is no other."""
    split = "validation" if np.isnan(table.test).all() else "test"
    return CellBenchmark.of(
        CellSpace(table.task.variant.ops), table.val, table.test, table.seconds,
        name=table.name, family="nb201", epochs=table.epochs, noise=noise,
        reports=f"{split} {table.measure}", sha256=sha256, about=about(table),
        values=str(table.values) if table.values not in (None, SINGLE) else "",
        columns=table.columns,
    )  # fmt: skip


def held(table: Table) -> str:
    """Which cells have a value and how they hang together; "" where all have."""
    size = table.task.variant.size
    if table.cells == size:
        return ""
    space = CellSpace(table.task.variant.ops)
    found = connectivity(space.offsets, space.flat, ~np.isnan(table.val).all(axis=1))
    return f"{table.cells:,} of {size:,} cells ({found}) have a value"


def about(table: Table) -> str:
    """What captions say of the numbers."""
    what = "predictions" if table.values == PREDICTED else "trained cells"
    said = [
        f"{table.name} is a table of {what}, imported from {table.source or 'elsewhere'}",
        held(table),
    ]
    if table.task.metric is not ACCURACY:
        said.append(f"its fractions are {table.task.metric.name}")
    if table.values:
        said.append(table.values.caption)
    if table.selection == "best":
        said.append("each value is the best over the epochs, which is optimistic")
    return "; ".join(filter(None, [*said, *table.notes]))


def load(
    name_or_path: str, *, epochs: int | None = None, noise: NoiseLike = "mean"
) -> CellBenchmark:
    """Open a table by name or path. `UserError` for a budget it lacks: it has one."""
    path = tables.find(name_or_path)
    table = tables.load(path)
    if epochs not in (None, table.epochs):
        raise UserError(
            f"no budget of {epochs} epochs in {table.name}; expected {table.epochs}, the only one "
            "it has"
        )
    return from_table(table, noise=noise, sha256=sha256(path))
