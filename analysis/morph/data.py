"""What `rlnas morph` has trained, and its files: pairs of cells, and the cells of the searches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.folders import kind_of
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.edits import KINDS, Edit, Grown, edits_of
from rlnas.bench.nb101.space import CellSpace
from rlnas.bench.reading import UNREADABLE, read_json, reason, write_json

FORMAT, VERSION = "rlnas-morph", 1
PAIRS, NETS, MANIFEST = "pairs.parquet", "nets.parquet", "manifest.json"
AGAIN = "run `rlnas morph` again"
_CURVE = Each(Number(0, 1))
PAIR_RULES = Fields(
    {
        "rows": Each(Whole(), 2),
        "edit": Text(),
        "parent_val": Number(0, 1),
        "inherited": _CURVE,
        "short": _CURVE,
        "scratch": _CURVE,
        "seconds": Each(Number(0), 4),
    }
)
NET_RULES = Fields(
    {
        "row": Whole(),
        "edits": Each(Text()),
        "val": Number(0, 1),
        "test": Number(0, 1),
        "seconds": Number(0),
    }
)
MANIFEST_RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "epochs": Whole(1),
        "parent_epochs": Whole(1),
        "edits": Whole(1),
        "table": Fields(
            {"epochs": Whole(1), "cells": Whole(1), "val": Number(0, 1), "test": Number(0, 1)}
        ),
        "reach": Fields({"cells": Whole(1), "val": Number(0, 1), "test": Number(0, 1)}, null=True),
        "seconds": Fields({"start": Number(0), "nets": Number(0), "scratch": Number(0)}),
        "pairs_sha256": Text(),
        "nets_sha256": Text(),
    }
)


class Pair(NamedTuple):
    """A cell and one edit of it. rows: of the two in the table."""

    rows: tuple[int, int]
    cell: Cell
    edit: Edit
    grown: Grown


def drawn_pairs(space: CellSpace, cells: Sequence[Cell], count: int) -> Iterator[Pair]:
    """Pairs of cells of the table, the kinds of edits by turns, no pair twice; fewer where there
    are no more. Each draws alone: more pairs begin with the same."""
    used: set[tuple[int, int]] = set()
    kinds = list(KINDS)
    largest = max(cell.num_vertices for cell in cells)
    place = 0
    while kinds and place < count:
        kind = kinds[place % len(kinds)]
        rng = np.random.default_rng(place)
        for row in rng.permutation(len(cells)).tolist():
            found = [one for one in edits_of(cells[row], largest) if one[0].kind == kind]
            for i in rng.permutation(len(found)).tolist():
                edit, grown = found[i]
                child = row_in(space, grown.cell)
                if child is not None and (row, child) not in used:
                    break
            else:
                continue
            used.add((row, child))
            yield Pair((row, child), cells[row], edit, grown)
            place += 1
            break
        else:
            kinds.remove(kind)


def row_in(space: CellSpace, cell: Cell) -> int | None:
    """The place of a cell in the table; None where the table lacks it."""
    try:
        return space.row(cell)
    except UserError:
        return None


def kept_record(path: Path, rules: Fields, **expected: Any) -> dict[str, Any] | None:
    """What was recorded of a training; None where nothing was. `UserError` for what is damaged."""
    if not path.exists():
        return None
    hint = "delete it and run again"
    record = check(read_json(path, hint=hint), rules, path, hint)
    if any(record[name] != value for name, value in expected.items()):
        raise UserError(f"{path} is the record of another training; {hint}")
    return record


def record(path: Path, **values: Any) -> None:
    """Of a training that is done, whole or not at all."""
    write_json(path, values)


def write_all(
    folder: Path,
    pairs: Sequence[Mapping[str, Any]],
    nets: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> None:
    """The manifest last. Accuracies are fractions; a line a pair, and a line a choice of a search.
    Seconds, which no two runs share, stand in the manifest."""
    for name, rows in ((PAIRS, pairs), (NETS, nets)):
        with atomic_path(folder / name) as temporary:
            pd.DataFrame(rows).to_parquet(temporary, index=False)
    sums = {"pairs_sha256": sha256(folder / PAIRS), "nets_sha256": sha256(folder / NETS)}
    write_json(folder / MANIFEST, {**manifest, **sums})


class Finished(NamedTuple):
    """A finished folder. pairs, nets: as `write_all` was given them."""

    manifest: dict[str, Any]
    pairs: pd.DataFrame
    nets: pd.DataFrame


def is_morph(folder: Path) -> bool:
    """Whether a finished study of `rlnas morph` lies there."""
    return kind_of(folder) == "morph" and (folder / MANIFEST).is_file()


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    path = folder / MANIFEST
    manifest = read_json(path, hint=AGAIN)
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is of another version; {AGAIN}")
    check(manifest, MANIFEST_RULES, path, AGAIN)
    frames = []
    for name, key in ((PAIRS, "pairs_sha256"), (NETS, "nets_sha256")):
        try:
            if sha256(folder / name) != manifest[key]:
                raise ValueError(f"it is not what {MANIFEST} says")
            frames.append(pd.read_parquet(folder / name))
        except UNREADABLE as error:
            where = folder / name
            raise UserError(f"{where} is missing or damaged ({reason(error)}); {AGAIN}") from None
    return Finished(manifest, *frames)
