"""`rlnas bench export`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from rlnas.bench.bounds import ExportFile
from rlnas.bench.errors import UserError
from rlnas.bench.family import family_of
from rlnas.bench.files import quoted

FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class Export:
    """Write a table as CSV or parquet, with its columns of costs.

    Says with which commands a table is made of the file again.
    """

    table: Positional[str]
    """Name or path of a table."""
    format: str = "csv"
    """csv or parquet; the ending of --out goes before it."""
    shape: str = "long"
    """long: a line a run; wide: a line a cell."""
    out: ExportFile = None
    """File to write; default: NAME.csv or NAME.parquet here."""

    def run(self) -> None:
        if self.format not in FORMATS:
            raise UserError(f"--format {self.format}: expected one of {', '.join(FORMATS)}")
        if self.shape not in ("long", "wide"):
            raise UserError(f"--shape {self.shape}: expected long or wide")
        path = self.out or Path(f"{Path(self.table).name.removesuffix('.npz')}.{self.format}")
        print(f"{quoted(path)}: {family_of(self.table).export(self.table, path, self.shape)}")
