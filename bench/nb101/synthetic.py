"""A SYNTHETIC file in the official format and of the official size, to rehearse conversion with.

Cells, hashes and parameter counts are real, every accuracy and time in it is invented. For tests
and `rlnas speed` only; no result may rest on it. Every record has the length of the official one,
so the files have the official sizes too: 522,767,376 bytes, and 2,085,986,016 with all four
budgets.
"""

from __future__ import annotations

from base64 import encodebytes
from pathlib import Path

import numpy as np

from rlnas.bench.files import atomic_path
from rlnas.bench.nb101.cell import OPS
from rlnas.bench.nb101.graph import Cells
from rlnas.bench.nb101.reference import Reference
from rlnas.bench.nb101.tfrecord import frame

IMAGES = 9_984  # accuracies in the official files are multiples of 1/9984


def write_synthetic(
    path: Path | str,
    *,
    max_vertices: int = 7,
    budgets: tuple[int, ...] = (108,),
    repeats: int = 3,
    seed: int = 0,
) -> int:
    """Write every cell with at most max_vertices vertices, all budgets and repeats, in the order of
    the module hashes as the official file has it. Returns the number of records. The default makes
    the 1,270,872 records of the smaller official file."""
    reference = Reference(max_vertices)
    rng = np.random.default_rng(seed)
    cells = len(reference.hashes)
    quality = 0.94 - 0.02 * rng.exponential(size=cells)
    specs = _specifications(reference.cells)
    order = np.lexsort(reference.hashes.T[::-1])
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for chunk in np.array_split(order, max(1, cells // 4096)):
            shape = (len(chunk), len(budgets), repeats)
            progress = (np.array(budgets) / 108.0)[:, None]
            level = quality[chunk, None, None] * progress**0.1
            train, val, test = (
                np.rint(
                    np.clip(level + shift + 0.003 * rng.standard_normal(shape), 0.1, 1) * IMAGES
                )
                / IMAGES
                for shift in (0.05, 0.0, -0.006)
            )
            seconds = (
                progress
                * (900 + reference.parameters[chunk, None, None] / 1e4)
                * rng.normal(1, 0.01, shape)
            )
            messages = _messages(
                np.array(budgets), train, val, test, seconds, reference.parameters[chunk]
            )
            records = []
            for at, row in enumerate(chunk.tolist()):
                head = f'["{reference.name(row)}", '
                for b, epochs in enumerate(budgets):
                    start = f"{head}{epochs}, {specs[row]}"
                    for r in range(repeats):
                        metrics = encodebytes(messages[at][b][r]).decode().replace("\n", "\\n")
                        records.append(frame(f'{start}"{metrics}"]'.encode()))
            file.write(b"".join(records))
    return cells * len(budgets) * repeats


def _specifications(cells: Cells) -> list[str]:
    """`"adjacency", "operations", ` of every cell."""
    specs = [""] * len(cells.bits)
    for v in np.unique(cells.num_vertices):
        rows = np.flatnonzero(cells.num_vertices == v)
        matrix = np.zeros((len(rows), v, v), np.uint8)
        for y in range(v):
            for x in range(y):
                matrix[:, x, y] = cells.bits[rows] >> np.uint32(x + y * (y - 1) // 2) & np.uint32(1)
        digits = (matrix + ord("0")).reshape(len(rows), v * v)
        for row, line in zip(rows, digits, strict=True):
            ops = ",".join(("input", *(OPS[label] for label in cells.ops[row, : v - 2]), "output"))
            specs[row] = f'"{line.tobytes().decode()}", "{ops}", '
    return specs


def _messages(
    budgets: np.ndarray,
    train: np.ndarray,
    val: np.ndarray,
    test: np.ndarray,
    seconds: np.ndarray,
    parameters: np.ndarray,
) -> list[list[list[bytes]]]:
    """`ModelMetrics` messages [cells][budgets][repeats] in the layout of the official files; the
    evaluations at the start and at half time are invented from the last one."""
    layout = [("size", "<u2")]
    for k in range(5):
        layout += [(f"tag{k}", "u1"), (f"value{k}", "<f8")]
    evaluation = np.dtype(layout)
    runs = np.zeros((*val.shape, 3), evaluation)
    runs["size"] = 0x2D0A
    epochs = np.broadcast_to(budgets[:, None], val.shape)
    for e, share in enumerate((0.0, 0.5, 1.0)):
        level = 0.1 + (np.sqrt(share) if share < 1 else 1.0) * (np.stack([train, val, test]) - 0.1)
        level = np.stack([train, val, test]) if share == 1 else level
        for k, values in enumerate((epochs * share, seconds * share, *level)):
            runs[f"tag{k}"][..., e] = 0x09 + 8 * k
            runs[f"value{k}"][..., e] = values
    totals = (seconds * 1.05).astype("<f8")
    return [
        [
            [
                runs[c, b, r].tobytes()
                + b"\x10"
                + _varint(int(parameters[c]))
                + b"\x19"
                + totals[c, b, r].tobytes()
                for r in range(val.shape[2])
            ]
            for b in range(val.shape[1])
        ]
        for c in range(val.shape[0])
    ]


def _varint(value: int) -> bytes:
    digits = []
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])
