"""The DARTS space of NAS-Bench-301 in JAX: architectures as digits, their neighbours, and what
surrogates read.

An architecture is int8 [22], for the normal and then the reduction cell: the pair indices of nodes
3, 4 and 5 (node 2 always takes nodes 0 and 1), then the operations on the lower and the higher
input of nodes 2, 3, 4 and 5. Each digit ranges freely, so this is one form for each of the (7^8 x 3
x 6 x 10)^2 = 1.08e18 architectures that the surrogates can tell apart, and every vector within the
bounds is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int8, Key

from rlnas.bench.arguments import has, sequence, whole
from rlnas.bench.benchmark import Graph
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts
from rlnas.bench.nb301.darts import CELLS, NODES, OPS, PAIRS, WEIGHTS, Genotype
from rlnas.bench.nb301.decisions import NodeDecisions, node_by_node
from rlnas.bench.nb301.texts import FIELDS

FIRST_OP = 3  # of a cell's digits
DIGITS_A_CELL = FIRST_OP + 2 * len(NODES)
NUM_DIGITS = len(CELLS) * DIGITS_A_CELL
SIZES = np.array(
    [*(len(PAIRS[node]) for node in NODES[1:]), *[len(OPS)] * 2 * len(NODES)] * len(CELLS), np.int32
)
"""int [22]: how many values each digit has."""

EDGES = [(node, source) for node in NODES for source in range(node)]
"""A cell's 14 possible edges (node, input), in the order of their numbers in NAS-Bench-301."""
NUM_EDGES = len(EDGES)
NUM_CODES = len(CELLS) * (NUM_EDGES + len(NODES) - 1)
NUM_FEATURES = len(CELLS) * NUM_EDGES * (1 + len(OPS))
MAX_DEGREE = len(CELLS) * (2 * len(NODES) * (len(OPS) - 1) + sum(2 * (node - 2) for node in NODES))

_ENDS = [(-1, 0), (-1, 1), *[(source, node) for node, source in EDGES], (-2, -1)]
_FOLLOWS = np.array(
    [[b[0] == a[1] >= 0 or (b[0] == -2 and a[0] >= 0) for b in _ENDS] for a in _ENDS]
)
"""bool [17, 17]: what may follow what among a cell's inputs, edges and output, as (from, to)."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DartsSpace:
    """All architectures of NAS-Bench-301. Every one has 120 neighbours: 96 by an operation, 24 by
    an input."""

    size = prod(map(int, SIZES))
    max_degree = MAX_DEGREE
    num_features = NUM_FEATURES
    arch_shape = (NUM_DIGITS,)
    graph_operations = len(OPS)
    graph_inputs = 2
    graph_weights = tuple(WEIGHTS[op] for op in OPS)
    graph_names = OPS

    def contains(self, arch: Int[Array, " 22"]) -> Bool[Array, ""]:
        """Whether every digit is within its bounds."""
        return ((arch >= 0) & (arch < jnp.asarray(SIZES))).all()

    def sample(self, key: Key[Array, ""]) -> Int8[Array, " 22"]:
        """Every architecture equally likely: so are all values of a digit."""
        return jax.random.randint(
            key, (NUM_DIGITS,), 0, jnp.asarray(SIZES, jnp.int32), jnp.int32
        ).astype(jnp.int8)

    def degree(self, arch: Int8[Array, " 22"]) -> Int[Array, ""]:
        return jnp.int32(MAX_DEGREE)

    def neighbour(self, arch: Int8[Array, " 22"], index: Int[Array, ""]) -> Int8[Array, " 22"]:
        """Neighbour 0 to 119: first the changes of operations, then of inputs; a moved edge keeps
        its operation."""
        digit, shift, low = (jnp.asarray(table)[index] for table in (_DIGIT, _SHIFT, _LOW))
        old = arch[digit]
        new_op = (old + shift) % len(OPS)
        new_pair, swap = (jnp.asarray(table)[index, old] for table in (_NEW_PAIR, _SWAP))
        place = jnp.arange(NUM_DIGITS)
        edited = jnp.where(place == digit, jnp.where(shift > 0, new_op, new_pair), arch)
        # Sorted inputs again: the two operations change places with them.
        edited = jnp.where(swap & (place == low), arch[low + 1], edited)
        return jnp.where(swap & (place == low + 1), arch[low], edited).astype(jnp.int8)

    def neighbours(
        self, key: Key[Array, ""], arch: Int8[Array, " 22"], n: int
    ) -> tuple[Int8[Array, "n 22"], Bool[Array, " n"]]:
        index, mask = draw(key, self.degree(arch), n)
        archs = jax.vmap(lambda i: self.neighbour(arch, i))(index)
        return jnp.where(mask[:, None], archs, arch), mask

    def encode(self, arch: Int8[Array, "*n 22"]) -> Int8[Array, "*n 224"]:
        """int8 [224], a cell after the other: which of the 14 possible edges there are (the
        flattened adjacency), then each one's operation, one-hot; zeros where there is no edge.

        After the paper's NAS-Bench-101 encoding; operations on edges instead of vertices are ours.
        """
        edges = _edge_ops(arch)
        one_hot = (edges[..., None] == jnp.arange(len(OPS))).astype(jnp.int8)
        one_hot = one_hot.reshape(*one_hot.shape[:-2], -1)
        return jnp.concatenate([(edges >= 0).astype(jnp.int8), one_hot], axis=-1).reshape(
            *arch.shape[:-1], -1
        )

    @property
    def decisions(self) -> NodeDecisions:
        """Node by node, normal cell first: the pair of inputs, then the operations on the lower and
        the higher. A state is the place and what was chosen for the same node."""
        return node_by_node()

    def graph(self, arch: Int8[Array, "*n 22"]) -> Graph:
        """Two cells of 17 places: two inputs, the 14 possible edges as vertices, the output, which
        every edge leads to. Operations on vertices are ours."""
        edges = _edge_ops(arch)
        inputs, output = (
            jnp.broadcast_to(jnp.array(label, jnp.int8), (*edges.shape[:-1], len(label)))
            for label in ([len(OPS) + 1, len(OPS) + 2], [len(OPS)])
        )
        labels = jnp.concatenate([inputs, edges, output], axis=-1)
        real = labels >= 0
        return Graph(labels, jnp.asarray(_FOLLOWS) & real[..., :, None] & real[..., None, :])

    def parse(self, text: Any) -> Int8[Array, " 22"]:
        """The architecture of a genotype, its text in any form (`darts.parse`), or 22 digits."""
        if not isinstance(text, str | Mapping) and not has(text, "_asdict"):
            items = sequence(text, "an architecture", f"{NUM_DIGITS} digits, or a genotype")
            if len(items) != len(FIELDS):
                return jnp.asarray(digits_of(items))
        return jnp.asarray(from_genotype(darts.parse(text)))

    def format(self, arch: Any) -> str:
        """E.g. `0:sep_conv_3x3|1:skip_connect|...,...`."""
        return darts.short(to_genotype(arch))


def digits_of(arch: Any) -> Int8[np.ndarray, " 22"]:
    """The digits of an architecture, a list or an array of any library; `UserError` naming the
    first that is out of bounds, or a wrong length."""
    digits = sequence(arch, "an architecture", f"{NUM_DIGITS} digits")
    if len(digits) != NUM_DIGITS:
        raise UserError(
            f"found an architecture of {len(digits)} digits; expected {NUM_DIGITS} digits"
        )
    return np.array(
        [
            whole(digit, f"digit {place} of an architecture", most=int(size) - 1)
            for place, (digit, size) in enumerate(zip(digits, SIZES, strict=True))
        ],
        np.int8,
    )


def from_genotype(genotype: Genotype) -> Int8[np.ndarray, " 22"]:
    """The digits of a genotype, its nodes' inputs in any order; `UserError` with the reason when it
    is none."""
    genotype = darts.canonical(genotype)
    digits = []
    for cell in (genotype.normal, genotype.reduce):
        sources = [source for _, source in cell]
        digits += [
            PAIRS[node].index((sources[2 * i], sources[2 * i + 1]))
            for i, node in enumerate(NODES)
            if i
        ]
        digits += [OPS.index(op) for op, _ in cell]
    return np.array(digits, np.int8)


def to_genotype(arch: Any) -> Genotype:
    """The canonical genotype of the digits; `UserError` when they are none."""
    cells = []
    for digits in digits_of(arch).reshape(len(CELLS), DIGITS_A_CELL).tolist():
        pairs = [
            PAIRS[node][pair] for node, pair in zip(NODES, [0, *digits[:FIRST_OP]], strict=True)
        ]
        sources = [source for pair in pairs for source in pair]
        cells.append(
            tuple((OPS[op], source) for op, source in zip(digits[FIRST_OP:], sources, strict=True))
        )
    return Genotype(cells[0], NODES, cells[1], NODES)


def _edge_ops(arch: Int8[Array, "*n 22"]) -> Int8[Array, "*n 2 14"]:
    """Every possible edge's operation, -1 where the edge is absent."""
    digits = arch.reshape(*arch.shape[:-1], len(CELLS), DIGITS_A_CELL)
    node_2 = jnp.zeros_like(digits[..., :1])
    pair = jnp.concatenate([node_2, digits[..., :FIRST_OP]], axis=-1)[..., _NODE].astype(jnp.uint32)
    ops = digits[..., FIRST_OP:]
    low, high = (((jnp.asarray(bits) >> pair) & 1).astype(bool) for bits in (_IS_LOW, _IS_HIGH))
    absent = jnp.int8(-1)
    return jnp.where(low, ops[..., 2 * _NODE], jnp.where(high, ops[..., 2 * _NODE + 1], absent))


def codes(arch: Int8[Array, "*n 22"]) -> Int8[Array, "*n 34"]:
    """What the surrogates read: edge_normal_0..13, edge_reduce_0..13 (operation index, -1 where the
    edge is absent), inputs_node_normal_3..5, inputs_node_reduce_3..5 (pair index): YAHPO's order;
    `FEATURE_OF_CODE` has the other."""
    edges = _edge_ops(arch)
    digits = arch.reshape(*arch.shape[:-1], len(CELLS), DIGITS_A_CELL)
    pairs = digits[..., :FIRST_OP]
    return jnp.concatenate([x.reshape(*arch.shape[:-1], -1) for x in (edges, pairs)], axis=-1)


def official_features(arch: Int8[Array, "*n 22"]) -> Float32[Array, "*n 56"]:
    """The feature vector of the official ensembles (ConfigSpace 0.4's encoding of the NAS-Bench-301
    configurations)."""
    features = jnp.broadcast_to(jnp.asarray(CONSTANTS), (*arch.shape[:-1], len(CONSTANTS)))
    return features.at[..., FEATURE_OF_CODE].set(codes(arch).astype(jnp.float32))


def _official_layout() -> tuple[np.ndarray, np.ndarray]:
    """Places of the 34 codes among the 56 features (names sorted as strings), and the constants
    between them."""
    constants = np.zeros(56, np.float32)
    constants[[0, 4, 5]] = 0.5863451791322545, 0.16666444442962952, 0.3099999239999697
    constants[14] = 0.003149999006299998
    constants[[21, 24, 25]] = 0.000749999001499998, np.log(0.025), 0.8988764044943821
    constants[[26, 27, 28, 31]] = np.log(0.0003), 0.009949999019899998, 1e-12, 0.7051278400653053
    late = [10, 11, 12, 13, *range(2, 10)]  # edges 2..13, sorted as strings
    places = {("normal", 0): 10, ("normal", 1): 11, ("reduce", 0): 12, ("reduce", 1): 13}
    for start, cell in ((32, "normal"), (44, "reduce")):
        places |= {(cell, edge): start + i for i, edge in enumerate(late)}
    order = [places[cell, edge] for cell in CELLS for edge in range(NUM_EDGES)]
    return np.array([*order, *range(15, 21)]), constants


FEATURE_OF_CODE, CONSTANTS = _official_layout()
"""int [34]: the place of each of `codes` in `official_features`; float32 [56]: the others' values,
0 elsewhere."""

# Of a cell's 14 edges: the node's place in NODES, and as bits by pair index whether it is the lower
# or higher input's.
_NODE = np.array([NODES.index(node) for node, _ in EDGES])
_IS_LOW, _IS_HIGH = (
    np.array(
        [
            sum((pair[end] == source) << i for i, pair in enumerate(PAIRS[node]))
            for node, source in EDGES
        ],
        "u4",
    )
    for end in (0, 1)
)


def _edits() -> tuple[np.ndarray, ...]:
    """The 120 edits. digit, shift: an operation's digit and what is added to it; of an input's
    edit, the pair's digit and 0. low: the digit of the node's first operation. new_pair, swap [120,
    10]: by the old pair index."""
    digit, shift, low, new_pair, swap = [], [], [], [], []
    blank = np.zeros(max(map(len, PAIRS.values())), np.int8)
    for cell in range(len(CELLS)):
        start = cell * DIGITS_A_CELL
        for op in range(2 * len(NODES)):
            for by in range(1, len(OPS)):
                digit.append(start + FIRST_OP + op)
                shift.append(by)
                low.append(0)
                new_pair.append(blank)
                swap.append(blank)
    for cell in range(len(CELLS)):
        start = cell * DIGITS_A_CELL
        for place, node in enumerate(NODES[1:]):
            for end in (0, 1):
                for free in range(node - 2):
                    pairs, swaps = blank.copy(), blank.copy()
                    for i, pair in enumerate(PAIRS[node]):
                        target = [source for source in range(node) if source not in pair][free]
                        kept = pair[1 - end]
                        pairs[i] = PAIRS[node].index((min(kept, target), max(kept, target)))
                        swaps[i] = (target > kept) != (end == 1)
                    digit.append(start + place)
                    shift.append(0)
                    low.append(start + FIRST_OP + 2 * (place + 1))
                    new_pair.append(pairs)
                    swap.append(swaps)
    return np.array(digit), np.array(shift), np.array(low), np.array(new_pair), np.array(swap, bool)


_DIGIT, _SHIFT, _LOW, _NEW_PAIR, _SWAP = _edits()
