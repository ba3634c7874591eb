"""An official NAS-Bench-101 file (or one of that format) becomes a table, streaming."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import measurements, table
from rlnas.bench.nb101.cell import MAX_VERTICES, module_hash, parse
from rlnas.bench.nb101.measurements import Measurements
from rlnas.bench.nb101.published import OFFICIAL, OFFICIAL_RECIPE, OFFICIAL_SPLITS
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.nb101.tfrecord import Block, Runs, decode, position, read_blocks, readable
from rlnas.bench.progress import bar


def convert(
    path: Path | str,
    out: Path | str | None = None,
    *,
    name: str | None = None,
    sha256: str | None = None,
    allow_missing: bool = False,
    max_vertices: int = 7,
    progress: bool = True,
) -> Path:
    """Turn the TFRecord file at `path` into a table and return where the table is.

    Every checksum in the file is verified. sha256 (hex) is what the whole file must hash to; for a
    file named like an official one it is the official one unless given, "any" switches that off.
    Without allow_missing the file must hold every cell with at most V vertices (V: the most it
    has) and equally many runs of each at each budget; with it, gaps become NaN. max_vertices bounds
    the cells that are looked for. The name is the official one for the official files, else the
    file's. Raises `UserError` with record number and byte offset; nothing is left behind then.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path}: no such file; `rlnas bench fetch nb101` downloads the official one"
        )
    if sha256 is None:
        sha256 = next((o.sha256 for o in OFFICIAL if o.filename == path.name), "any")

    reference = Reference(max_vertices)
    runs, digest = _stream(path, reference, progress)
    if sha256 not in ("any", digest):
        raise UserError(
            f"{path}: sha256 {digest}, expected {sha256}; this is another file: download it again, "
            "or pass --sha256 any to convert it all the same"
        )

    def where(i: int) -> str:
        return position(path, i, int(runs.position[i]))

    dense = measurements.assemble(
        runs, where=where, cell_name=reference.name, allow_missing=allow_missing
    )
    vertices = reference.cells.num_vertices
    space = int(
        np.searchsorted(vertices, vertices[dense.row[-1]], side="right")
    )  # rows are sorted by vertices
    gap = np.setdiff1d(np.arange(space), dense.row)
    if gap.size and not allow_missing:
        raise UserError(
            f"{path}: {dense.row.size:,} of the {space:,} cells with at most "
            f"{vertices[dense.row[-1]]} vertices, "
            f"without {reference.name(int(gap[0]))}; the file is incomplete: get a whole one, or "
            "pass --allow-missing"
        )

    official = next((o for o in OFFICIAL if o.sha256 == digest), None)
    notes = [] if official else ["made from a file that is none of the two official ones"]
    if gap.size:
        notes.append(f"incomplete: {dense.row.size:,} of {space:,} cells")
    if np.isnan(dense.val).any():
        notes.append("incomplete: some runs are missing")
    name = name or (official.name if official else path.stem)
    meta = table.make_meta(
        name,
        max_vertices=int(vertices[dense.row[-1]]),
        source=f"{path.name}, sha256 {digest}",
        recipe=OFFICIAL_RECIPE if official else None,
        splits=OFFICIAL_SPLITS if official else None,
        notes=notes,
        created_by="rlnas bench convert",
    )
    out = Path(out) if out else table.new_path(name, official=official is not None)
    table.Table(params=reference.parameters[dense.row], meta=meta, **dense._asdict()).save(out)
    return out


def _stream(path: Path, reference: Reference, progress: bool) -> tuple[Measurements, str]:
    """All runs of the file in file order (position: byte offset), and its sha256."""
    digest = hashlib.sha256()
    parts: list[Measurements] = []
    size = path.stat().st_size
    with bar(f"convert {path.name}", size, unit="B", unit_scale=True, shown=progress) as shown:
        for block in read_blocks(path, digest.update):
            runs = decode(block)
            row = _checked_rows(block, runs, reference)
            parts.append(
                Measurements(
                    row=row,
                    epochs=runs.epochs,
                    repeat=np.full(row.shape, -1, np.int32),
                    val=runs.val.astype(np.float32),
                    test=runs.test.astype(np.float32),
                    train=runs.train.astype(np.float32),
                    seconds=runs.seconds.astype(np.float32),
                    position=block.offsets,
                )
            )
            shown.update(block.stop - shown.n)
    return measurements.concatenate(parts), digest.hexdigest()


def _checked_rows(block: Block, runs: Runs, reference: Reference) -> np.ndarray:
    """int32 [n] rows; `UserError` for an unknown cell or a record that contradicts its cell."""

    def refuse(bad: np.ndarray, message: str) -> None:
        """Name the first bad record; {…} in the message are filled from it."""
        if bad.any():
            i = int(np.flatnonzero(bad)[0])
            found = {key: value[i] for key, value in runs._asdict().items()}
            digest = runs.hashes[i].tobytes().hex()
            ours = reference.parameters[row[i]]
            raise UserError(
                f"{block.where(i)}: " + message.format(**found, digest=digest, ours=ours)
            )

    row = reference.rows(runs.hashes)
    refuse(
        row < 0,
        f"module hash {{digest}} is no NAS-Bench-101 cell with at most {reference.max_vertices} "
        "vertices; "
        "the file is of another space or damaged",
    )
    refuse(
        runs.parameters != reference.parameters[row],
        "{parameters:,} trainable parameters, expected {ours:,} for cell {digest}; "
        "the file is of another network or damaged",
    )
    refuse(runs.epochs < 0, "{epochs} epochs, expected 0 or more; the file is damaged")
    for key in ("val", "test", "train"):
        values = getattr(runs, key)
        refuse(
            ~((values >= 0) & (values <= 1)),
            f"{key} accuracy {{{key}}}, expected a fraction; the file is damaged",
        )
    refuse(
        ~((runs.seconds >= 0) & (runs.seconds < np.inf)),
        "training time {seconds} s, expected 0 or more; the file is damaged",
    )

    # The graph in a record adds nothing to its hash; one record a block shows that both speak of
    # the same cell.
    record = readable(block, 0)
    size = record.operations.count(",") + 1
    if size > MAX_VERTICES or len(record.adjacency) != size**2 or set(record.adjacency) - {*"01"}:
        raise UserError(
            f"{block.where(0)}: no graph of {size} operations in it, expected a square of 0 and 1; "
            "the file is damaged"
        )
    matrix = [record.adjacency[i * size : (i + 1) * size] for i in range(size)]
    try:
        graph = parse([[int(c) for c in line] for line in matrix], record.operations.split(","))
    except UserError as error:
        raise UserError(f"{block.where(0)}: {error}; the file is damaged") from None
    digest = module_hash(graph)
    if digest != record.module_hash:
        raise UserError(
            f"{block.where(0)}: its graph hashes to {digest}, expected {record.module_hash}; the "
            "file is damaged"
        )
    return row
