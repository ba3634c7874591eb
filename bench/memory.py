"""What a search remembers: a ring of its latest queries and their answers."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace


class Memory(NamedTuple):
    """archs: [places]. vals: observed validation accuracy, -inf where there was none. queries: how
    many there were; number t lies in place t % places until t + places replaces it."""

    archs: Arch
    vals: Float[Array, " places"]
    queries: Int[Array, ""]


def empty(space: SearchSpace, places: int) -> Memory:
    """Room for `places` queries; with none, everything is forgotten at once."""
    blank = jax.eval_shape(space.sample, jax.random.key(0))
    archs = jnp.zeros((places, *blank.shape), blank.dtype)
    return Memory(archs, jnp.full(places, -jnp.inf), jnp.int32(0))


def remember(memory: Memory, arch: Arch, result: QueryResult) -> Memory:
    """Put a query in, over the oldest."""
    archs, vals, queries = memory
    if places := vals.shape[0]:
        at = queries % places
        archs = archs.at[at].set(arch)
        vals = vals.at[at].set(jnp.where(result.valid, result.val, -jnp.inf))
    return Memory(archs, vals, queries + 1)


def held(memory: Memory) -> Bool[Array, " places"]:
    """Which places hold a query."""
    return jnp.arange(memory.vals.shape[0]) < memory.queries


def same_arch(a: Arch, b: Arch, batch_dims: int) -> Bool[Array, "*batch"]:
    """Whether architectures are equal, over `batch_dims` leading dimensions after broadcasting."""
    equal = a == b
    return equal.all(axis=tuple(range(batch_dims, equal.ndim)))


def places(memory: Memory, arch: Arch) -> Bool[Array, " places"]:
    """Which places hold `arch`."""
    return same_arch(memory.archs, arch, 1) & held(memory)


def knows(memory: Memory, arch: Arch) -> Bool[Array, ""]:
    """Whether `arch` is among the queries remembered."""
    return places(memory, arch).any()
