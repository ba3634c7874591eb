"""One data set's or task's table of a cell space: an `.npz` of val, test and seconds by number."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from rlnas.bench import cost_columns
from rlnas.bench.checks import ArrayOf, Each, Fields, Text, Whole, check, check_arrays
from rlnas.bench.cost_columns import COSTS
from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir
from rlnas.bench.nb201 import tasks
from rlnas.bench.nb201.tasks import Task
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.objectives import Column
from rlnas.bench.values import Values

FORMAT = ("rlnas-nb201-table", 3)
READ = (1, 2, 3)
"""Version 1, of older rlnas, has no digest: only the checksums of the zip speak for it. Version 2
has no columns of costs."""
MEASURES = ("val", "test", "seconds")
SELECTIONS = {"last": "at the last epoch", "best": "best over the epochs"}
"""What a value is. A maximum over the epochs is optimistic, that of a test measure most of all."""
HOW = "`rlnas bench import-csv --family nb201` makes it of a CSV file"
MOST_REPEATS = 1 << 10
ARRAYS = {
    "val": ArrayOf("float32", ("cells", "repeats"), 0, 1, nan=True),
    "test": ArrayOf("float32", ("cells", "repeats"), 0, 1, nan=True),
    "seconds": ArrayOf("float32", ("cells", "repeats"), 0, nan=True),
}
META = Fields(
    {
        "name": Text(),
        "selection": Text(tuple(SELECTIONS)),
        "epochs": Whole(),
        "source": Text(),
        "notes": Each(Text()),
    },
    {"values": Text(), COSTS: cost_columns.META},
)


@dataclass(frozen=True, eq=False)
class Table:
    """val, test: fractions, larger is better, NaN where there is no measurement. seconds: of a
    training. values: what a value is, where that was declared. columns: of costs, by number."""

    task: Task
    val: Float32[np.ndarray, "size repeats"]
    test: Float32[np.ndarray, "size repeats"]
    seconds: Float32[np.ndarray, "size repeats"]
    selection: str = "last"
    epochs: int = 0
    values: Values | None = None
    source: str = ""
    notes: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @property
    def name(self) -> str:
        return self.task.benchmark

    @property
    def cells(self) -> int:
        """How many cells have a validation value."""
        return int((~np.isnan(self.val)).any(axis=1).sum())

    @property
    def repeats(self) -> int:
        return int(self.val.shape[1])

    @property
    def measure(self) -> str:
        """What the fractions are, e.g. `SSIM (best over the epochs)`."""
        best = f" ({SELECTIONS['best']})" if self.selection == "best" else ""
        return self.task.metric.name + best

    def validate(self, where: str) -> None:
        """`UserError` naming the first thing that is wrong."""
        arrays = {key: getattr(self, key) for key in MEASURES}
        sizes = {"cells": self.task.variant.size}
        repeats = check_arrays(arrays, ARRAYS, where, HOW, sizes=sizes)["repeats"]
        if not 1 <= repeats <= MOST_REPEATS:
            raise UserError(f"{where}: {repeats:,} repeats; expected 1 to {MOST_REPEATS:,}")
        if self.selection not in SELECTIONS:
            raise UserError(f"{where}: selection {self.selection!r}; expected last or best")
        if any(column.values.shape != (self.task.variant.size,) for column in self.columns):
            raise UserError(f"{where}: a column of costs has another length; {HOW}")
        if not self.cells:
            raise UserError(
                f"{where}: no cell has a validation value; expected one, there is nothing else to "
                "search by"
            )

    def save(self, path: Path) -> None:
        """Write the whole table or nothing."""
        self.validate(self.name)
        arrays = {key: np.asarray(getattr(self, key), np.float32) for key in MEASURES}
        costs, about = cost_columns.to_table(self.columns)
        arrays |= {} if costs is None else {COSTS: costs}
        save_npz(
            path, FORMAT, arrays, compressed=True, name=self.name, selection=self.selection,
            epochs=self.epochs, values=str(self.values or ""), source=self.source,
            notes=list(self.notes), costs=about,
        )  # fmt: skip


def load(path: Path) -> Table:
    """Open and check a table; a file that is none, or a damaged one, is a `UserError`."""
    arrays, meta = load_npz(path, hint=HOW, seal=(FORMAT[0], 2))
    found = meta["format"], meta["version"]
    missing = [key for key in MEASURES if key not in arrays]
    if found[0] != FORMAT[0] or found[1] not in READ or missing:
        raise UserError(
            f"{path}: format {found[0]!r} version {found[1]}; expected {FORMAT[0]!r} version "
            f"{FORMAT[1]}; {HOW}"
        )
    check(meta, META, path, HOW)
    costs = arrays.get(COSTS)
    if costs is not None:
        check_arrays({COSTS: costs}, {COSTS: cost_columns.ARRAY}, path, HOW)
    table = Table(
        tasks.of_benchmark(meta["name"]),
        val=arrays["val"],
        test=arrays["test"],
        seconds=arrays["seconds"],
        selection=meta["selection"],
        epochs=meta["epochs"],
        values=Values.parse(meta["values"]) if meta.get("values") else None,
        source=meta["source"],
        notes=tuple(meta["notes"]),
        columns=cost_columns.from_table(costs, meta.get(COSTS, []), path, HOW),
    )
    table.validate(str(path))
    return table


def folder() -> Path:
    """Where imported tables are kept."""
    return cache_dir() / "nb201"


def available() -> dict[str, Path]:
    """name -> file of the tables that are here."""
    paths = {name: folder() / f"{name}.npz" for name in tasks.names()}
    return {name: path for name, path in paths.items() if path.is_file()}


def find(name_or_path: str) -> Path:
    """The file of a table given by name or path."""
    if name_or_path.endswith(".npz"):
        return Path(name_or_path)
    tasks.of_benchmark(name_or_path)
    here = available()
    if name_or_path not in here:
        raise UserError(f"no table {name_or_path} here (found {', '.join(here) or 'none'}); {HOW}")
    return here[name_or_path]
