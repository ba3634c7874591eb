"""Where a landscape falls apart: the part of it that is one."""

from __future__ import annotations

import numpy as np

from rlnas.bench.benchmark import Benchmark, Restrictable
from rlnas.bench.connected import connectivity
from rlnas.bench.errors import UserError
from rlnas.bench.lists import lists_of

LEAST = 30
"""Cells that a part must have for walks and optima to mean something (ours)."""


def largest_component(benchmark: Benchmark) -> tuple[Benchmark, np.ndarray]:
    """(a benchmark, the numbers of its architectures in the given one): itself where all are
    connected, or where a space does not list its neighbours; else its largest connected component.
    `UserError` where that is too small, or cannot be cut out."""
    lists = lists_of(benchmark)
    found = None if lists is None else connectivity(*lists)
    if found is None or found.whole:
        return benchmark, np.arange(0 if found is None else found.cells)
    if len(found.largest) < LEAST or not isinstance(benchmark, Restrictable):
        raise UserError(
            f"{benchmark.name} falls apart: {found.cells:,} cells, {found}; expected a table that "
            f"is connected, or can be cut down to a connected component of at least {LEAST}"
        )
    return benchmark.restrict(found.largest), found.largest
