"""The cells of a table as a search space in JAX: sample, neighbours, encode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int8, Int32, UInt32

from rlnas.bench.arguments import shown, whole
from rlnas.bench.benchmark import Graph
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import cell as reference
from rlnas.bench.nb101 import costs
from rlnas.bench.nb101.cell import MAX_VERTICES, OPS, Cell
from rlnas.bench.nb101.decisions import CellDecisions, PlainDecisions
from rlnas.bench.nb101.forms import COUNTS, RowIndex
from rlnas.bench.nb101.graph import UNUSED, Cells, cells, neighbour_lists, row_index, rows_of
from rlnas.bench.neighbour_lists import NeighbourLists

NO_OP = 3  # in two bits: an interior vertex that is not there
NUM_LABELS = len(OPS) + 2
NUM_FEATURES = MAX_VERTICES * (MAX_VERTICES + NUM_LABELS)
_GRAPH_LABEL = np.array([len(OPS) + 1, *range(len(OPS)), len(OPS)], np.int8)  # of `NUM_LABELS`


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellSpace(NeighbourLists):
    """The M cells of a table; an architecture is the int32 row number of a cell in it.

    In a complete table that is the canonical row (`rlnas.bench.nb101.forms`); in a partial one
    `rows` says which canonical row it is, and neighbours are those present.

    bits: uint32 [M], `Cell.bits`. ops: uint32 [M], two bits an interior vertex from the lowest up,
    3 = none.
    offsets: int32 [M + 1] and flat: int32 [E], the neighbour lists. rows: int32 [M], ascending.
    forms: the canonical row of every form of a cell with at most `max_vertices`.
    """

    bits: UInt32[Array, " M"]
    ops: UInt32[Array, " M"]
    offsets: Int32[Array, " bounds"]
    flat: Int32[Array, " E"]
    rows: Int32[Array, " M"]
    forms: RowIndex
    max_degree: int = field(metadata={"static": True})
    max_vertices: int = field(metadata={"static": True})

    num_features = NUM_FEATURES
    graph_operations = len(OPS)
    graph_inputs = 1
    graph_weights = (1.0, 1 / 9, 0.0)
    graph_names = ("conv 3x3", "conv 1x1", "max pool")

    @property
    def whole(self) -> int:
        """How many cells there are with at most as many vertices as the largest here has."""
        largest = int(self.num_vertices().max())
        return sum(count for vertices, count in COUNTS.items() if vertices <= largest)

    def contains(self, arch: Int32[Array, ""]) -> Bool[Array, ""]:
        """Also -1, which stands for all cells that a partial table lacks."""
        return (arch >= -1) & (arch < self.size)

    def encode(self, arch: Int32[Array, "*n"]) -> Int8[Array, "*n 84"]:
        """int8 [84]: the 7 x 7 adjacency matrix, flattened, then for each of 7 vertices one-hot
        over (input, conv3x3, conv1x1, maxpool3x3, output); all zero for the vertices a smaller cell
        lacks.

        The paper's encoding; padding smaller cells at the end is ours.
        """
        bits, ops = self.bits[arch][..., None], self.ops[arch][..., None]
        edges = (bits >> _EDGE_SHIFT) & _EDGE_MASK
        # As in the one-hot order, where "no operation" comes out as the output's label.
        label = ((ops >> _OP_SHIFT) & 3).astype(jnp.int8) + 1
        interior = (label[..., 1:-1] < NUM_LABELS - 1).sum(-1, keepdims=True)
        label = jnp.where(_VERTEX == 0, 0, jnp.where(interior + 1 >= _VERTEX, label, -1))
        one_hot = (label[..., None] == jnp.arange(NUM_LABELS)).astype(jnp.int8)
        return jnp.concatenate(
            [edges.astype(jnp.int8), one_hot.reshape(*one_hot.shape[:-2], -1)], axis=-1
        )

    @property
    def decisions(self) -> CellDecisions:
        """Vertex by vertex; every sequence is a cell."""
        return CellDecisions(self)

    @property
    def plain_decisions(self) -> PlainDecisions:
        """Every entry of the matrix by itself; not every sequence is a cell."""
        return PlainDecisions(self)

    def place(self, canonical: Int32[Array, ""]) -> Int32[Array, ""]:
        """The architecture of a canonical row; -1 where the table lacks it, or it is -1."""
        at = jnp.searchsorted(self.rows, canonical).astype(jnp.int32)
        there = self.rows[jnp.minimum(at, self.size - 1)] == canonical
        return jnp.where(there, at, -1)

    def graph(self, arch: Int32[Array, "*n"]) -> Graph:
        """One cell of 7 places: input, operations, output, places that a smaller cell lacks."""
        code = self.encode(arch)
        shape = (*code.shape[:-1], 1)
        edges, one_hot = jnp.split(code, [MAX_VERTICES**2], axis=-1)
        one_hot = one_hot.reshape(*shape, MAX_VERTICES, NUM_LABELS).astype(bool)
        return Graph(
            jnp.where(one_hot.any(-1), jnp.asarray(_GRAPH_LABEL)[one_hot.argmax(-1)], jnp.int8(-1)),
            edges.reshape(*shape, MAX_VERTICES, MAX_VERTICES).astype(bool),
        )

    def flops(self, arch: Int32[Array, ""]) -> Float32[Array, ""]:
        """Of the official network on CIFAR-10, as NASLib counts them."""
        return costs.flops(self.bits[arch], self.ops[arch])

    def density(self, arch: Int32[Array, ""]) -> Float32[Array, ""]:
        """Edges a vertex."""
        return costs.density(self.bits[arch], self.ops[arch])

    def num_vertices(self) -> np.ndarray:
        """int [M]: vertices of every cell of the table."""
        ops = (
            np.asarray(self.ops)[:, None] >> (2 * np.arange(MAX_VERTICES - 2, dtype=np.uint32)) & 3
        )
        return 2 + (ops != NO_OP).sum(1)

    def cell(self, arch: Any) -> Cell:
        """The readable cell of row `arch`."""
        row = whole(arch, "the row of a cell", most=int(self.size) - 1)
        return _cell(int(self.bits[row]), int(self.ops[row]))

    def trainable_parameters(self) -> np.ndarray:
        """int [M]: of every cell's official network."""
        bits, ops = np.asarray(self.bits).tolist(), np.asarray(self.ops).tolist()
        each = (_cell(*pair) for pair in zip(bits, ops, strict=True))
        return np.array([reference.trainable_parameters(cell) for cell in each])

    def operations(self) -> np.ndarray:
        """float [M]: FLOPs of every cell's official network, as `flops` counts them."""
        return np.asarray(jax.jit(jax.vmap(costs.flops))(self.bits, self.ops))

    def row(self, cell: Any) -> int:
        """The architecture of a `Cell` in any isomorphic form, of `format`'s text, or a row itself;
        `UserError` when it is none, or the table lacks it."""
        if isinstance(cell, str):
            cell = reference.from_text(cell)
        if not isinstance(cell, Cell):
            try:
                cell = self.cell(cell)
            except UserError:
                raise UserError(
                    f"found {shown(cell)}; expected a Cell (`parse(matrix, ops)`), its text, or a "
                    f"row from 0 to {self.size - 1}"
                ) from None
        cell = reference.parse(cell.matrix, cell.ops)
        ops = np.full((1, MAX_VERTICES - 2), UNUSED, np.uint8)
        ops[0, : len(cell.labels)] = cell.labels
        columns = Cells(
            np.array([cell.num_vertices], np.uint8), np.array([cell.bits], np.uint32), ops
        )
        canonical = int(rows_of(columns)[0])
        place = int(np.searchsorted(np.asarray(self.rows), canonical))
        if place == self.size or int(self.rows[place]) != canonical:
            raise UserError(
                f"the cell ({cell.num_vertices} vertices, {cell.num_edges} edges) is not in the "
                f"table of {int(self.size)} cells; choose one that `rlnas bench export` lists, or "
                "a larger table"
            )
        return place

    def parse(self, text: Any) -> Int32[Array, ""]:
        """The architecture of `format`'s text, or of what else `row` takes."""
        return jnp.int32(self.row(text))

    def format(self, arch: Any) -> str:
        """E.g. `110101 input,maxpool3x3,maxpool3x3,output`: upper triangle row by row,
        operations."""
        cell = self.cell(arch)
        n = cell.num_vertices
        bits = "".join(str(cell.matrix[x][y]) for x in range(n) for y in range(x + 1, n))
        return f"{bits} {','.join(cell.ops)}"


def _cell(bits: int, ops: int) -> Cell:
    labels = [ops >> 2 * i & 3 for i in range(MAX_VERTICES - 2)]
    labels = [label for label in labels if label != NO_OP]
    return reference.from_bits(len(labels) + 2, bits, labels)


_X, _Y = (grid.ravel() for grid in np.mgrid[:MAX_VERTICES, :MAX_VERTICES])
_EDGE_MASK = (_X < _Y).astype(np.uint32)
_EDGE_SHIFT = (_X + _Y * (_Y - 1) // 2).astype(np.uint32) * _EDGE_MASK
_VERTEX = np.arange(MAX_VERTICES)
_OP_SHIFT = (2 * (_VERTEX - 1)).clip(0).astype(np.uint32)  # vertex 6 has a pair too: always none


def pack_ops(ops: np.ndarray) -> np.ndarray:
    """uint32 [M] of `Cells.ops` uint8 [M, 5]: two bits a vertex, 3 where there is none."""
    fields = np.where(ops == UNUSED, NO_OP, ops).astype(np.uint32)
    fields = np.pad(fields, ((0, 0), (0, 1)), constant_values=NO_OP)  # vertex 6 is never interior
    return (fields << (2 * np.arange(fields.shape[1], dtype=np.uint32))).sum(1, dtype=np.uint32)


def make_space(rows: np.ndarray, max_vertices: int) -> CellSpace:
    """The space of canonical `rows` (int32 [M], ascending): the sub-graph of the cells present."""
    every = cells(max_vertices)
    offsets, flat = neighbour_lists(max_vertices)
    total = len(every.bits)
    if len(rows) < total:
        place = np.full(total, -1, np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        source = np.repeat(place, np.diff(offsets))
        target = place[flat]
        inside = (source >= 0) & (target >= 0)
        counts = np.bincount(source[inside], minlength=len(rows))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        flat = target[inside]
    return CellSpace(
        bits=jnp.asarray(every.bits[rows]),
        ops=jnp.asarray(pack_ops(every.ops[rows])),
        offsets=jnp.asarray(offsets),
        flat=jnp.asarray(flat),
        rows=jnp.asarray(rows, jnp.int32),
        forms=row_index(max_vertices),
        max_degree=max(1, int(np.diff(offsets).max())),
        max_vertices=max_vertices,
    )
