"""What `rlnas morph` has trained, and its files: pairs of cells, and the cells of the searches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.study import Study
from rlnas.bench.checks import Each, Fields, Number, Text, Whole
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.edits import KINDS, Edit, Grown, edits_of
from rlnas.bench.nb101.space import CellSpace

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
STUDY = Study(
    command="morph",
    version=1,
    tables=("pairs", "nets"),
    rules={
        "benchmark": Fields({"name": Text()}),
        "epochs": Whole(1),
        "parent_epochs": Whole(1),
        "edits": Whole(1),
        "table": Fields(
            {"epochs": Whole(1), "cells": Whole(1), "val": Number(0, 1), "test": Number(0, 1)}
        ),
        "reach": Fields({"cells": Whole(1), "val": Number(0, 1), "test": Number(0, 1)}, null=True),
        "seconds": Fields({"start": Number(0), "nets": Number(0), "scratch": Number(0)}),
    },
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


class Finished(NamedTuple):
    """A finished folder. pairs: a line a pair; nets: a line a choice of a search. Accuracies are
    fractions."""

    manifest: dict[str, Any]
    pairs: pd.DataFrame
    nets: pd.DataFrame


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    manifest, tables = STUDY.read(folder)
    return Finished(manifest, *tables)
