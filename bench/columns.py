"""Columns of equal length as a CSV or parquet file, written whole or not at all."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path

Write = Callable[[dict[str, np.ndarray]], None]


@contextmanager
def column_file(path: Path) -> Iterator[Write]:
    """A function that appends lines, as columns by name, always the same names; the ending of
    `path` chooses the format: .csv, .csv.gz or .parquet."""
    writers = {".csv": _csv_writer, ".csv.gz": _csv_writer, ".parquet": _parquet_writer}
    writer = next((w for ending, w in writers.items() if path.name.endswith(ending)), None)
    if writer is None:
        raise UserError(
            f"{path}: cannot tell the format; expected a name ending in {', '.join(writers)}"
        )
    with atomic_path(path) as temporary, writer(temporary) as write:
        yield write


@contextmanager
def _csv_writer(path: Path) -> Iterator[Write]:
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        started = False

        def write(columns: dict[str, np.ndarray]) -> None:
            nonlocal started
            if not started:
                writer.writerow(columns)
                started = True
            writer.writerows(zip(*(_text(column) for column in columns.values()), strict=True))

        yield write


def _text(column: np.ndarray) -> list[str]:
    """Shortest text that reads back as the same number; a gap is empty."""
    text = column.astype(str).tolist()
    return ["" if t == "nan" else t for t in text] if column.dtype.kind == "f" else text


@contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    writer = None
    try:

        def write(columns: dict[str, np.ndarray]) -> None:
            nonlocal writer
            batch = pa.table(
                {key: pa.array(column, from_pandas=True) for key, column in columns.items()}
            )
            if writer is None:
                writer = pq.ParquetWriter(path, batch.schema)
            writer.write_table(batch)

        yield write
    finally:
        if writer is not None:
            writer.close()
