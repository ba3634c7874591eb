"""The columnar table of a NAS-Bench-101 benchmark: one `.npz`, opened whole.

Axes: M cells (canonical rows, ascending), B budgets in epochs (ascending), R repeats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench import cost_columns
from rlnas.bench.arguments import shown, whole
from rlnas.bench.budgets import Budgets
from rlnas.bench.checks import ArrayOf, Each, Fields, Text, Whole, check, check_arrays
from rlnas.bench.cost_columns import COSTS
from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir, embedded_dir, is_file
from rlnas.bench.names import valid_name
from rlnas.bench.nb101.forms import COUNTS
from rlnas.bench.nb101.published import OFFICIAL
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.objectives import Column
from rlnas.bench.repeats import repeat_mean
from rlnas.bench.values import Values

FORMAT, VERSION = "rlnas-nb101-table", 3
READ = (1, 2, 3)
"""Version 1, of older rlnas, has no digest: only the checksums of the zip speak for it. Version 2
has no columns of costs."""
MEASURES = ("val", "test", "train", "seconds")
SMALL_BYTES = 1 << 23  # below this a table is compressed; above it, opening fast matters more
MOST_REPEATS = 1 << 16
AGAIN = "make the table again"
_MEASURED = {
    key: ArrayOf("float32", ("cells", "budgets", "repeats"), 0, 1, nan=True)
    for key in ("val", "test", "train")
}
ARRAYS = {
    "row": ArrayOf("int32", ("cells",), 0),
    "epochs": ArrayOf("int32", ("budgets",), 0),
    "params": ArrayOf("int32", ("cells",), 0),
    **_MEASURED,
    "seconds": ArrayOf("float32", ("cells", "budgets", "repeats"), 0, nan=True),
    "curve_epochs": ArrayOf("int32", ("curve",), 0),
    "curve_train": ArrayOf("float32", ("cells", "repeats", "curve"), 0, 1, nan=True),
    COSTS: cost_columns.ARRAY,
}
CURVE = ("curve_epochs", "curve_train")
OPTIONAL = (*CURVE, COSTS)
META = Fields(
    {"name": Text(), "max_vertices": Whole(min(COUNTS), max(COUNTS))},
    {
        "source": Text(),
        "recipe": Fields(),
        "splits": Fields(others=Whole()),
        "notes": Each(Text()),
        "values": Fields(others=Text()),
        "created_by": Text(),
        COSTS: cost_columns.META,
    },
)


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
    costs: np.ndarray | None = None  # float32 [M, columns], what `meta["costs"]` names

    @property
    def name(self) -> str:
        return str(self.meta.get("name", ""))

    @property
    def repeats(self) -> int:
        return int(self.val.shape[2])

    @property
    def budgets(self) -> Budgets:
        """What fidelities it has. Its recipe says where they are checkpoints of one training; by
        itself a budget is a training of its own, as in NAS-Bench-101."""
        epochs = tuple(map(int, self.epochs))
        known = (~np.isnan(self.seconds)).any((0, 2))
        return Budgets(
            epochs,
            continues=bool(self.meta.get("recipe", {}).get("checkpoints")),
            estimated=bool(known[-1] and not known.all()),
        )

    def with_seconds(self) -> Table:
        """What trainings of a budget took, where that is known of none of them, but of whole ones:
        their share of the epochs."""
        seconds = self.seconds.copy()
        for i in np.flatnonzero(np.isnan(seconds).all((0, 2))):
            seconds[:, i] = seconds[:, -1] * np.float32(self.epochs[i] / self.epochs[-1])
        return replace(self, seconds=seconds)

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

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of costs."""
        return cost_columns.from_table(self.costs, self.meta.get(COSTS, []), self.name, AGAIN)

    def with_columns(self, columns: Sequence[Column]) -> Table:
        """The same with these columns of costs."""
        costs, about = cost_columns.to_table(columns)
        return replace(self, costs=costs, meta=self.meta | {COSTS: about})

    def validate(self, where: str = "table") -> None:
        """Raise `UserError`, naming the first thing that is wrong."""
        found = self.meta.get("format"), self.meta.get("version")
        if found[0] != FORMAT or found[1] not in READ:
            raise UserError(
                f"{where} is {shown(found[0])} version {shown(found[1])}, expected {FORMAT!r} "
                f"version {VERSION}; {AGAIN}"
            )
        check(self.meta, META, where, AGAIN)
        valid_name(self.meta["name"], f"{where}: table name")
        arrays = {key: getattr(self, key) for key in ARRAYS if getattr(self, key) is not None}
        sizes = check_arrays(arrays, ARRAYS, where, AGAIN, optional=OPTIONAL)
        total = sum(count for v, count in COUNTS.items() if v <= self.meta["max_vertices"])
        wrong = next((what for holds, what in (
            (min(sizes[axis] for axis in ("cells", "budgets", "repeats")) > 0, "nothing in it"),
            (sizes["repeats"] <= MOST_REPEATS, f"{sizes['repeats']:,} repeats"),
            ((np.diff(self.row) > 0).all(), "rows that do not ascend"),
            ((np.diff(self.epochs) > 0).all(), "epochs that do not ascend"),
            (self.row[-1:].max(initial=0) < total, f"rows of {total:,} and above"),
            ((self.curve_train is None) == (self.curve_epochs is None), "half a curve"),
            (not np.isnan(self.val).all(), "no validation accuracy"),
        ) if not holds), "")  # fmt: skip
        if wrong:
            raise UserError(f"{where} has {wrong}; {AGAIN}")
        cost_columns.from_table(self.costs, self.meta.get(COSTS, []), where, AGAIN)
        try:
            for epochs in self.meta.get("values", {}):
                self.values(whole(epochs, "a budget"))
        except UserError as error:
            raise UserError(f"{where}: {error}; {AGAIN}") from None

    @classmethod
    def load(cls, path: Path | str) -> Table:
        """Open and check a table; a file that is none, or a damaged one, is a `UserError`. One of
        version 1 (older rlnas, or made by hand) has no digest and is taken for what it says."""
        hint = "`rlnas bench list` shows the tables that are there"
        arrays, meta = load_npz(path, hint=hint, seal=(FORMAT, 2))
        missing = [key for key in ARRAYS if key not in arrays and key not in OPTIONAL]
        if missing:
            raise UserError(
                f"{path}: no array {missing[0]!r}, expected a table made by rlnas; {AGAIN}"
            )
        fields = {key: value for key, value in arrays.items() if key in ARRAYS}
        table = cls(**fields, meta=meta)
        table.validate(str(path))
        return table

    def save(self, path: Path | str) -> None:
        """Write the whole table or nothing."""
        arrays = {key: getattr(self, key) for key in ARRAYS if getattr(self, key) is not None}
        arrays = {key: np.asarray(value, ARRAYS[key].dtype) for key, value in arrays.items()}
        meta = {key: value for key, value in self.meta.items() if key not in ("format", "version")}
        whole_meta = meta | {"format": FORMAT, "version": VERSION}
        replace(self, **arrays, meta=whole_meta).validate(f"table {self.name!r}")
        small = sum(a.nbytes for a in arrays.values()) < SMALL_BYTES
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
