"""A cell of NAS-Bench-101 as a sequence of choices: vertex by vertex, or all entries of the matrix.

`CellDecisions` is a way to write a cell that cannot go wrong. `PlainDecisions` is the encoding of
the experiments published with NAS-Bench-101: most of its sequences are no cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32

from rlnas.bench.benchmark import Wiring
from rlnas.bench.errors import UserError
from rlnas.bench.exemplars import Words
from rlnas.bench.nb101.cell import MAX_EDGES, from_text
from rlnas.bench.nb101.forms import EDGE_X, EDGE_Y, NUM_OPS, num_bits
from rlnas.bench.nb101.rows import OUTPUT, find_form, row_of

STOP = NUM_OPS
"""As an operation: neither this vertex nor a later one is there."""
SAID = (("type conv", "kernel 3"), ("type conv", "kernel 1"), ("type pool", "kernel 3"), ())
"""What an operation says of its vertex."""
RESNET = "101101 input,conv3x3-bn-relu,conv3x3-bn-relu,output"
INCEPTION = "1100001101 input,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,output"
WIDE_INCEPTION = (
    "110100000011000001101 input,conv1x1-bn-relu,conv1x1-bn-relu,conv3x3-bn-relu,maxpool3x3,"
    "conv1x1-bn-relu,output"
)
OPERATION, EDGE = 0, 1  # kinds of steps


class Steps(NamedTuple):
    """What is decided when, by `max_vertices` V: for each interior vertex its operation, then for
    each earlier vertex whether it leads here; last, what leads to the output, vertex V - 1.

    target, source: int32 [T], the two ends of a step's edge; at an operation its vertex, and -1.
    first: int32 [T], number of a step's first `state`; states: how many there are.
    """

    target: np.ndarray
    source: np.ndarray
    first: np.ndarray
    states: int


@cache
def steps(max_vertices: int) -> Steps:
    order = [(y, x) for y in range(1, max_vertices) for x in range(-1, y)]
    order.remove((max_vertices - 1, -1))  # the output has no operation
    # A state is what is held of a vertex, one of `labels`, its in-edges, and the fewest edges.
    counts = []
    for target, source in order:
        labels = max_vertices - 1 if target == max_vertices - 1 else NUM_OPS + 1
        known = target - 1 if source < 0 else source
        counts.append(labels * 2**known * (MAX_EDGES + 1))
    target, source = np.array(order, np.int32).T
    return Steps(target, source, np.cumsum([0, *counts[:-1]], dtype=np.int32), sum(counts))


class SoFar(NamedTuple):
    """What the first t choices have made. Each [V] by vertex.

    labels: operation, `STOP` where it is not there, or not yet. there: the input and the vertices
    with an operation. into: the edges into it, bit x for the one from x. loose: it is there and
    nothing follows it yet. fewest: edges that the finished cell has at least.
    """

    labels: Int32[Array, " V"]
    there: Bool[Array, " V"]
    into: Int32[Array, " V"]
    loose: Bool[Array, " V"]
    fewest: Int32[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellDecisions:
    """Vertex by vertex: operation (or `STOP`), in-edges; last the edges into the output. 26 steps
    where cells have up to 7 vertices, 13 for 5.

    The masks keep to what the space's definition says of a cell that is pruned already: every
    vertex has an edge in and an edge out, and there are at most 9. So the complete sequences are
    the upper-triangular forms of all cells with all labellings, each once: every cell is reached
    by as many sequences as it has such forms, and every sequence is a cell. `space`: a `CellSpace`;
    a cell that its table lacks is row -1.

    What makes that possible: the fewest edges of a finished cell are those there are and one more
    for each loose end. An edge from a loose end takes nothing from what is left; a new vertex (fed
    by the one before it, always loose), or an edge from another vertex, takes one.
    """

    space: Any

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(2 if kind == EDGE else NUM_OPS + 1 for kind in self.kinds)

    @property
    def kinds(self) -> tuple[int, ...]:
        return tuple(np.where(self._steps.source < 0, OPERATION, EDGE).tolist())

    def allowed(self, taken: Int[Array, " T"], t: Any) -> Bool[Array, " 4"]:
        target, source = (jnp.asarray(end)[t] for end in self._steps[:2])
        so_far = self._so_far(taken, t)
        spare = so_far.fewest < MAX_EDGES
        # An operation: none behind a STOP. The vertex before it is there unless there was one.
        grows = spare & so_far.there[target - 1]
        operations = jnp.array([grows] * NUM_OPS + [True])
        # An edge: to the output it must lead from a loose end, to others from the last vertex left.
        output = self.space.max_vertices - 1
        possible = so_far.there[source] & (so_far.there[target] | (target == output))
        loose = so_far.loose[source]
        needed = jnp.where(
            target == output, loose, (source == target - 1) & (so_far.into[target] == 0)
        )
        edges = jnp.array([~(possible & needed), possible & (spare | loose), False, False])
        return jnp.where(source < 0, operations, edges)

    def build(self, taken: Int[Array, " T"]) -> Int32[Array, ""]:
        found = self._so_far(taken, len(self.kinds))
        interior = found.labels[1:-1]
        inside = interior < STOP
        count = inside.sum(dtype=jnp.int32)
        vertices = jnp.arange(self.space.max_vertices, dtype=jnp.int32)
        # The output is the last vertex of the form: vertex count + 1.
        end = jnp.where(vertices == self.space.max_vertices - 1, count + 1, vertices)
        bits = (found.into << num_bits(end)).sum(dtype=jnp.int32)
        powers = jnp.int32(NUM_OPS) ** jnp.maximum(count - vertices[1:-1], 0)
        labelling = jnp.where(inside, interior * powers, 0).sum(dtype=jnp.int32)
        start, known = find_form(self.space.forms, count + 2, bits, jnp)
        rows = jnp.asarray(self.space.forms.rows)
        return self.space.place(jnp.where(known, rows[jnp.where(known, start + labelling, 0)], -1))

    def sequence(self, arch: Int32[Array, ""]) -> Int32[Array, " T"]:
        """The row's own form."""
        target, source, *_ = self._steps
        labels, into = _form(self.space, arch)
        return jnp.where(source < 0, labels[target], into[target] >> np.maximum(source, 0) & 1)

    @property
    def num_states(self) -> int:
        return self._steps.states

    def state(self, taken: Int[Array, " T"], t: Any) -> Int32[Array, ""]:
        """Of the vertex that is being made (before its operation: of the one before), after Baker
        et al.'s Markov states: step, operation (of the output: how many vertices there are), its
        edges in so far, and the fewest edges of the finished cell."""
        target, source, first = (jnp.asarray(table)[t] for table in self._steps[:3])
        so_far = self._so_far(taken, t)
        vertex = jnp.where(source < 0, target - 1, target)
        label = jnp.where(
            vertex == self.space.max_vertices - 1,
            so_far.there.sum(dtype=jnp.int32) - 1,
            so_far.labels[vertex],
        )
        known = jnp.where(source < 0, vertex, source)
        held = (label << known) + so_far.into[vertex]
        return first + held * (MAX_EDGES + 1) + so_far.fewest

    @property
    def wiring(self) -> Wiring:
        """An edge's bit takes its source as an input."""
        target, source, *_ = self._steps
        vertex = np.arange(self.space.max_vertices - 1)
        inputs = np.zeros((len(target), NUM_OPS + 1, len(vertex)), bool)
        inputs[:, 1] = source[:, None] == vertex
        convolutions = np.zeros(inputs.shape[:2], bool)
        convolutions[source < 0, :2] = True  # conv3x3, conv1x1
        made = np.array([0, *(np.flatnonzero(target == v)[-1] + 1 for v in vertex[1:])])
        return Wiring(inputs, made, vertex == 0, convolutions)

    @property
    def experts(self) -> dict[str, str]:
        """Without a pool where there is no room for its branch."""
        experts = {"resnet": RESNET} if self.space.max_vertices >= 4 else {}
        if self.space.max_vertices >= 5:
            experts["inception"] = WIDE_INCEPTION if self.space.max_vertices >= 7 else INCEPTION
        return experts

    def spelled(self, text: str) -> tuple[int, ...]:
        cell = from_text(text)
        if cell.num_vertices > self.space.max_vertices:
            raise UserError(
                f"it has {cell.num_vertices} vertices, and cells have at most "
                f"{self.space.max_vertices} here"
            )
        output = self.space.max_vertices - 1
        places = [*range(cell.num_vertices - 1), output]
        edges = {(places[x], places[y]) for x, y in np.argwhere(np.array(cell.matrix)).tolist()}
        labels = dict(enumerate(cell.labels, 1))
        return tuple(
            labels.get(target, STOP) if source < 0 else int((source, target) in edges)
            for target, source in zip(*(ends.tolist() for ends in self._steps[:2]), strict=True)
        )

    @property
    def words(self) -> Words:
        """A vertex's operation as type and kernel, and the vertices that lead to it."""

        def said(target: int, source: int) -> list[frozenset[str]]:
            if source < 0:
                return [frozenset(f"{target} {word}" for word in words) for words in SAID]
            return [frozenset(), frozenset({f"{target} from {source}"})]

        return [said(int(y), int(x)) for y, x in zip(*self._steps[:2], strict=True)]

    @property
    def _steps(self) -> Steps:
        return steps(self.space.max_vertices)

    def _so_far(self, taken: Int[Array, " T"], t: Any) -> SoFar:
        target, source, *_ = self._steps
        at = np.arange(self.space.max_vertices)
        done = jnp.arange(len(target)) < t
        operation = (done & (source < 0))[:, None] & (target[:, None] == at)
        edge = (done & (source >= 0) & (taken == 1))[:, None]
        labels = STOP + (operation * (taken[:, None] - STOP)).sum(0, dtype=jnp.int32)
        there = (labels < STOP) | (at == 0)
        bit = np.where(target[:, None] == at, 1 << np.maximum(source, 0)[:, None], 0)
        into = jnp.where(edge, bit.astype(np.int32), 0).sum(0, dtype=jnp.int32)
        loose = there & ~(edge & (source[:, None] == at)).any(0)
        fewest = edge.sum(dtype=jnp.int32) + loose.sum(dtype=jnp.int32)
        return SoFar(labels, there, into, loose, fewest)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PlainDecisions:
    """Ying et al.'s encoding for the algorithms that take vectors (2019, arXiv 1902.09635): every
    entry of the upper triangle, then the operation of every interior vertex; 21 + 5 steps where
    cells have up to 7 vertices. Nothing is masked: `valid` says which sequences are cells, by their
    rule: at most 9 edges before pruning, and a path. Of uniform draws 27 % are."""

    space: Any

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(2 if kind == EDGE else NUM_OPS for kind in self.kinds)

    @property
    def kinds(self) -> tuple[int, ...]:
        vertices = self.space.max_vertices
        return (EDGE,) * num_bits(vertices) + (OPERATION,) * (vertices - 2)

    def allowed(self, taken: Int[Array, " T"], t: Any) -> Bool[Array, " K"]:
        return jnp.arange(max(self.sizes)) < jnp.asarray(self.sizes)[t]

    def valid(self, taken: Int[Array, " T"]) -> Bool[Array, ""]:
        return self._canonical(taken) >= 0

    def build(self, taken: Int[Array, " T"]) -> Int32[Array, ""]:
        return self.space.place(self._canonical(taken))

    def sequence(self, arch: Int32[Array, ""]) -> Int32[Array, " T"]:
        """The row's own form, vertices that it lacks between its interior and the output."""
        edges = num_bits(self.space.max_vertices)
        labels, into = _form(self.space, arch)
        bits = into[EDGE_Y[:edges]] >> EDGE_X[:edges] & 1
        interior = labels[1 : self.space.max_vertices - 1]
        return jnp.concatenate([bits, jnp.where(interior == STOP, 0, interior)])

    @property
    def num_states(self) -> int:
        return len(self.kinds)

    def state(self, taken: Int[Array, " T"], t: Any) -> Int32[Array, ""]:
        """The step alone."""
        return jnp.asarray(t, jnp.int32)

    def _canonical(self, taken: Int[Array, " T"]) -> Int32[Array, ""]:
        """The canonical row, -1 for what is no cell."""
        vertices = self.space.max_vertices
        edges = num_bits(vertices)
        on = taken[:edges] == 1
        matrix = jnp.zeros((vertices, vertices), bool).at[EDGE_X[:edges], EDGE_Y[:edges]].set(on)
        ends = jnp.full(1, OUTPUT, jnp.int32)
        labels = jnp.concatenate([ends, taken[edges:].astype(jnp.int32), ends])
        row = row_of(self.space.forms, matrix, labels.at[0].set(-1))
        return jnp.where(on.sum() <= MAX_EDGES, row, -1)


def _form(space: Any, arch: Int32[Array, ""]) -> tuple[Int32[Array, " V"], Int32[Array, " V"]]:
    """labels and into, as in `SoFar`, of a row's own form, with the output as the last vertex."""
    at = np.arange(space.max_vertices, dtype=np.int32)
    shift = np.maximum(2 * (at - 1), 0)  # the output's pair of bits is empty, as the last one is
    labels = (space.ops[arch].astype(jnp.int32) >> shift & 3).at[0].set(STOP).at[-1].set(STOP)
    output = 1 + (labels < STOP).sum(dtype=jnp.int32)
    target = jnp.where(at == space.max_vertices - 1, output, jnp.where(at < output, at, 0))
    into = space.bits[arch].astype(jnp.int32) >> num_bits(target) & ((1 << target) - 1)
    return labels, into
