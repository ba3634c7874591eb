"""A space with what is seen of its architectures: codes that kernels compare, and a few traits that
mean the same in every space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int8

from rlnas.bench import graphs
from rlnas.bench.benchmark import Arch, Graph, Graphs, Indexed, SearchSpace, Weighed

TRAITS = (
    "operations",
    "edges",
    "longest path",
    "weights",
    "depth of weights",
    "shortest path",
    "kinds of operations",
)
"""What `traits` measures of an architecture's cells together; ours. The first five measure size."""


def traits(
    graph: Graph, operations: int, weights: Sequence[float] | None = None
) -> Float32[Array, " traits"]:
    """float32 [7], raw: `TRAITS`, sums over the cells. A path's length is its operations; its depth
    of weights the sum of their kernels' sides, in threes. weights: of `Weighed`; None: unknown, and
    these traits are zero."""
    kinds = graph.labels[..., None] == jnp.arange(operations, dtype=jnp.int8)
    is_op = kinds.any(-1)
    each = jnp.asarray(weights or (0.0,) * operations, jnp.float32)
    weight = kinds.astype(jnp.float32) @ each
    side = kinds.astype(jnp.float32) @ jnp.sqrt(each)
    is_output = graph.labels == operations
    is_input = graph.labels > operations
    far = jnp.float32(-1e3)
    longest = jnp.where(is_input, 0.0, far)
    deepest = longest
    shortest = jnp.where(is_input, 0.0, -far)
    for _ in range(graph.labels.shape[-1] - 1):
        step = is_op.astype(jnp.float32)
        before = jnp.where(graph.edges, longest[..., :, None], far).max(-2)
        longest = jnp.maximum(longest, before + step)
        before = jnp.where(graph.edges, deepest[..., :, None], far).max(-2)
        deepest = jnp.maximum(deepest, before + side)
        before = jnp.where(graph.edges, shortest[..., :, None], -far).min(-2)
        shortest = jnp.minimum(shortest, before + step)
    ends = [jnp.where(is_output, x, 0.0).sum() for x in (longest, deepest, shortest)]
    long, deep, short = (jnp.clip(x, -1.0, 64.0) for x in ends)  # no path at all
    deep = jnp.where(each.any(), deep, 0.0)
    numbers = [is_op.sum(), graph.edges.sum(), long, weight.sum(), deep, short, kinds.any(-2).sum()]
    return jnp.stack([jnp.asarray(x, jnp.float32) for x in numbers])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Coded:
    """codes: int8 [M, f] and measured: float32 [M, t], of every architecture by number; () where
    they are worked out when asked for. weights: float32 [f], of the squared differences of codes,
    so that random architectures are at a distance of about 1 and each part counts alike. centre,
    spread: float32 [t], of random architectures' raw traits. graphs: `Graph` [M], of every
    architecture, or ()."""

    space: Any
    codes: Any
    measured: Any
    weights: Float32[Array, " f"]
    centre: Float32[Array, " t"]
    spread: Float32[Array, " t"]
    ends: tuple[int, ...] = field(metadata={"static": True})
    graphs: Any = ()

    @classmethod
    def of(cls, space: SearchSpace, whole: bool = False) -> Coded:
        """Works all architectures out once, where they have numbers and are few enough. whole:
        their graphs, too."""
        parts = graphs.parts(space)
        somewhere = jax.eval_shape(space.sample, jax.random.key(0))
        lengths = [jax.eval_shape(code, somewhere).shape[0] for code in parts]
        every = graphs.together(parts)
        codes: Any = ()
        measured: Any = ()
        drawings: Any = ()
        if isinstance(space, Indexed) and space.size <= graphs.MOST_ROWS:
            rows = graphs.at_run_time(jnp.arange(space.size, dtype=jnp.int32))

            def both(row: Any) -> Any:
                arch = space.at(row)
                return every(arch), raw_traits(space, arch)

            codes, measured = jax.lax.map(both, rows, batch_size=graphs.ROWS_AT_ONCE)
            if whole and isinstance(space, Graphs):
                drawings = jax.vmap(lambda row: space.graph(space.at(row)))(rows)
        numbers = graphs.at_run_time(jnp.arange(256, dtype=jnp.int32))
        archs = jax.vmap(lambda i: space.sample(jax.random.key(i)))(numbers)
        drawn = jax.vmap(every)(archs).astype(jnp.float32)
        ends = tuple(int(end) for end in np.cumsum(lengths)[:-1])
        apart = [
            jnp.maximum(2 * part.var(axis=0).sum(), 1e-6) for part in jnp.split(drawn, ends, axis=1)
        ]
        weights = jnp.concatenate(
            [
                jnp.full(length, 1.0, jnp.float32) / (len(parts) * scale)
                for length, scale in zip(lengths, apart, strict=True)
            ]
        )
        raw = jax.vmap(lambda arch: raw_traits(space, arch))(archs)
        spread = jnp.maximum(raw.std(0), 1e-3)
        return cls(space, codes, measured, weights, raw.mean(0), spread, ends, drawings)

    def code(self, arch: Arch) -> Int8[Array, " f"]:
        """What kernels compare (`graphs.parts`)."""
        if isinstance(self.codes, tuple):
            found: Any = graphs.together(graphs.parts(self.space))(arch)
            return found
        found = self.codes[jnp.maximum(self.space.index(arch), 0)]
        return found

    def traits(self, arch: Arch) -> Float32[Array, " t"]:
        """In deviations from random architectures' mean."""
        if isinstance(self.measured, tuple):
            raw = raw_traits(self.space, arch)
        else:
            raw = self.measured[jnp.maximum(self.space.index(arch), 0)]
        return (raw - self.centre) / self.spread


def raw_traits(space: Any, arch: Arch) -> Float32[Array, " t"]:
    """`traits`, zero where the space shows no graphs."""
    if not isinstance(space, Graphs):
        return jnp.zeros(len(TRAITS), jnp.float32)
    weights = space.graph_weights if isinstance(space, Weighed) else None
    return traits(space.graph(arch), space.graph_operations, weights)
