"""The columnar table of a NAS-Bench-101 benchmark: one `.npz`, opened whole.

Axes: M cells (canonical rows, ascending), B budgets in epochs (ascending), R repeats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir, embedded_dir, is_file
from rlnas.bench.names import valid_name
from rlnas.bench.nb101.forms import COUNTS
from rlnas.bench.nb101.published import OFFICIAL
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.repeats import repeat_mean
from rlnas.bench.values import Values

FORMAT, VERSION = "rlnas-nb101-table", 1
MEASURES = ("val", "test", "train", "seconds")
SMALL_BYTES = 1 << 23  # below this a table is compressed; above it, opening fast matters more
_DTYPES = {"row": np.int32, "epochs": np.int32, "params": np.int32, "curve_epochs": np.int32}


@dataclass(frozen=True, eq=False)
class Table:
    """A table in memory. The constructor does not check; `validate`, `load` and `save` do."""

    row: np.ndarray  # int32 [M], rows of the canonical table (sorted by vertices, bits, operations)
    epochs: np.ndarray  # int32 [B]
    params: np.ndarray  # int32 [M], trainable parameters
    val: np.ndarray  # float32 [M, B, R], fractions, NaN where missing
    test: np.ndarray  # float32 [M, B, R]
    train: np.ndarray  # float32 [M, B, R]
    seconds: np.ndarray  # float32 [M, B, R], training time
    meta: dict[str, Any] = field(default_factory=dict)  # see `make_meta`
    curve_epochs: np.ndarray | None = None  # int32 [C]
    curve_train: np.ndarray | None = (
        None  # float32 [M, R, C], accuracy on the training batches of an epoch
    )

    @property
    def name(self) -> str:
        return str(self.meta.get("name", ""))

    @property
    def repeats(self) -> int:
        return int(self.val.shape[2])

    @property
    def best_val(self) -> float:
        """Best mean validation accuracy at the largest budget; NaN when there is none."""
        return _best(self.val)

    @property
    def best_test(self) -> float:
        """Best mean test accuracy at the largest budget; NaN when there is none."""
        return _best(self.test)

    def values(self, epochs: int) -> Values | None:
        """What a value of that budget is, where that was declared."""
        declared = self.meta.get("values", {}).get(str(epochs))
        return Values.parse(declared) if declared else None

    def validate(self, where: str = "table") -> None:
        """Raise `UserError`, naming the first thing that is wrong."""

        def check(holds: bool, found: str, expected: str) -> None:
            if not holds:
                raise UserError(f"{where}: {found}, expected {expected}; make the table again")

        for key in ("format", "version", "name", "max_vertices"):
            check(key in self.meta, f"no {key!r} in its metadata", "a table made by rlnas")
        valid_name(self.meta["name"], f"{where}: table name")
        vertices = self.meta["max_vertices"]
        check(
            vertices in COUNTS,
            f"max_vertices {vertices!r} in its metadata",
            f"one of {list(COUNTS)}",
        )
        found = f"format {self.meta['format']!r} version {self.meta['version']!r}"
        check(
            (self.meta["format"], self.meta["version"]) == (FORMAT, VERSION),
            found,
            f"{FORMAT!r} version {VERSION}",
        )
        check(self.row.ndim == 1 and self.row.size > 0, f"row of shape {self.row.shape}", "[cells]")
        check(
            self.epochs.ndim == 1 and self.epochs.size > 0,
            f"epochs of shape {self.epochs.shape}",
            "[budgets]",
        )
        check(
            bool((np.diff(self.row) > 0).all() and self.row[0] >= 0),
            "rows out of order",
            "ascending rows",
        )
        check(bool((np.diff(self.epochs) > 0).all()), f"epochs {self.epochs}", "ascending epochs")
        total = sum(count for v, count in COUNTS.items() if v <= vertices)
        check(int(self.row[-1]) < total, f"row {self.row[-1]}", f"rows below {total}")
        check(
            self.params.shape == self.row.shape,
            f"params of shape {self.params.shape}",
            f"{self.row.shape}",
        )
        shape = (self.row.size, self.epochs.size, self.val.shape[-1] if self.val.ndim == 3 else 1)
        for key in MEASURES:
            values = getattr(self, key)
            check(
                values.shape == shape and shape[2] > 0, f"{key} of shape {values.shape}", f"{shape}"
            )
            highest = np.inf if key == "seconds" else 1
            inside = not ((values < 0) | (values > highest)).any()
            check(inside, f"{key} outside its range", "fractions from 0 to 1 and seconds from 0 up")
        if self.curve_train is not None and self.curve_epochs is not None:
            shape = (self.row.size, shape[2], self.curve_epochs.size)
            check(
                self.curve_train.shape == shape,
                f"curve_train of shape {self.curve_train.shape}",
                f"{shape}",
            )

    @classmethod
    def load(cls, path: Path | str) -> Table:
        """Open and check a table; a file that is none, or a damaged one, is a `UserError`."""
        arrays, meta = load_npz(path, hint="`rlnas bench list` shows the tables that are there")
        missing = [key for key in ("row", "epochs", "params", *MEASURES) if key not in arrays]
        if missing:
            raise UserError(
                f"{path}: no array {missing[0]!r}, expected a table made by rlnas; make it again"
            )
        fields = {key: value for key, value in arrays.items() if key in cls.__dataclass_fields__}
        for key, value in fields.items():
            dtype = np.dtype(_DTYPES.get(key, np.float32))
            if value.dtype != dtype:
                raise UserError(
                    f"{path}: {key} is {value.dtype}, expected {dtype}; make the table again"
                )
        table = cls(**fields, meta=meta)
        table.validate(str(path))
        return table

    def save(self, path: Path | str) -> None:
        """Write the whole table or nothing."""
        self.validate(f"table {self.name!r}")
        arrays = {key: getattr(self, key) for key in ("row", "epochs", "params", *MEASURES)}
        if self.curve_train is not None and self.curve_epochs is not None:
            arrays |= {"curve_epochs": self.curve_epochs, "curve_train": self.curve_train}
        arrays = {
            key: np.asarray(value, _DTYPES.get(key, np.float32)) for key, value in arrays.items()
        }
        small = sum(a.nbytes for a in arrays.values()) < SMALL_BYTES
        meta = {key: value for key, value in self.meta.items() if key not in ("format", "version")}
        save_npz(path, (FORMAT, VERSION), arrays, compressed=small, **meta)


def _best(values: np.ndarray) -> float:
    means = repeat_mean(values[:, -1])
    return float("nan") if np.isnan(means).all() else float(np.nanmax(means))


def make_meta(
    name: str,
    *,
    max_vertices: int,
    source: str,
    recipe: dict[str, Any] | None = None,
    splits: dict[str, Any] | None = None,
    notes: list[str] | None = None,
    values: dict[str, str] | None = None,
    created_by: str = "rlnas",
) -> dict[str, Any]:
    """The metadata of a table: max_vertices names the space, splits the sizes of the data splits;
    values: by budget, what a value is (`rlnas.bench.values`)."""
    meta = {"values": values} if values else {}
    return meta | {
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "max_vertices": max_vertices,
        "source": source,
        "recipe": recipe or {},
        "splits": splits or {},
        "notes": notes or [],
        "created_by": created_by,
    }


def tables_dir() -> Path:
    """Where converted and imported tables live."""
    return cache_dir() / "tables"


def available() -> dict[str, Path]:
    """Every named table that is there; a user's own table goes before an embedded one of that
    name."""
    folders = (embedded_dir(), tables_dir())
    return {
        path.stem: path
        for folder in folders
        for path in sorted(folder.glob("*.npz"))
        if path.name[0] != "."
    }


def find(name_or_path: str | Path) -> Path:
    """The file of a table given by name or path."""
    tables = available()
    if str(name_or_path) in tables:
        return tables[str(name_or_path)]
    if is_file(name_or_path):
        return Path(name_or_path)
    known = ", ".join(tables) or "none yet"
    raise UserError(
        f"no table {str(name_or_path)!r}: neither a known name ({known}) nor a file; "
        "`rlnas bench list` says how to get more"
    )


def default_path(name: str) -> Path:
    """Where a table of that name belongs."""
    return tables_dir() / f"{valid_name(name, 'table name')}.npz"


def new_path(name: str, *, official: bool = False) -> Path:
    """`default_path`, but the names of the official tables are theirs alone."""
    if not official and name in {o.name for o in OFFICIAL}:
        raise UserError(f"table name {name!r} belongs to the official table; choose another --name")
    return default_path(name)
