"""`rlnas bench import-csv --family nb101`."""

from __future__ import annotations

from dataclasses import dataclass, field

from rlnas.bench.commands.import_csv import ImportCsv
from rlnas.bench.family import Made


@dataclass(frozen=True)
class ImportCells(ImportCsv):
    """Import any CSV table of NAS-Bench-101 cells.

    A line names its cell by module_hash, or by ops with upper_triangle_bits or adjacency, and holds
    validation_accuracy and, if known, test_accuracy, train_accuracy (fractions), training_time (s).
    Long form: columns epochs and repeat. Wide form: validation_accuracy_108ep_repeat0 and so on;
    short names are known too (val, val_108, seconds_108). A column that is in another unit than the
    rest says so by its name, test_accuracy_percent or test_accuracy_fraction, or by % signs.
    """

    name: str = field(kw_only=True)
    """Name of the table."""
    percent: bool = False
    """Accuracies are percentages, where neither a column's name nor % signs say what it is."""
    continues: bool = False
    """Budgets are checkpoints of one training, so that to go on costs the difference; else each is
    a training of its own, as in NAS-Bench-101."""
    max_vertices: int = 7
    """Look for cells with at most so many vertices."""

    def read(self) -> list[Made]:
        from rlnas.bench.nb101.facts import made
        from rlnas.bench.nb101.import_csv import import_csv

        path = import_csv(
            self.file,
            self.out,
            name=self.name,
            columns=self.columns,
            epochs=self.epochs,
            percent=self.percent,
            values=self.values,
            notes=self.note,
            continues=self.continues,
            max_vertices=self.max_vertices,
        )
        return [made(path, named=self.out is None)]
