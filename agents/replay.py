"""Prioritised replay in fixed shapes (Schaul et al. 2016): a ring of items, drawn in proportion to
priority."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32, Key

from rlnas.bench.errors import UserError

BLOCK = 256
"""Priorities are summed by blocks; a draw finds its block, then its place: exact, and no tree to
keep."""


class Replay(NamedTuple):
    """items: a pytree of [capacity, ...] arrays. priorities: float32 [blocks, BLOCK], already
    raised to alpha, 0 where there is no item. added: items ever added, modulo the capacity.
    largest: the largest priority so far; new items get it (Schaul)."""

    items: Any
    priorities: Float32[Array, "blocks block"]
    added: Int32[Array, ""]
    largest: Float32[Array, ""]


def create(example: Any, capacity: int) -> Replay:
    """An empty replay for items like `example`; capacity is a multiple of `BLOCK`."""
    if capacity < BLOCK or capacity % BLOCK:
        raise UserError(f"found a replay of {capacity} items; expected a multiple of {BLOCK}")
    items = jax.tree.map(
        lambda x: jnp.zeros((capacity, *jnp.shape(x)), jnp.asarray(x).dtype), example
    )
    return Replay(
        items, jnp.zeros((capacity // BLOCK, BLOCK), jnp.float32), jnp.int32(0), jnp.float32(1.0)
    )


def size(replay: Replay) -> Int32[Array, ""]:
    """How many items it holds."""
    return jnp.minimum(replay.added, replay.priorities.size)


def add(replay: Replay, items: Any) -> Replay:
    """Put [n, ...] items in, over the oldest ones."""
    n = jax.tree.leaves(items)[0].shape[0]
    capacity = replay.priorities.size
    at = (replay.added + jnp.arange(n, dtype=jnp.int32)) % capacity
    priorities = replay.priorities.reshape(-1).at[at].set(replay.largest)
    return replay._replace(
        items=jax.tree.map(lambda old, new: old.at[at].set(new), replay.items, items),
        priorities=priorities.reshape(replay.priorities.shape),
        # Below 2^31 without changing the place: only the ring's position and fullness matter.
        added=jnp.where(
            replay.added + n >= 2 * capacity, replay.added + n - capacity, replay.added + n
        ),
    )


class Sample(NamedTuple):
    """items [n, ...]; at: int32 [n], their places; weights: float32 [n], importance weights, at
    most 1."""

    items: Any
    at: Int32[Array, " n"]
    weights: Float32[Array, " n"]


def sample(replay: Replay, key: Key[Array, ""], n: int, beta: Any) -> Sample:
    """n items with probability P proportional to priority (stratified), and weights (N P)^-beta
    over their maximum.

    N is the number of items held. The replay must not be empty.
    """
    sums = replay.priorities.sum(1)
    edges = jnp.cumsum(sums)
    total = edges[-1]
    points = (jnp.arange(n) + jax.random.uniform(key, (n,), jnp.float32)) / n * total
    block = jnp.minimum(jnp.searchsorted(edges, points, side="right"), len(sums) - 1)
    inside = jnp.cumsum(replay.priorities[block], axis=1)
    rest = points - (edges[block] - sums[block])
    # Rounding may push a point past the last item of its block: the last one with a priority takes
    # it.
    rest = jnp.clip(rest, 0.0, inside[:, -1] * (1 - 1e-6))
    place = jnp.minimum((inside <= rest[:, None]).sum(1), BLOCK - 1)
    at = (block * BLOCK + place).astype(jnp.int32)
    priority = replay.priorities[block, place]
    weights = (size(replay) * priority / total) ** -beta
    items = jax.tree.map(lambda x: x[at], replay.items)
    return Sample(items, at, weights / weights.max())


def update(
    replay: Replay, at: Int32[Array, " n"], priorities: Float32[Array, " n"], alpha: Any
) -> Replay:
    """Set the priorities (absolute TD errors, made positive) of the items at `at`, raised to
    alpha."""
    raised = (jnp.abs(priorities) + 1e-6) ** alpha
    flat = replay.priorities.reshape(-1).at[at].set(raised)
    return replay._replace(
        priorities=flat.reshape(replay.priorities.shape),
        largest=jnp.maximum(replay.largest, raised.max()),
    )
