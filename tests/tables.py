"""Small real-space tables for the tests: every cell of a small space, invented accuracies."""

from __future__ import annotations

import numpy as np

from rlnas.bench.nb101.benchmark import CellBenchmark, from_table
from rlnas.bench.nb101.graph import cells
from rlnas.bench.nb101.official import parameters
from rlnas.bench.nb101.table import Table, make_meta


def small_table(
    max_vertices: int = 4, repeats: int = 3, budgets: tuple[int, ...] = (4, 12), rows=None
) -> Table:
    """A table over all (or the given) canonical rows; accuracies rise with the budget. What is best
    by validation is worst by test, so that no test mistakes one for the other."""
    every = cells(max_vertices)
    rows = np.arange(len(every.bits)) if rows is None else np.asarray(rows)
    rng = np.random.default_rng(0)
    shape = (len(rows), len(budgets), repeats)
    quality = rng.random(len(rows))[:, None, None] * 0.3 + 0.6
    noise = rng.normal(0, 0.005, (2, *shape))
    gain = np.linspace(-0.1, 0, len(budgets))[None, :, None]
    val, test = (
        np.clip(mean + gain + n, 0, 1).astype(np.float32)
        for mean, n in zip((quality, 1.5 - quality), noise, strict=True)
    )
    return Table(
        row=rows.astype(np.int32),
        epochs=np.array(budgets, np.int32),
        params=parameters(type(every)(*(column[rows] for column in every))),
        val=val,
        test=test,
        train=np.clip(val + 0.05, 0, 1),
        seconds=np.broadcast_to(np.array(budgets, np.float32)[None, :, None] * 10, shape).copy(),
        meta=make_meta("small", max_vertices=max_vertices, source="invented by tests/tables.py"),
    )


def small_benchmark(max_vertices: int = 4, noise: str = "mean", **kwargs) -> CellBenchmark:
    return from_table(small_table(max_vertices, **kwargs), noise=noise)
