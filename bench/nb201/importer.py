"""`rlnas bench import-csv --family nb201`."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.bench.commands.import_csv import ImportCsv
from rlnas.bench.family import Made


@dataclass(frozen=True)
class ImportCells(ImportCsv):
    """Import a CSV table of NAS-Bench-201 or TransNAS-Bench-101 micro cells.

    A line names its cell by arch (official string or six digits) or idx, and holds columns such as
    cifar100_val, c10v_test, class_scene_val_best, autoencoder_time_s. Every data set or task in the
    file becomes a benchmark: nb201-cifar100, tnb101-class_scene. Columns it does not know are
    passed over. --out is a folder; --epochs is by default the benchmark's own number.

    Examples:
      rlnas bench import-csv --family nb201 nb201.csv.gz --note 'mean over the seeds there are'
      rlnas bench import-csv --family nb201 mine.csv --columns acc=cifar100_val --fractions
    """

    fractions: bool = False
    """Accuracies and mean IoU are fractions, where neither a column's name (cifar100_val_percent)
    nor % signs say what it is; without it they are percents."""

    def read(self) -> list[Made]:
        from rlnas.bench.nb201.facts import made
        from rlnas.bench.nb201.import_csv import import_csv

        done = import_csv(
            self.file, self.out, columns=self.columns, fractions=self.fractions,
            epochs=self.epochs, values=self.values, notes=self.note,
        )  # fmt: skip
        files = [made(path) for path in done.paths]
        if done.skipped:
            said = f"columns passed over: {', '.join(done.skipped)}"
            files[-1] = files[-1]._replace(notes=(*files[-1].notes, said))
        return files
