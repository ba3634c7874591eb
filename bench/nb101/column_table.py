"""A table of NAS-Bench-101 cells that takes columns of costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlnas.bench.csv_file import Batch, CsvFile, Name
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.csv_cells import rows_of_lines
from rlnas.bench.nb101.csv_header import ALIASES, CELL, Header
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb101.table import Table
from rlnas.bench.objectives import Column

ARCH = "arch"
"""A column of cells as `CellSpace.format` writes them."""


class CellColumns:
    """See `rlnas.bench.add_columns.ColumnTable`."""

    def __init__(self, path: Path) -> None:
        self.path, self.table = path, Table.load(path)
        self.columns = self.table.columns
        self.size = len(self.table.row)
        self.reference = Reference(self.table.meta["max_vertices"])
        self.space = make_space(
            np.arange(len(self.reference.cells.bits), dtype=np.int32),
            self.table.meta["max_vertices"],
        )

    def is_cell(self, name: Name) -> bool:
        return name.known == ARCH or ALIASES.get(name.known, name.known) in CELL

    def places(self, file: CsvFile, names: Sequence[Name], batch: Batch) -> np.ndarray:
        known = [ALIASES.get(name.known, name.known) for name in names]
        plain = {name: i for i, name in enumerate(known) if name in CELL}
        if ARCH in known:
            rows = self._parsed(file, batch, known.index(ARCH))
        elif "module_hash" in plain or ("ops" in plain and {*plain} & {*CELL[1:3]}):
            rows = rows_of_lines(file, Header(plain, (), ()), batch, self.reference)
        else:
            raise UserError(
                f"{file.path}: no column says which cell a line is; expected arch, module_hash, or "
                "ops with upper_triangle_bits or adjacency"
            )
        at = np.minimum(np.searchsorted(self.table.row, rows), self.size - 1)
        return np.where(self.table.row[at] == rows, at, -1)

    def _parsed(self, file: CsvFile, batch: Batch, column: int) -> np.ndarray:
        found = np.empty(len(batch.lines), np.int64)
        for i, text in enumerate(batch.fields[column]):
            try:
                found[i] = self.space.row(text)
            except UserError as error:
                raise UserError(f"{file.where(batch.lines[i])}: {error}") from None
        return found

    def save(self, columns: Sequence[Column], out: Path) -> None:
        self.table.with_columns(columns).save(out)
