"""From the records of `tabulate` to a table; and the command that does both."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell, from_bits, module_hash
from rlnas.bench.nb101.graph import UNUSED, cells
from rlnas.bench.nb101.table import Table, make_meta, new_path
from rlnas.bench.retrain.recipe import Recipe
from rlnas.bench.retrain.tabulate import MANIFEST, default_folder, read_records, tabulate


@dataclass(frozen=True)
class TabulateConfig:
    """Really train every cell of a list, several seeds each, and make a table of the results.

    Survives kill -9: run the same command again and it goes on where it was. A table is written
    after every finished seed. Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).
    """

    name: str
    """Name of the table."""
    max_vertices: int = 5
    """Train all cells with at most so many vertices (5: 2,532 cells) ..."""
    cells: Path | None = None
    """... or only those named in this CSV, by a column `row` (canonical row) or `module_hash`."""
    dataset: str = "digits"
    """The images: digits (scikit-learn, 8 x 8)."""
    seeds: int = 3
    """Trainings of each cell; seed numbers 0, 1, 2, ..."""
    workers: int = os.cpu_count() or 1
    """Worker processes, one thread each."""
    folder: Path | None = None
    """Where the finished trainings are kept; default: runs/tabulate-<dataset>-<hash of the
    recipe>."""
    out: Path | None = None
    """Where to write the table; default: the cache folder, where commands find it by its name."""
    recipe: Recipe = field(default_factory=Recipe)
    """How to train."""

    def __post_init__(self) -> None:
        for name in ("seeds", "workers"):
            if getattr(self, name) < 1:
                raise UserError(f"found --{name} {getattr(self, name)}; expected at least 1")


def cell_list(max_vertices: int, csv: Path | None = None) -> tuple[np.ndarray, list[Cell]]:
    """The canonical rows int64 [M], ascending, and their cells: all, or those named in a CSV
    file."""
    every = cells(max_vertices)
    rows = np.arange(len(every.bits)) if csv is None else _rows_in(csv, max_vertices)
    chosen = zip(every.num_vertices[rows], every.bits[rows], every.ops[rows], strict=True)
    return rows, [
        from_bits(int(v), int(bits), [int(op) for op in ops if op != UNUSED])
        for v, bits, ops in chosen
    ]


def _rows_in(csv: Path, max_vertices: int) -> np.ndarray:
    import pandas as pd

    if not csv.is_file():
        raise UserError(f"{csv}: no such file; expected a CSV with a column `row` or `module_hash`")
    frame = pd.read_csv(csv)
    if "row" in frame:
        rows = frame["row"].to_numpy()
    elif "module_hash" in frame:
        from rlnas.bench.nb101.graph import hashes

        known = {bytes(key).hex(): row for row, key in enumerate(hashes(max_vertices))}
        unknown = [key for key in frame["module_hash"] if key not in known]
        if unknown:
            raise UserError(
                f"{csv}: {unknown[0]} is no cell with at most {max_vertices} vertices; see "
                "--max-vertices"
            )
        rows = np.array([known[key] for key in frame["module_hash"]])
    else:
        raise UserError(
            f"{csv}: columns {', '.join(map(str, frame.columns))}; expected `row` or `module_hash`"
        )
    total = len(cells(max_vertices).bits)
    if (
        not np.issubdtype(rows.dtype, np.integer)
        or len(rows) == 0
        or rows.min() < 0
        or rows.max() >= total
    ):
        raise UserError(
            f"{csv}: expected rows from 0 to {total - 1} (cells with at most {max_vertices} "
            "vertices)"
        )
    return np.unique(rows)


def assemble(
    folder: Path, rows: np.ndarray, chosen: Sequence[Cell], seeds: int, name: str, max_vertices: int
) -> Table:
    """The table of the finished trainings in `folder`; NaN where one is missing."""
    manifest = json.loads((folder / MANIFEST).read_text())
    recipe = manifest["recipe"]
    budgets = recipe["checkpoints"]
    place = {module_hash(cell): i for i, cell in enumerate(chosen)}
    measures = {
        key: np.full((len(rows), len(budgets), seeds), np.nan, np.float32)
        for key in ("val", "test", "train")
    }
    seconds = np.full((len(rows), len(budgets), seeds), np.nan, np.float32)
    curve = np.full((len(rows), seeds, recipe["epochs"]), np.nan, np.float32)
    params = np.zeros(len(rows), np.int32)
    for record in read_records(folder):
        i, seed = place.get(record["hash"]), record["seed"]
        if i is None or seed >= seeds:
            continue
        for key, values in measures.items():
            values[i, :, seed] = record[key]
        seconds[i, :, seed] = record["seconds"]
        curve[i, seed] = record["curve"]
        params[i] = record["params"]
    splits = manifest["splits"]
    notes = [
        "Every number is a real training by `rlnas bench tabulate`; repeat i has seed i, the data "
        "split is fixed.",
        f"The budgets {budgets} are checkpoints of one training of {recipe['epochs']} epochs, "
        "whose learning rate "
        "falls to 0 only at its end; in NAS-Bench-101 every budget is a training of its own.",
        "Batch statistics are recomputed on the training part before measuring; "
        f"validation accuracies are multiples of 1/{splits['val']}, test accuracies of "
        f"1/{splits['test']}.",
        "seconds: training alone, one thread, workers side by side; the machine's load included: "
        "for rough relative cost only.",
        f"Versions: {', '.join(f'{k} {v}' for k, v in manifest['versions'].items())}.",
    ]
    return Table(
        row=rows.astype(np.int32),
        epochs=np.array(budgets, np.int32),
        params=params,
        seconds=seconds,
        curve_epochs=np.arange(1, recipe["epochs"] + 1, dtype=np.int32),
        curve_train=curve,
        meta=make_meta(
            name,
            max_vertices=max_vertices,
            source=f"trained by rlnas on {manifest['dataset']} with nasbench-pytorch",
            recipe=recipe,
            splits=splits,
            notes=notes,
        ),
        **measures,
    )


def run_tabulate(config: TabulateConfig) -> None:
    """`rlnas bench tabulate`."""
    out = config.out or new_path(config.name)
    rows, chosen = cell_list(config.max_vertices, config.cells)
    try:
        import nasbench_pytorch  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed; `pip install 'rlnas[retrain]'` to train"
        ) from None
    folder = config.folder or default_folder(config.dataset, config.recipe)
    failures: list[str] = []
    for seeds in range(1, config.seeds + 1):
        failures += tabulate(
            chosen, config.dataset, config.recipe, [seeds - 1], folder, config.workers
        )
        table = assemble(folder, rows, chosen, seeds, config.name, config.max_vertices)
        table.save(out)
        print(f"{out}: {len(rows):,} cells, {seeds} of {config.seeds} seeds")
    if failures:
        raise UserError(
            f"{len(failures)} trainings failed and are missing in {out}, first {failures[0]}; run "
            "again to retry them"
        )
