"""The two spaces in JAX: six digits, their one-edit neighbours, numbers and isomorphic cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int8, Int32, Key

from rlnas.bench.benchmark import Graph, Wiring
from rlnas.bench.decisions import DigitDecisions
from rlnas.bench.draw import draw
from rlnas.bench.exemplars import Words
from rlnas.bench.nb201 import cell, skeleton
from rlnas.bench.nb201.cell import EDGES, Variant
from rlnas.bench.part import PartSpace

NUM_EDGES = len(EDGES)
SAID: tuple[tuple[str, ...], ...] = (
    (),
    ("type skip",),
    ("type conv", "kernel 1"),
    ("type conv", "kernel 3"),
    ("type pool", "kernel 3"),
)
"""What an operation says of its edge."""
_ENDS = ((0, 0), *EDGES, (3, 3))  # of the input, the operations, the output
_FOLLOWS = np.array([[a != b and a[1] == b[0] for b in _ENDS] for a in _ENDS])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EdgeDecisions(DigitDecisions):
    """The operation of one edge after the other; every node is there, so none is chosen as
    input."""

    @property
    def wiring(self) -> Wiring:
        steps, ops = len(self.sizes), self.sizes[0]
        convolutions = np.zeros((steps, ops), bool)
        convolutions[:, [cell.CONV1, cell.CONV3]] = True
        return Wiring(
            np.zeros((steps, ops, 1), bool), np.array([steps]), np.array([False]), convolutions
        )

    @property
    def experts(self) -> dict[str, str]:
        variant = cell.of_ops(self.sizes[0])
        pool = min(cell.POOL, variant.ops - 1)  # without one, another 3x3 convolution
        chain = (cell.CONV3, cell.NONE, cell.CONV3, cell.SKIP, cell.NONE, cell.CONV3)
        branches = (cell.CONV1, pool, cell.NONE, cell.CONV1, cell.CONV3, cell.CONV1)
        return {
            "resnet": cell.to_text(variant, chain),
            "inception": cell.to_text(variant, branches),
        }

    def spelled(self, text: str) -> tuple[int, ...]:
        return cell.digits_of(cell.of_ops(self.sizes[0]), text)

    @property
    def words(self) -> Words:
        """An edge's operation as type and kernel, and the node that it comes from."""
        return [
            [
                frozenset(f"edge {a}{b} {word}" for word in (*said, f"from {a}") if said)
                for said in SAID[: self.sizes[0]]
            ]
            for a, b in EDGES
        ]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellSpace:
    """All cells of six edges with `ops` operations each: 5 are NAS-Bench-201, 4 TransNAS-Bench-101
    micro.

    A neighbour has another operation on one edge. Isomorphic cells were trained apart and are
    architectures of their own here; `representative` says which belong together.
    """

    ops: int = field(metadata={"static": True})

    @property
    def variant(self) -> Variant:
        return cell.of_ops(self.ops)

    @property
    def arch_shape(self) -> tuple[int, ...]:
        return (NUM_EDGES,)

    @property
    def size(self) -> int:
        return self.variant.size

    @property
    def max_degree(self) -> int:
        return NUM_EDGES * (self.ops - 1)

    @property
    def num_features(self) -> int:
        return NUM_EDGES * self.ops

    @property
    def graph_operations(self) -> int:
        return self.ops - 1

    graph_inputs = 1
    graph_names = ("skip", "conv 1x1", "conv 3x3", "avg pool")

    @property
    def graph_weights(self) -> tuple[float, ...]:
        return (0.0, 1 / 9, 1.0, 0.0)[: self.graph_operations]

    @property
    def num_distinct(self) -> int:
        """How many cells are left when isomorphic ones count as one: 6,466 of NAS-Bench-201."""
        return len(set(cell.representatives(self.variant)))

    def sample(self, key: Key[Array, ""]) -> Int8[Array, " 6"]:
        return jax.random.randint(key, (NUM_EDGES,), 0, self.ops, jnp.int32).astype(jnp.int8)

    def degree(self, arch: Int8[Array, " 6"]) -> Int[Array, ""]:
        return jnp.int32(self.max_degree)

    def neighbour(self, arch: Int8[Array, " 6"], index: Int[Array, ""]) -> Int8[Array, " 6"]:
        """Neighbour 0 to 23 (or 17): edge after edge, the operations that follow its own in a
        circle."""
        edge, shift = index // (self.ops - 1), 1 + index % (self.ops - 1)
        edited = (arch + shift) % self.ops
        return jnp.where(jnp.arange(NUM_EDGES) == edge, edited, arch).astype(jnp.int8)

    def neighbours(
        self, key: Key[Array, ""], arch: Int8[Array, " 6"], n: int
    ) -> tuple[Int8[Array, "n 6"], Bool[Array, " n"]]:
        index, mask = draw(key, self.degree(arch), n)
        archs = jax.vmap(lambda i: self.neighbour(arch, i))(index)
        return jnp.where(mask[:, None], archs, arch), mask

    def encode(self, arch: Int8[Array, "*n 6"]) -> Int8[Array, "*n f"]:
        """int8 [30] (or [24]): whether each edge is there (has an operation but none), then its
        operation one-hot among the others, zeros where it is not there. Ours."""
        one_hot = (arch[..., None] == jnp.arange(1, self.ops)).astype(jnp.int8)
        there = (arch > 0).astype(jnp.int8)
        return jnp.concatenate([there, one_hot.reshape(*arch.shape[:-1], -1)], axis=-1)

    def graph(self, arch: Int8[Array, "*n 6"]) -> Graph:
        """One cell of 8 vertices: the input, an operation an edge, the output. `none` is no vertex.
        Operations on vertices are ours: NAS-Bench-201 has them on the edges between four sums."""
        there = arch > 0
        ends = jnp.ones_like(there[..., :1])
        input_, output = (jnp.full_like(arch[..., :1], label) for label in (self.ops, self.ops - 1))
        labels = jnp.concatenate([input_, arch - 1, output], axis=-1).astype(jnp.int8)
        real = jnp.concatenate([ends, there, ends], axis=-1)
        edges = jnp.asarray(_FOLLOWS) & real[..., :, None] & real[..., None, :]
        return Graph(labels[..., None, :], edges[..., None, :, :])

    @property
    def decisions(self) -> EdgeDecisions:
        """Edge after edge; a state is the edge and the operation before it."""
        return EdgeDecisions.chain(NUM_EDGES, self.ops)

    @property
    def offsets(self) -> Int32[np.ndarray, " bounds"]:
        """int32 [size + 1]: all neighbour lists, with `flat`; see `Listed`."""
        return np.arange(0, self.size * self.max_degree + 1, self.max_degree, dtype=np.int32)

    @property
    def flat(self) -> Int32[np.ndarray, " E"]:
        """int32 [size * max_degree]: the numbers of all cells' neighbours."""
        return _flat(self.ops)

    def contains(self, arch: Int[Array, " 6"]) -> Bool[Array, ""]:
        """Whether every digit is an operation."""
        return ((arch >= 0) & (arch < self.ops)).all()

    def index(self, arch: Int[Array, " 6"]) -> Int32[Array, ""]:
        """The cell's number, 0 to size - 1: NAS-Bench-201's official index; for TransNAS-Bench-101
        the place in the order of the digits. -1 outside the space."""
        place = jnp.dot(arch.astype(jnp.int32), jnp.asarray(_weights(self.ops)))
        number = jnp.asarray(_numbers(self.ops)[0])[jnp.where(self.contains(arch), place, 0)]
        return jnp.where(self.contains(arch), number, -1)

    def at(self, index: Int[Array, ""] | int) -> Int8[Array, " 6"]:
        """Cell number `index`."""
        return jnp.asarray(_numbers(self.ops)[1])[index]

    def representative(self, arch: Int8[Array, " 6"]) -> Int8[Array, " 6"]:
        """The isomorphic cell of the lowest number (`cell.unique_text` has the rule): two cells are
        isomorphic when theirs are equal."""
        return self.at(jnp.asarray(_numbers(self.ops)[2])[self.index(arch)])

    def trainable_parameters(self) -> np.ndarray:
        """int [size]: of every cell's network, by number."""
        made = skeleton.around(self.variant)
        digits = _numbers(self.ops)[1].tolist()
        return np.array([skeleton.trainable_parameters(tuple(each), made) for each in digits])

    def operations(self) -> np.ndarray:
        """float [size]: FLOPs of every cell in NAS-Bench-201's network on CIFAR-10, by number
        (`cell.flops`)."""
        return np.array([cell.flops(each) for each in _numbers(self.ops)[1].tolist()], np.float64)

    def parse(self, text: Any) -> Int8[Array, " 6"]:
        """The cell of an official string or of six digits, as a text or as integers."""
        return jnp.asarray(np.array(cell.digits_of(self.variant, text), np.int8))

    def format(self, arch: Any) -> str:
        """The official string."""
        return cell.to_text(self.variant, arch)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CellPart(PartSpace):
    """Some of the cells of a `CellSpace`."""

    @property
    def variant(self) -> Variant:
        found: Variant = self.full.variant
        return found

    @property
    def graph_operations(self) -> int:
        return int(self.full.graph_operations)

    @property
    def graph_weights(self) -> tuple[float, ...]:
        found: tuple[float, ...] = self.full.graph_weights
        return found

    graph_inputs = CellSpace.graph_inputs
    graph_names = CellSpace.graph_names

    def trainable_parameters(self) -> np.ndarray:
        found: np.ndarray = self.full.trainable_parameters()[np.asarray(self.rows)]
        return found

    def operations(self) -> np.ndarray:
        found: np.ndarray = self.full.operations()[np.asarray(self.rows)]
        return found

    def graph(self, arch: Int8[Array, "*n 6"]) -> Graph:
        found: Graph = self.full.graph(arch)
        return found


def _weights(ops: int) -> Int32[np.ndarray, " 6"]:
    return ops ** np.arange(NUM_EDGES - 1, -1, -1, dtype=np.int32)


@cache
def _numbers(
    ops: int,
) -> tuple[Int32[np.ndarray, " size"], Int8[np.ndarray, "size 6"], Int32[np.ndarray, " size"]]:
    """By place in the order of digits: the number; by number: the digits, and the representative's
    number."""
    variant = cell.of_ops(ops)
    digits = np.array(cell.official_order(variant), np.int8)
    number = np.empty(variant.size, np.int32)
    number[digits.astype(np.int32) @ _weights(ops)] = np.arange(variant.size)
    return number, digits, np.array(cell.representatives(variant), np.int32)


@cache
def _flat(ops: int) -> Int32[np.ndarray, " E"]:
    number, digits, _ = _numbers(ops)
    weights = _weights(ops)
    place = digits.astype(np.int32) @ weights
    columns = []
    for edge in range(NUM_EDGES):
        for shift in range(1, ops):
            old = digits[:, edge].astype(np.int32)
            columns.append(number[place + ((old + shift) % ops - old) * weights[edge]])
    return np.stack(columns, axis=1).ravel()
