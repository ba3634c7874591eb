"""A table of NAS-Bench-201's or TransNAS-Bench-101's cells that takes columns of costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rlnas.bench.csv_file import Batch, CsvFile, Name
from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.import_csv import CELL, cell_column, number_of_line
from rlnas.bench.nb201.table import load
from rlnas.bench.objectives import Column


class CellColumns:
    """See `rlnas.bench.add_columns.ColumnTable`."""

    def __init__(self, path: Path) -> None:
        self.path, self.table = path, load(path)
        self.columns = self.table.columns
        self.size = self.table.task.variant.size
        order = cell.official_order(self.table.task.variant)
        self.number_of = {digits: number for number, digits in enumerate(order)}

    def is_cell(self, name: Name) -> bool:
        return cell_column(name) is not None

    def places(self, file: CsvFile, names: Sequence[Name], batch: Batch) -> np.ndarray:
        which = [(kind, i) for i, name in enumerate(names) if (kind := cell_column(name))]
        if not which:
            raise UserError(
                f"{file.path}: no column says which cell a line is; expected one of "
                f"{', '.join(CELL)}"
            )
        variant = self.table.task.variant
        return np.array(
            [
                number_of_line(
                    file.where(line),
                    variant,
                    self.number_of,
                    [(kind, batch.fields[i][place]) for kind, i in which],
                )
                for place, line in enumerate(batch.lines)
            ]
        )

    def save(self, columns: Sequence[Column], out: Path) -> None:
        replace(self.table, columns=tuple(columns)).save(out)
