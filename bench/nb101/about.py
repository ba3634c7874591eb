"""What captions say of a table of cells."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from rlnas.bench.connected import connectivity
from rlnas.bench.nb101.forms import COUNTS
from rlnas.bench.nb101.space import CellSpace, make_space
from rlnas.bench.nb101.table import Table
from rlnas.bench.values import PREDICTED


def held(table: Table, space: CellSpace | None = None) -> str:
    """Which cells a partial table holds and how they hang together; "" for a complete one. space:
    of its rows, if it is at hand."""
    size = len(table.row)
    if size in accumulate(COUNTS.values()) and table.row[-1] == size - 1:
        return ""
    space = space or make_space(np.asarray(table.row), table.meta["max_vertices"])
    found = connectivity(np.asarray(space.offsets), np.asarray(space.flat))
    return f"{space.size:,} of {space.whole:,} cells ({found})"


def about(table: Table, epochs: int, space: CellSpace) -> str:
    """The sentence of one budget; "" where the usual one, a table of trained architectures, says
    all."""
    cells, values = held(table, space), table.values(epochs)
    if not cells and values is None:
        return ""
    said = f"{table.name} is a table of "
    said += "predictions" if values == PREDICTED else "trained architectures"
    said += f", {cells}" if cells else ""
    return said + (f"; {values.caption}" if values else "")
