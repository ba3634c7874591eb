"""What is compared with what: the table, the images, and the files of scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rlnas.analysis.oneshot.report import Scored, Truth
from rlnas.bench.checks import ArrayOf, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.files import sha256
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import from_bits
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.space import CellSpace, make_space
from rlnas.bench.nb101.table import Table, find
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.repeats import repeat_mean
from rlnas.bench.retrain import datasets
from rlnas.bench.retrain.datasets import Dataset

SCORED = ("rlnas-oneshot-scores", 1)
SCORED_ARRAYS = {
    "accuracy": ArrayOf("float32", ("cells",), 0, 1),
    "loss": ArrayOf("float32", ("cells",), nan=True, anything=True),
    "seconds": ArrayOf("float64", (2,), 0),
}


def truth_of(table: Table, max_vertices: int) -> Truth:
    """The cells with at most `max_vertices` vertices of which the table has all repeats."""
    every = graph.cells(table.meta["max_vertices"])
    known = ~np.isnan(table.val[:, -1]).any(1) & ~np.isnan(table.test[:, -1]).any(1)
    rows = np.flatnonzero(known & (every.num_vertices[table.row] <= max_vertices))
    if len(rows) < 20:
        raise UserError(
            f"{table.name} has {len(rows)} such cells with all accuracies; expected at least 20 "
            "to compare"
        )
    columns = (x[table.row[rows]] for x in (every.num_vertices, every.bits, every.ops))
    cells = [
        from_bits(int(v), int(bits), [int(op) for op in ops if op != graph.UNUSED])
        for v, bits, ops in zip(*columns, strict=True)
    ]
    early = table.val[rows, 0] if len(table.epochs) > 1 else None
    seconds = float(repeat_mean(table.seconds[rows, -1]).sum())
    epochs = tuple(int(e) for e in table.epochs)
    return Truth(
        table.row[rows],
        cells,
        table.val[rows, -1],
        table.test[rows, -1],
        early,
        epochs,
        table.params[rows],
        seconds,
    )


def recipe_of(table: Table) -> Recipe:
    """How the table's cells were built and trained; `UserError` for a table that does not say
    so."""
    try:
        recipe = dict(table.meta["recipe"])
        return Recipe(**recipe | {"checkpoints": tuple(recipe["checkpoints"])})
    except (KeyError, TypeError, ValueError):
        raise UserError(
            f"{table.name} does not say how its cells were trained; expected a table made by "
            "`rlnas bench tabulate`"
        ) from None


def images_of(dataset: str, table: Table) -> Dataset:
    """The images of that name; `UserError` where they are not split as the table's were."""
    images = datasets.load(dataset)
    if images.splits != table.meta["splits"]:
        raise UserError(
            f"{table.name} was trained on images split as {table.meta['splits']}, "
            f"{dataset} is {images.splits}; choose the table's own with --dataset"
        )
    return images


class Ground(NamedTuple):
    """What a study of a table's cells stands on. facts: of the table, for identities."""

    truth: Truth
    recipe: Recipe
    images: Dataset
    space: CellSpace
    facts: dict[str, Any]
    table: Table


def ground_of(benchmark: str, dataset: str, max_vertices: int) -> Ground:
    """`UserError` where the table does not say how it was made, or of other images."""
    path = find(benchmark)
    table = Table.load(path)
    truth, recipe = truth_of(table, max_vertices), recipe_of(table)
    images = images_of(dataset, table)
    facts = {"name": table.name, "sha256": sha256(path)}
    return Ground(truth, recipe, images, make_space(truth.rows, max_vertices), facts, table)


def read_scored(path: Path, seed: int, cells: int | None = None) -> Scored:
    """The scores of a seed; `UserError` when the file is damaged. cells: so many, None: any
    number."""
    hint = "delete it and run again"
    arrays, meta = load_npz(path, hint=hint, seal=SCORED)
    if (meta["format"], meta["version"], meta.get("seed")) != (*SCORED, seed):
        raise UserError(f"{path} holds no scores of seed {seed}; {hint}")
    check_arrays(arrays, SCORED_ARRAYS, path, hint, sizes={"cells": cells} if cells else None)
    return Scored(seed, arrays["accuracy"], arrays["loss"], *arrays["seconds"].tolist())


def write_scored(path: Path, scored: Scored) -> None:
    """The scores of a seed."""
    seconds = np.array([scored.train_seconds, scored.score_seconds], np.float64)
    scores = {"accuracy": scored.accuracy, "loss": scored.loss}
    arrays = {name: np.asarray(x, np.float32) for name, x in scores.items()} | {"seconds": seconds}
    save_npz(path, SCORED, arrays, seed=scored.seed)
