"""The results of a grid of trainings, one line a training."""

from __future__ import annotations

import json
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
    beside = accuracies(incumbents(history, QUERIES))
    frame = pd.DataFrame(list(_results(rows)))
    return frame.assign(**{f"{REFERENCE}_{name}": value for name, value in beside.items()})


def _results(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for alpha in row.alphas:
            if row.cell(alpha).exists():
                yield from json.loads(row.cell(alpha).read_text())


def accuracies(found: Incumbents) -> dict[str, float]:
    """`val_<queries>` and `reported_<queries>` of the incumbent, as fractions."""
    return {
        f"{name}_{q}": float(values[i])
        for name, values in found._asdict().items()
        for i, q in enumerate(QUERIES)
    }


def write(frame: pd.DataFrame, folder: Path) -> None:
    """`results.parquet` and `results.csv`."""
    with atomic_path(folder / "results.parquet") as path:
        frame.to_parquet(path, index=False)
    with atomic_path(folder / "results.csv") as path:
        frame.to_csv(path, index=False, float_format="%.6g")
