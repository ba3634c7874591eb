"""Which cell a line of a CSV table is: by its hash, by its graph, or by both."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from rlnas.bench.arguments import shown
from rlnas.bench.csv_file import Batch, CsvFile
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.cell import Cell, from_digits, parse
from rlnas.bench.nb101.csv_header import Header
from rlnas.bench.nb101.reference import Reference

MOST_OPS = 64
"""In a line, before what no path leads through is cut off."""


def rows_of_lines(file: CsvFile, header: Header, batch: Batch, reference: Reference) -> np.ndarray:
    """int32 [n] rows; by hash, by graph, or by both if they agree."""
    fields = batch.fields

    def refuse(i: int, reason: str) -> UserError:
        return UserError(f"{file.where(batch.lines[i])}: {reason}")

    by_hash = by_graph = None
    texts: tuple[str, ...] = ()
    if "module_hash" in header.plain:
        texts = tuple(text.strip() for text in fields[header.plain["module_hash"]])
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
            size = f"more than {reference.max_vertices} vertices"
            raise refuse(i, f"cell {shown(' '.join(specs[i]))} has {size}")
    if by_hash is not None and by_graph is not None and (by_hash != by_graph).any():
        i = int(np.flatnonzero(by_hash != by_graph)[0])
        found_name = reference.name(int(by_graph[i]))
        raise refuse(
            i, f"module_hash {texts[i]}, but its graph is cell {found_name}; one of them is wrong"
        )
    rows = by_hash if by_hash is not None else by_graph
    assert rows is not None  # `read_header` saw to it
    return rows


def _cell(kind: str, edges: str, operations: str) -> Cell:
    """The pruned cell of a graph in text; `UserError` with the reason if it is none."""
    ops = re.findall(r"[^\s|,\[\]()'\"]+", operations)
    if len(ops) > MOST_OPS:
        raise UserError(f"{len(ops)} operations; expected at most {MOST_OPS}")
    return parse((_matrix if kind == "adjacency" else _triangle)(edges.strip(), len(ops)), ops)


def _matrix(text: str, n: int) -> list[list[Any]]:
    """The entries of a whole matrix: digits with or without spaces between rows, or as Python,
    numpy or torch print it."""
    bare = re.sub(r"\b(?:np|numpy|torch)\.|\b(?:array|matrix|tensor)\b|dtype=[\w.]+|\\n", " ", text)
    words = re.findall(r"[^\s,;\[\]()'\"]+", bare)
    entries: list[Any] = words
    if len(words) in (1, n) and not set("".join(words)) - set("01"):
        entries = list("".join(words))
    if len(entries) != n * n:
        _refuse_numbers("adjacency", text, n * n)
        raise UserError(
            f"adjacency with {len(entries)} entries for {n} operations; expected {n * n}"
        )
    entries = [_ENTRIES.get(word.lower(), word) for word in entries]
    return [entries[x * n : (x + 1) * n] for x in range(n)]


_ENTRIES = {"false": 0, "0": 0, "0.": 0, "0.0": 0, "true": 1, "1": 1, "1.": 1, "1.0": 1}


def _triangle(text: str, n: int) -> list[list[int]]:
    digits = re.sub(r"[\s'\"]", "", text)
    if len(digits) != n * (n - 1) // 2 or set(digits) - set("01"):
        _refuse_numbers("upper_triangle_bits", text, n * (n - 1) // 2)
        raise UserError(
            f"upper_triangle_bits {shown(text)} for {n} operations; expected {n * (n - 1) // 2} "
            "digits 0 or 1"
        )
    return from_digits(digits, n)


def _refuse_numbers(name: str, text: str, expected: int) -> None:
    """`UserError` for digits that a spreadsheet took for a number."""
    rounded = re.fullmatch(r"\d(?:[.,]\d+)?[eE]\+?\d+", text)
    if rounded or re.fullmatch(rf"1[01]{{0,{max(0, expected - 2)}}}(?:[.,]0+)?", text):
        raise UserError(
            f"{name} {text} has lost its {'last digits' if rounded else 'leading zeros'} (expected "
            f"{expected} digits), as when a spreadsheet takes them for a number; make the file "
            "again with that column as text"
        )


def _columns(cells: list[Cell]) -> graph.Cells:
    labels = [[*cell.labels, *[graph.UNUSED] * (5 - len(cell.labels))] for cell in cells]
    return graph.Cells(
        np.array([cell.num_vertices for cell in cells], np.uint8),
        np.array([cell.bits for cell in cells], np.uint32),
        np.array(labels, np.uint8).reshape(-1, 5),
    )
