"""Edits that make a NAS-Bench-101 cell larger such that its network, with the weights of the
smaller one, computes the same (Net2Net, Chen et al. 2016, arXiv 1511.05641; EAS, Cai et al. 2018,
arXiv 1707.04873; path-level edits, Cai et al. 2018, arXiv 1806.02639).

A NAS-Bench-101 cell has no widths of its own: its vertices' channels follow from how many of them
feed the output, which concatenates. So an edit is one here only if every vertex that stays keeps
its channels (`keeps_channels`); the concatenation is split anew only where that is exact. Edges
between interior vertices have no weights either: an edge of weight zero needs a projection (from
the input) or a convolution on it. `rlnas.bench.nb101.inherit` moves the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import (
    INPUT,
    MAX_EDGES,
    MAX_VERTICES,
    OPS,
    OUTPUT,
    Cell,
    parse,
    vertex_channels,
)

CONV3, CONV1, POOL = OPS
CONVS = (CONV1, CONV3)
KINDS = ("deeper", "wider", "edge", "add", "concat")


@dataclass(frozen=True)
class Edit:
    """One change of a cell.

    deeper: the vertex `op` on the edge `place`, which does nothing at first.
    wider: vertex place[0], a 1 x 1 convolution, becomes 3 x 3.
    edge: a connection place[0] -> place[1] of weight zero; from an interior vertex through `op`.
    add: vertex place[0] twice, side by side; the two add up to what it was.
    concat: what feeds the output alone, place[0], is split into parts that are concatenated: the
    projection of the input (`op`: what follows each part), or pooled projections of it.
    """

    kind: str
    place: tuple[int, ...]
    op: str = ""

    def __str__(self) -> str:
        words = ["-".join(map(str, self.place)), *filter(None, [self.op.partition("-")[0]])]
        return f"{self.kind}({' '.join(words)})"


@dataclass(frozen=True)
class Grown:
    """The edited cell. origin: of each of its vertices, the one of the cell before whose weights it
    has; None for a new one."""

    cell: Cell
    origin: tuple[int | None, ...]


Edge = tuple[int, int]


def edits_of(cell: Cell, max_vertices: int = MAX_VERTICES) -> list[tuple[Edit, Grown]]:
    """All edits of a cell that keep its function and stay in the space, in a fixed order."""
    found = []
    for edit in _candidates(cell):
        grown = _tried(cell, edit, max_vertices)
        if grown is not None:
            found.append((edit, grown))
    return found


def apply(cell: Cell, edit: Edit) -> Grown:
    """`UserError` for an edit that this cell does not have."""
    grown = _tried(cell, edit) if edit in set(_candidates(cell)) else None
    if grown is None:
        raise UserError(f"{edit} is no edit of this cell; expected one of `edits_of`")
    return grown


def _tried(cell: Cell, edit: Edit, max_vertices: int = MAX_VERTICES) -> Grown | None:
    """None where the space ends, or where the channels change of what stays."""
    try:
        grown = _DO[edit.kind](cell, edit)
    except UserError:
        return None
    fits = grown.cell.num_vertices <= max_vertices
    return grown if fits and (edit.kind == "concat" or keeps_channels(cell, grown)) else None


def keeps_channels(cell: Cell, grown: Grown) -> bool:
    """Whether every vertex that stays has its channels, whatever the network's width."""
    feeding = max(1, len(feeders(grown.cell)))
    for width in range(10 * feeding, 11 * feeding):  # every remainder
        old, new = (vertex_channels(c, 1, width) for c in (cell, grown.cell))
        if any(o is not None and old[o] != c for o, c in zip(grown.origin, new, strict=True)):
            return False
    return True


def feeders(cell: Cell) -> list[int]:
    """The interior vertices that the output concatenates."""
    last = cell.num_vertices - 1
    return [v for v in range(1, last) if cell.matrix[v][last]]


def sources(cell: Cell, vertex: int) -> list[int]:
    return [u for u in range(vertex) if cell.matrix[u][vertex]]


def _candidates(cell: Cell) -> Iterator[Edit]:
    last = cell.num_vertices - 1
    inner = range(1, last)
    for u, v in _edges(cell):
        if (u, v) != (0, last) or not feeders(cell):  # else the input is added, not concatenated
            yield from (Edit("deeper", (u, v), op) for op in CONVS)
    yield from (Edit("wider", (v,)) for v in inner if cell.ops[v] == CONV1)
    yield from (Edit("edge", (0, v)) for v in range(1, last + 1) if not cell.matrix[0][v])
    for v in inner:
        yield from (Edit("edge", (u, v), op) for u in range(1, v) for op in CONVS)
    for v in inner:
        alone = cell.ops[v] in CONVS or sources(cell, v) == [0]
        if alone and not cell.matrix[v][last]:
            yield Edit("add", (v,))
    if not inner:
        yield from (Edit("concat", (0,), op) for op in CONVS)
    elif all(cell.ops[v] == POOL and sources(cell, v) == [0] for v in inner):
        yield Edit("concat", (last - 1,))  # all feed the output: where else could they lead


def _edges(cell: Cell) -> list[Edge]:
    n = cell.num_vertices
    return [(u, v) for u in range(n) for v in range(n) if cell.matrix[u][v]]


def _made(ops: Sequence[str], edges: Sequence[Edge], origin: Sequence[int | None]) -> Grown:
    matrix = [[int((u, v) in edges) for v in range(len(ops))] for u in range(len(ops))]
    return Grown(parse(matrix, ops), tuple(origin))


def _inserted(
    cell: Cell, after: int, op: str, origin: int | None = None
) -> tuple[list[str], list[Edge], list[int | None], list[int]]:
    """(ops, edges, origin, where each old vertex is now) with an unconnected vertex behind
    `after`: the others keep their order, and so the output its concatenation."""
    now = [v + (v > after) for v in range(cell.num_vertices)]
    ops = [*cell.ops[: after + 1], op, *cell.ops[after + 1 :]]
    edges = [(now[u], now[v]) for u, v in _edges(cell)]
    came = [*range(after + 1), origin, *range(after + 1, cell.num_vertices)]
    return ops, edges, came, now


def _deeper(cell: Cell, edit: Edit) -> Grown:
    u, v = edit.place
    ops, edges, origin, now = _inserted(cell, u, edit.op)
    edges.remove((now[u], now[v]))
    return _made(ops, [*edges, (now[u], u + 1), (u + 1, now[v])], origin)


def _wider(cell: Cell, edit: Edit) -> Grown:
    ops = [CONV3 if v == edit.place[0] else op for v, op in enumerate(cell.ops)]
    return _made(ops, _edges(cell), range(len(ops)))


def _edge(cell: Cell, edit: Edit) -> Grown:
    u, v = edit.place
    if not edit.op:
        return _made(cell.ops, [*_edges(cell), (u, v)], range(cell.num_vertices))
    ops, edges, origin, now = _inserted(cell, u, edit.op)
    return _made(ops, [*edges, (u, u + 1), (u + 1, now[v])], origin)


def _add(cell: Cell, edit: Edit) -> Grown:
    (v,) = edit.place
    ops, edges, origin, now = _inserted(cell, v, cell.ops[v], v)
    copied = [(now[u], v + 1) for u in sources(cell, v)]
    copied += [(v + 1, now[w]) for w in range(cell.num_vertices) if cell.matrix[v][w]]
    return _made(ops, [*edges, *copied], origin)


def _concat(cell: Cell, edit: Edit) -> Grown:
    last = cell.num_vertices - 1
    if last == 1:
        cells_edges = [(0, 1), (0, 2), (1, 3), (2, 3)]
        return _made([INPUT, edit.op, edit.op, OUTPUT], cells_edges, (0, None, None, 1))
    ops, edges, origin, now = _inserted(cell, last - 1, POOL)
    return _made(ops, [*edges, (0, last), (last, now[last])], origin)


_DO = {"deeper": _deeper, "wider": _wider, "edge": _edge, "add": _add, "concat": _concat}


NUMBERS = len(KINDS) + len(CONVS) + 2 * (2 + len(OPS)) + 4 + len(OPS)
"""How many describe an edit."""
MOST = 64
"""Edits of a cell, and room to spare: at most 44, of six vertices, are tried."""


def described(cell: Cell, edit: Edit) -> list[float]:
    """An edit in its cell, as numbers from 0 to 1: what it is, from where to where (position,
    operation), and what the cell has."""
    places, names = (edit.place[0], edit.place[-1]), (INPUT, *OPS, OUTPUT)
    last = cell.num_vertices - 1
    found = [float(edit.kind == kind) for kind in KINDS]
    found += [float(edit.op == op) for op in CONVS]
    found += [float(cell.ops[v] == name) for v in places for name in names]
    found += [v / last for v in places]
    found += [cell.num_vertices / MAX_VERTICES, cell.num_edges / MAX_EDGES]
    return found + [cell.ops.count(op) / MAX_VERTICES for op in OPS]
