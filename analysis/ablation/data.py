"""The results of a grid of trainings, one line a training."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rlnas import agents
from rlnas.agents.evaluate import Incumbents, incumbents
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis.ablation.plan import Row
from rlnas.analysis.training.settings import QUERIES
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.files import atomic_path

REFERENCE = "random_search"
"""The agent that stands beside every training, in columns that begin with its name."""


def collect(rows: Sequence[Row], benchmark: Benchmark) -> pd.DataFrame:
    """One line a training that is done, with random search on the same evaluation keys beside
    it."""
    keys = seed_keys(rows[0].seed, rows[0].evaluation_seeds, "evaluation")
    history = run_seeds(agents.config(REFERENCE)(), benchmark, max(QUERIES), keys)
    beside = regrets(incumbents(history, QUERIES), benchmark)
    frame = pd.DataFrame(list(_results(rows)))
    return frame.assign(**{f"{REFERENCE}_{name}": value for name, value in beside.items()})


def _results(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for alpha in row.alphas:
            if row.cell(alpha).exists():
                yield from json.loads(row.cell(alpha).read_text())


def regrets(found: Incumbents, benchmark: Benchmark) -> dict[str, float]:
    """`regret_<queries>` and `val_<queries>`, as fractions."""
    optimum = best(benchmark)
    return {f"regret_{q}": optimum - float(found.reported[i]) for i, q in enumerate(QUERIES)} | {
        f"val_{q}": float(found.val[i]) for i, q in enumerate(QUERIES)
    }


def best(benchmark: Benchmark) -> float:
    """What regret is measured from: the best in the space, or 1 where nobody knows it (a
    surrogate)."""
    return 1.0 if math.isnan(optimum := float(benchmark.optimum)) else optimum


def measured(benchmark: Benchmark) -> str:
    """What the distance to `best` is called."""
    return "distance to 100 %" if math.isnan(float(benchmark.optimum)) else "regret"


def write(frame: pd.DataFrame, folder: Path) -> None:
    """`results.parquet` and `results.csv`."""
    with atomic_path(folder / "results.parquet") as path:
        frame.to_parquet(path, index=False)
    with atomic_path(folder / "results.csv") as path:
        frame.to_csv(path, index=False, float_format="%.6g")
