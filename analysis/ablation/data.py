"""The results of a grid of trainings, one line a training."""

from __future__ import annotations

import math
import sys
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
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.reading import read_json, write_json

FORMAT, VERSION = "rlnas-ablation-cell", 2
AGAIN = "delete it and run again"
MEASURED = ("val", "reported")
_NUMBERS = {f"{name}_{q}": Number(null=True) for name in MEASURED for q in QUERIES}
CELL = Fields(
    {
        "format": Text(),
        "version": Whole(),
        "results": Each(
            Fields(
                {
                    "alpha": Number(),
                    "seed": Whole(),
                    "loss": Number(null=True),
                    "actors_val": Number(null=True),
                    "lookups": Whole(),
                    **_NUMBERS,
                }
            )
        ),
    }
)
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
                yield from read_cell(row.cell(alpha), row.seeds)


def write_cell(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """The trainings of one alpha, a line each."""
    write_json(path, {"format": FORMAT, "version": VERSION, "results": list(results)})


def read_cell(path: Path, seeds: int) -> list[dict[str, Any]]:
    """What `write_cell` wrote; `UserError` where it is damaged."""
    found = check(read_json(path, hint=AGAIN), CELL, path, AGAIN)
    if (found["format"], found["version"]) != (FORMAT, VERSION):
        raise UserError(f"{path} is of another version; {AGAIN}")
    if [result["seed"] for result in found["results"]] != list(range(seeds)):
        raise UserError(f"{path} holds other seeds; {AGAIN}")
    numbers = ("loss", "actors_val", *(f"{name}_{q}" for name in MEASURED for q in QUERIES))
    return [
        {name: math.nan if x is None and name in numbers else x for name, x in result.items()}
        for result in found["results"]
    ]


def is_sound(path: Path, seeds: int) -> bool:
    """Whether a cell is there and can be read; of a damaged one stderr is told."""
    if not path.exists():
        return False
    try:
        read_cell(path, seeds)
    except UserError as error:
        print(f"rlnas: trained again: {error}", file=sys.stderr)
        return False
    return True


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
