"""Which cell a line of a CSV table is: by its hash, by its graph, or by both."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_digits, parse
from rlnas.bench.nb101.csv_header import Header
from rlnas.bench.nb101.reference import Reference


def rows_of_lines(
    path: Path,
    header: Header,
    lines: list[int],
    fields: list[tuple[str, ...]],
    reference: Reference,
) -> np.ndarray:
    """int32 [n] rows; by hash, by graph, or by both if they agree."""

    def refuse(i: int, reason: str) -> UserError:
        return UserError(f"{path.name}: line {lines[i]:,}: {reason}")

    by_hash = by_graph = None
    texts: tuple[str, ...] = ()
    if "module_hash" in header.plain:
        texts = fields[header.plain["module_hash"]]
        try:
            hashes = np.frombuffer(bytes.fromhex("".join(texts)), np.uint8).reshape(len(texts), 16)
        except ValueError:
            bad = (i for i, t in enumerate(texts) if not re.fullmatch("[0-9a-fA-F]{32}", t))
            raise refuse(
                i := next(bad, 0), f"module_hash {texts[i]!r}; expected 32 hexadecimal digits"
            ) from None
        by_hash = reference.rows(hashes)
        if (by_hash < 0).any():
            i = int(np.flatnonzero(by_hash < 0)[0])
            space = f"NAS-Bench-101 cell with at most {reference.max_vertices} vertices"
            raise refuse(i, f"module_hash {texts[i]} is no {space}; check where it comes from")
    kind = next((k for k in ("upper_triangle_bits", "adjacency") if k in header.plain), None)
    if kind and "ops" in header.plain:
        specs = list(zip(fields[header.plain[kind]], fields[header.plain["ops"]], strict=True))
        cells: dict[tuple[str, str], Cell] = {}
        for i, spec in enumerate(specs):
            if spec not in cells:
                try:
                    cells[spec] = _cell(kind, *spec)
                except UserError as error:
                    raise refuse(i, str(error)) from None
        found = graph.rows_of(_columns(list(cells.values())), reference.max_vertices)
        row_of = dict(zip(cells, found, strict=True))
        by_graph = np.array([row_of[spec] for spec in specs], np.int32)
        if (by_graph < 0).any():
            i = int(np.flatnonzero(by_graph < 0)[0])
            raise refuse(
                i,
                f"cell {specs[i][0]} {specs[i][1]} has more than {reference.max_vertices} vertices",
            )
    if by_hash is not None and by_graph is not None and (by_hash != by_graph).any():
        i = int(np.flatnonzero(by_hash != by_graph)[0])
        found_name = reference.name(int(by_graph[i]))
        raise refuse(
            i, f"module_hash {texts[i]}, but its graph is cell {found_name}; one of them is wrong"
        )
    rows = by_hash if by_hash is not None else by_graph
    assert rows is not None  # `read_header` saw to it
    return rows


def _cell(kind: str, digits: str, operations: str) -> Cell:
    """The pruned cell of a graph in text; `UserError` with the reason if it is none."""
    ops = [op.strip(" '\"") for op in re.split(r"[|,]", operations.strip(" []()"))]
    n = len(ops)
    if kind == "adjacency":
        digits = re.sub("[^01]", "", digits)
        if len(digits) != n * n:
            raise UserError(
                f"adjacency with {len(digits)} entries for {n} operations; expected {n * n}"
            )
        return parse([[int(d) for d in digits[x * n : (x + 1) * n]] for x in range(n)], ops)
    if len(digits) != n * (n - 1) // 2 or set(digits) - set("01"):
        raise UserError(
            f"upper_triangle_bits {digits!r} for {n} operations; expected {n * (n - 1) // 2} "
            "digits 0 or 1"
        )
    return parse(from_digits(digits, n), ops)


def _columns(cells: list[Cell]) -> graph.Cells:
    labels = [[*cell.labels, *[graph.UNUSED] * (5 - len(cell.labels))] for cell in cells]
    return graph.Cells(
        np.array([cell.num_vertices for cell in cells], np.uint8),
        np.array([cell.bits for cell in cells], np.uint32),
        np.array(labels, np.uint8).reshape(-1, 5),
    )
