"""`rlnas bench add-columns`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from rlnas.bench.family import family_of
from rlnas.bench.files import quoted
from rlnas.bench.names import valid_text


@dataclass(frozen=True)
class AddColumns:
    """Put columns of costs, such as latency or energy, from a CSV file into a table.

    A line names its cell as `import-csv` of the table's family reads it (arch or idx; module_hash,
    or ops with upper_triangle_bits or adjacency), or by a column arch as `rlnas bench latency`
    writes it. A column's unit stands in its header: raspi4 (ms), latency_ms. A column of a name
    that is there is replaced. What was measured for a network that computes nothing is degenerate,
    a hundredth of the column's median and less; it is said what becomes of it.

    Examples:
      rlnas bench add-columns nb201-cifar100 latency.csv --unit ms
      rlnas bench add-columns nb201-cifar100 latency.csv --columns raspi4 fpga=zynq --unit ms
      rlnas bench add-columns mine.npz energy.csv --degenerate exclude --out other.npz
    """

    table: Positional[str]
    """Name or path of a table."""
    file: Positional[Path]
    """A CSV file with a header line, plain or gzipped."""
    columns: tuple[str, ...] = ()
    """Which, by NAME or NAME_IN_THE_FILE=NAME; default: all that hold numbers."""
    unit: str = ""
    """Of the columns whose header says none, e.g. ms."""
    degenerate: Literal["floor", "exclude", "keep"] = "floor"
    """Degenerate values are raised to the smallest other one, left out, or kept."""
    note: str = ""
    """Kept with the columns, e.g. the machine they are of."""
    out: Path | None = None
    """Where to write; default: the table itself."""

    def run(self) -> None:
        from rlnas.bench.add_columns import add_columns, announced

        valid_text(self.unit, "--unit")
        table = family_of(self.table).column_table(self.table)
        out = self.out or table.path
        added = add_columns(
            table, self.file, out, columns=self.columns, unit=self.unit,
            degenerate=self.degenerate, note=valid_text(self.note, "--note"),
        )  # fmt: skip
        print(announced(added, quoted(out)))
