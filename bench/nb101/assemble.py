"""Which cells are tabulated; and from the records of their trainings to a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell, from_bits, module_hash
from rlnas.bench.nb101.graph import UNUSED, cells, hashes
from rlnas.bench.nb101.sizes import sizes
from rlnas.bench.nb101.table import Table, make_meta
from rlnas.bench.nb101.trainings import read_manifest, read_records
from rlnas.bench.reading import UNREADABLE, reason


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
    if not csv.is_file():
        raise UserError(f"{csv}: no such file; expected a CSV with a column `row` or `module_hash`")
    try:
        frame = pd.read_csv(csv, compression=None)
    except UNREADABLE as error:  # pandas' own errors are among them
        raise UserError(f"{csv}: no CSV file ({reason(error)}); expected a column `row`") from None
    if "row" in frame:
        rows = frame["row"].to_numpy()
    elif "module_hash" in frame:
        known = {bytes(key).hex(): row for row, key in enumerate(hashes(max_vertices))}
        unknown = [key for key in frame["module_hash"] if key not in known]
        if unknown:
            raise UserError(
                f"{csv}: {shown(unknown[0])} is no cell with at most {max_vertices} vertices; see "
                "--max-vertices"
            )
        rows = np.array([known[key] for key in frame["module_hash"]])
    else:
        raise UserError(
            f"{csv}: columns {shown(list(frame.columns))}; expected `row` or `module_hash`"
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
    manifest = read_manifest(folder)
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
        params=sizes(cells(max_vertices), recipe, rows, params)[rows],
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
