"""Architectures that a model of the answers chooses from: near the best asked so far, and fresh."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key

from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, SearchSpace
from rlnas.bench.memory import Memory


def candidates(
    key: Key[Array, ""], space: SearchSpace, asked: Memory, parents: int, each: int, fresh: int
) -> tuple[Arch, Bool[Array, " n"]]:
    """[fresh + parents * each] architectures, and which of them may be asked: none that is among
    those remembered.

    First uniform draws, then up to `each` random neighbours of each of the best `parents`, the best
    parent's first. The same one may come more than once.
    """
    fresh_key, near_key = jax.random.split(key)
    drawn = jax.vmap(space.sample)(jax.random.split(fresh_key, fresh))
    if not each:
        return drawn, ~jax.vmap(lambda arch: memory.knows(asked, arch))(drawn)
    _, best = jax.lax.top_k(asked.vals, parents)
    near, real = jax.vmap(lambda key, arch: space.neighbours(key, arch, each))(
        jax.random.split(near_key, parents), asked.archs[best]
    )
    real &= jnp.isfinite(asked.vals[best])[:, None]
    archs = jnp.concatenate([drawn, near.reshape(-1, *near.shape[2:])])
    usable = jnp.concatenate([jnp.ones(fresh, bool), real.ravel()])
    return archs, usable & ~jax.vmap(lambda arch: memory.knows(asked, arch))(archs)
