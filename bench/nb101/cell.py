"""The readable reference of a NAS-Bench-101 cell: one cell, plain Python, the official semantics.

Everything fast (`rlnas.bench.nb101.graph`) is tested against this file. Format and rules are those
of google-research/nasbench: an upper-triangular adjacency matrix, vertex 0 the input, the last
vertex the output, at most 7 vertices and 9 edges after pruning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlnas.bench.arguments import plain, sequence, shown
from rlnas.bench.errors import UserError

INPUT, OUTPUT = "input", "output"
OPS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")  # position = official label
MAX_VERTICES, MAX_EDGES = 7, 9


@dataclass(frozen=True)
class Cell:
    """A valid, pruned cell. `parse` makes one; the constructor does not check.

    matrix: [V][V] of 0/1, strictly upper triangular. ops: V names, `input` first, `output` last.
    """

    matrix: tuple[tuple[int, ...], ...]
    ops: tuple[str, ...]

    @property
    def num_vertices(self) -> int:
        return len(self.ops)

    @property
    def num_edges(self) -> int:
        return sum(map(sum, self.matrix))

    @property
    def bits(self) -> int:
        """The edges as one integer: bit x + y(y-1)/2 is the edge x -> y."""
        return sum(
            1 << (x + y * (y - 1) // 2)
            for y in range(self.num_vertices)
            for x in range(y)
            if self.matrix[x][y]
        )

    @property
    def labels(self) -> tuple[int, ...]:
        """The interior operations as official labels 0, 1, 2."""
        return tuple(OPS.index(op) for op in self.ops[1:-1])


def from_bits(num_vertices: int, bits: int, labels: Sequence[int]) -> Cell:
    """The cell of `Cell.bits` and the interior labels; not checked."""
    matrix = tuple(
        tuple(int(x < y and bits >> (x + y * (y - 1) // 2) & 1) for y in range(num_vertices))
        for x in range(num_vertices)
    )
    return Cell(matrix, (INPUT, *(OPS[label] for label in labels), OUTPUT))


def from_digits(digits: str, num_vertices: int) -> list[list[int]]:
    """The matrix whose upper triangle is `digits`, row by row."""
    rest = iter(digits)
    n = range(num_vertices)
    return [[int(next(rest)) if x < y else 0 for y in n] for x in n]


def parse(matrix: Any, ops: Any) -> Cell:
    """Check a module specification and prune it, as the official API does.

    matrix: [V][V] of 0 and 1 or booleans, as nested lists, an array of any library, a data frame.
    ops: V names, or a text of them between commas. What is pruned may have any operation. Raises
    `UserError` with the reason when the specification is malformed or outside the space.
    """
    rows, names = _rows(matrix), _names(ops)
    n = len(rows)
    if any(len(row) != n for row in rows):
        raise UserError(
            f"adjacency matrix has {n} rows of lengths {sorted({len(r) for r in rows})}; expected "
            "a square matrix"
        )
    if len(names) != n:
        raise UserError(
            f"found {len(names)} operations for {n} vertices; expected one operation a vertex"
        )
    if n < 2:
        raise UserError(f"found {n} vertices; expected at least the input and the output vertex")
    if any(rows[x][y] for x in range(n) for y in range(x + 1)):
        raise UserError(
            "adjacency matrix has an edge on or below the diagonal; expected a strictly "
            "upper-triangular matrix"
        )
    if names[0] != INPUT or names[-1] != OUTPUT:
        raise UserError(
            f"operations start with {names[0]!r} and end with {names[-1]!r}; expected 'input' and "
            "'output'"
        )
    keep = _on_a_path(rows)
    if not keep:
        raise UserError("no path from the input to the output vertex; add edges until there is one")
    cell = Cell(tuple(tuple(rows[x][y] for y in keep) for x in keep), tuple(names[x] for x in keep))
    unknown = [op for op in cell.ops[1:-1] if op not in OPS]
    if unknown:
        raise UserError(f"unknown operation {unknown[0]!r}; expected one of {', '.join(OPS)}")
    if cell.num_vertices > MAX_VERTICES:
        raise UserError(
            f"{cell.num_vertices} vertices after pruning; the space allows at most {MAX_VERTICES}"
        )
    if cell.num_edges > MAX_EDGES:
        raise UserError(
            f"{cell.num_edges} edges after pruning; the space allows at most {MAX_EDGES}"
        )
    return cell


def from_text(text: str) -> Cell:
    """The cell of a space's text; `UserError` where it is none."""
    bits, _, ops = text.strip().partition(" ")
    names = ops.split(",")
    n = len(names)
    if not ops or len(bits) != n * (n - 1) // 2 or set(bits) - {"0", "1"}:
        raise UserError(
            f"found {shown(text)}; expected the upper triangle row by row, a space and the "
            "operations, e.g. '110101 input,maxpool3x3,maxpool3x3,output'"
        )
    return parse(from_digits(bits, n), names)


def _rows(matrix: Any) -> list[list[int]]:
    """The entries as 0 and 1."""
    rows = []
    for x, row in enumerate(sequence(matrix, "the adjacency matrix", "rows")):
        entries = sequence(row, f"row {x} of the adjacency matrix", "0 and 1")
        for y, entry in enumerate(map(plain, entries)):
            if not isinstance(entry, int | float) or entry not in (0, 1):
                raise UserError(
                    f"row {x}, column {y} of the adjacency matrix is {shown(entry)}; expected 0 "
                    "or 1"
                )
        rows.append([int(entry) for entry in entries])
    return rows


def _names(ops: Any) -> list[str]:
    """The operations as texts; what is no text becomes one that names no operation."""
    ops = ops.split(",") if isinstance(ops, str) else ops
    names = sequence(ops, "the list of operations", "names")
    return [name.strip() if isinstance(name, str) else shown(name) for name in names]


def _on_a_path(rows: Sequence[Sequence[int]]) -> list[int]:
    """The vertices on a path input -> output, in order; empty when there is no such path."""
    n = len(rows)
    from_input, to_output = {0}, {n - 1}
    for y in range(n):
        if any(rows[x][y] and x in from_input for x in range(y)):
            from_input.add(y)
    for x in reversed(range(n)):
        if any(rows[x][y] and y in to_output for y in range(x + 1, n)):
            to_output.add(x)
    keep = sorted(from_input & to_output)
    return keep if keep[:1] == [0] and keep[-1:] == [n - 1] else []


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def module_hash(cell: Cell) -> str:
    """The official module hash: md5 hex, equal for isomorphic cells (google-research/nasbench:
    `graph_util.hash_module`)."""
    n, m = cell.num_vertices, cell.matrix
    labels = (-1, *cell.labels, -2)
    hashes = [_md5(str((sum(m[v]), sum(m[u][v] for u in range(n)), labels[v]))) for v in range(n)]
    for _ in range(n):
        hashes = [
            _md5(
                "".join(sorted(hashes[u] for u in range(n) if m[u][v]))
                + "|"
                + "".join(sorted(hashes[w] for w in range(n) if m[v][w]))
                + "|"
                + hashes[v]
            )
            for v in range(n)
        ]
    return _md5(str(sorted(hashes)))


def vertex_channels(cell: Cell, channels_in: int, channels_out: int) -> list[int]:
    """Channels of every vertex: the output's are split over its interior inputs, the earlier
    positions taking the remainder; other vertices take the maximum of those they feed
    (official `compute_vertex_channels`)."""
    n, m = cell.num_vertices, cell.matrix
    channels = [channels_in] + [0] * (n - 2) + [channels_out]
    feeding = [v for v in range(1, n - 1) if m[v][n - 1]]
    for position, v in enumerate(feeding):
        share, extra = divmod(channels_out, len(feeding))
        channels[v] = share + (position < extra)
    for v in reversed(range(1, n - 1)):
        if not m[v][n - 1]:
            channels[v] = max(channels[w] for w in range(v + 1, n - 1) if m[v][w])
    return channels


def trainable_parameters(
    cell: Cell,
    *,
    in_channels: int = 3,
    stem_channels: int = 128,
    stacks: int = 3,
    modules: int = 3,
    classes: int = 10,
) -> int:
    """Trainable parameters of the whole network; the defaults give the official count."""

    def conv_bn(kernel: int, channels_in: int, channels_out: int) -> int:
        return kernel * kernel * channels_in * channels_out + 2 * channels_out

    kernels = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
    total = conv_bn(3, in_channels, stem_channels)
    width_in = stem_channels
    for stack in range(stacks):
        width = stem_channels << stack
        for _ in range(modules):
            channels = vertex_channels(cell, width_in, width)
            total += sum(
                conv_bn(1, width_in, channels[v])
                for v in range(1, cell.num_vertices)
                if cell.matrix[0][v]
            )
            total += sum(
                conv_bn(kernels[op], channels[v], channels[v])
                for v, op in enumerate(cell.ops)
                if op in kernels
            )
            width_in = width
    return total + width_in * classes + classes
