"""Columns of costs in the tables of every family: one array, and what each column is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.checks import ArrayOf, Each, Fields, Text
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.objectives import ACCURACY, ALIASES, FLOPS, PARAMS, SECONDS, Column, Objective

COSTS = "costs"
ARRAY = ArrayOf("float32", ("cells", "columns"), nan=True)
META = Each(
    Fields({"name": Text(), "unit": Text(), "direction": Text(("min", "max"))}, {"about": Text()})
)
TAKEN = frozenset([ACCURACY.name, PARAMS.name, FLOPS.name, SECONDS.name, *ALIASES])
"""Names of what every table may have by itself."""
MOST_COLUMNS = 256


def valid_column_name(name: str) -> str:
    """A name that can stand in a word of a command line. `UserError`."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,59}", name) or name in TAKEN:
        raise UserError(
            f"found {shown(name)} as the name of a column of costs; expected letters, digits, "
            f"'_', '.', '+' and '-', and none of {', '.join(sorted(TAKEN))}"
        )
    return name


def to_table(columns: Sequence[Column]) -> tuple[np.ndarray | None, list[dict[str, Any]]]:
    """(array [M, C], metadata) of a table's file; None where there are none."""
    if not columns:
        return None, []
    meta = [
        {key: getattr(column.objective, key) for key in ("name", "unit", "direction", "about")}
        for column in columns
    ]
    return np.stack([np.asarray(x.values, np.float32) for x in columns], axis=1), meta


def from_table(
    values: np.ndarray | None, meta: Sequence[dict[str, Any]], where: Any, hint: str
) -> tuple[Column, ...]:
    """The other way; `UserError` where the two disagree, or a name stands twice or is none."""
    count = 0 if values is None else values.shape[1]
    names = [column["name"] for column in meta]
    if len(names) != count or len(set(names)) < count or count > MOST_COLUMNS:
        raise UserError(f"{where} has {count} columns of costs named {', '.join(names)}; {hint}")
    for name in names:
        valid_column_name(name)
    found = [] if values is None else list(values.T)
    return tuple(
        Column(
            Objective(about["name"], about["unit"], about["direction"], about.get("about", "")), x
        )
        for about, x in zip(meta, found, strict=True)
    )


UNITLESS = "1"
"""The unit of a count in the header of a CSV file."""


def header_of(objective: Objective) -> str:
    """Of a CSV file's column, as `rlnas bench add-columns` reads it: never a name that importers
    know."""
    return f"{objective.name} ({objective.unit or UNITLESS})"


def exported(columns: Sequence[Column], rows: Any) -> dict[str, np.ndarray]:
    """Columns of a CSV file, of those rows of the table."""
    return {header_of(column.objective): column.values[rows] for column in columns}


def read_back(columns: Sequence[Column], table: str, path: Path) -> str:
    """Lines with the commands that put them from the CSV file at `path` into a table again: one for
    all that are of the same thing."""
    lines = []
    for about in dict.fromkeys(column.objective.about for column in columns):
        same = [x.objective for x in columns if x.objective.about == about]
        names = " ".join(quoted(header_of(objective)) for objective in same)
        note = f" --note {quoted(about)}" if about else ""
        lines.append(
            f"\nthen: rlnas bench add-columns {quoted(table)} {quoted(path)} --columns {names} "
            f"--degenerate keep{note}"
        )
    return "".join(lines)


def described(columns: Sequence[Column]) -> list[tuple[str, str]]:
    """Lines of `rlnas bench info`."""
    lines = []
    for column in columns:
        known = column.values[~np.isnan(column.values)]
        span = f"{known.min():g} to {known.max():g}" if len(known) else "unknown"
        about = f" ({column.objective.about})" if column.objective.about else ""
        lines.append(("cost", f"{column.objective.title}, {span}{about}"))
    return lines
