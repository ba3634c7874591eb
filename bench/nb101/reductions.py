"""Ways to make a NAS-Bench-101 cell smaller, decision by decision, after N2N (Ashok et al. 2018,
arXiv 1709.06030): layers are kept or removed, then what is left is shrunk.

N2N's layers stand in a row. Here (ours) a vertex that is removed is bridged: what led to it leads
to where it led. Edges may go, too. Widths are not a cell's own in this space, so shrinking is a
smaller operation: 3 x 3 to 1 x 1 to pooling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import INPUT, MAX_EDGES, MAX_VERTICES, OPS, OUTPUT, Cell, parse

KEEP, REMOVE = "keep", "remove"
SMALLER = {op: OPS[i + 1 :] for i, op in enumerate(OPS)}  # 3 x 3, 1 x 1, pooling
STAGES = ("removal", "shrinkage")
ACTIONS = (KEEP, REMOVE, *OPS[1:])
NUMBERS = len(ACTIONS) + 2 * (len(OPS) + 2) + 5
"""How many describe an action."""


class Student(NamedTuple):
    """A smaller cell. origin: of each vertex, the teacher's."""

    cell: Cell
    origin: tuple[int, ...]


class Decision(NamedTuple):
    """What is decided: of a vertex (twice the same), or of an edge. actions: what there is to
    choose from."""

    place: tuple[int, int]
    actions: tuple[str, ...]


def decisions(student: Student, stage: str) -> list[Decision]:
    """Of a stage, a decision a vertex; removal goes on with `edge_decisions` of what is left."""
    cell = student.cell
    inner = range(1, cell.num_vertices - 1)
    if stage == "shrinkage":
        return [Decision((v, v), (KEEP, *SMALLER[cell.ops[v]])) for v in inner]
    return [Decision((v, v), (KEEP, REMOVE)) for v in inner]


def edge_decisions(student: Student) -> list[Decision]:
    n = student.cell.num_vertices
    return [
        Decision((u, v), (KEEP, REMOVE))
        for u in range(n)
        for v in range(n)
        if student.cell.matrix[u][v]
    ]


def without_vertices(student: Student, removed: Sequence[int]) -> Student | None:
    """With bridges; None where that is no cell of the space."""
    matrix = [list(row) for row in student.cell.matrix]
    n = len(matrix)
    for v in sorted(removed):
        for u in range(n):
            for w in range(n):
                if matrix[u][v] and matrix[v][w]:
                    matrix[u][w] = 1
        for u in range(n):
            matrix[u][v] = matrix[v][u] = 0
    left = [v for v in range(n) if v not in set(removed)]
    return _made(student, left, [[matrix[u][v] for v in left] for u in left])


def without_edges(student: Student, removed: Sequence[tuple[int, int]]) -> Student | None:
    """Vertices that lead nowhere, or come from nowhere, go too; None where nothing is left."""
    matrix = [list(row) for row in student.cell.matrix]
    for u, v in removed:
        matrix[u][v] = 0
    n = len(matrix)
    ahead, back = {0}, {n - 1}
    for v in range(n):
        ahead |= {v for u in ahead if matrix[u][v]}
        w = n - 1 - v
        back |= {w for u in back if matrix[w][u]}
    left = sorted(ahead & back)
    return _made(student, left, [[matrix[u][v] for v in left] for u in left])


def shrunk(student: Student, actions: Sequence[str]) -> Student:
    """actions: of each interior vertex, `KEEP` or its new operation."""
    chosen = zip(student.cell.ops[1:-1], actions, strict=True)
    ops = [op if action == KEEP else action for op, action in chosen]
    return student._replace(cell=Cell(student.cell.matrix, (INPUT, *ops, OUTPUT)))


def _made(student: Student, left: Sequence[int], matrix: list[list[int]]) -> Student | None:
    try:
        cell = parse(matrix, [student.cell.ops[v] for v in left])
    except UserError:
        return None
    return Student(cell, tuple(student.origin[v] for v in left))


def described(student: Student, decision: Decision) -> list[list[float]]:
    """Every action of a decision as numbers from 0 to 1, [K][NUMBERS]."""
    cell, (u, v) = student.cell, decision.place
    names, last = (INPUT, *OPS, OUTPUT), cell.num_vertices - 1
    seen = [float(cell.ops[w] == name) for w in (u, v) for name in names]
    seen += [v / last, float(u == v), float(cell.matrix[u][last])]
    seen += [cell.num_vertices / MAX_VERTICES, cell.num_edges / MAX_EDGES]
    return [[float(action == a) for a in ACTIONS] + seen for action in decision.actions]
