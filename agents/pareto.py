"""Dominance, ranks and crowding of a few points in JAX. All objectives are to be minimised."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from rlnas.bench.benchmark import QueryResult
from rlnas.bench.objectives import MOST_OBJECTIVES


def objectives_of(result: QueryResult) -> Float[Array, " K"]:
    """What an answer says, in `MOST_OBJECTIVES` places: what is not asked for is 0 for all. Of a
    benchmark that was asked for accuracy alone: minus `val`. Infinite where there is no answer."""
    found = result.objectives if result.objectives.shape[-1] else -result.val[None]
    padded = jnp.pad(jnp.asarray(found, jnp.float32), (0, MOST_OBJECTIVES - found.shape[-1]))
    return jnp.where(result.valid & ~jnp.isnan(padded), padded, jnp.inf)


def dominates(points: Float[Array, "n K"]) -> Bool[Array, "n n"]:
    """[i, j]: whether point i dominates point j: nowhere worse, somewhere better."""
    a, b = points[:, None], points[None, :]
    return (a <= b).all(-1) & (a < b).any(-1)


def ranks(points: Float[Array, "n K"]) -> Int32[Array, " n"]:
    """0 for the points that none dominates, 1 for those that only such dominate, and so on (Deb et
    al. 2002)."""
    beats = dominates(points)

    def more(carry: tuple[Array, Array]) -> Array:
        return (carry[0] < 0).any()

    def peel(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        found, rank = carry
        front = (found < 0) & ~(beats & (found < 0)[:, None]).any(0)
        return jnp.where(front, rank, found), rank + 1

    start = jnp.full(len(points), -1, jnp.int32), jnp.int32(0)
    return jax.lax.while_loop(more, peel, start)[0]


def crowding(points: Float[Array, "n K"], rank: Int32[Array, " n"]) -> Float[Array, " n"]:
    """Crowding distance within each rank: the sum over objectives of the gap between a point's two
    neighbours, in parts of the rank's range; infinite at the ends (Deb et al. 2002)."""
    n = len(points)

    def along(values: Float[Array, " n"]) -> Float[Array, " n"]:
        order = jnp.lexsort((values, rank))
        v, r = values[order], rank[order]
        same = r[1:] == r[:-1]
        edge = jnp.array([True])
        first = jnp.concatenate([edge, ~same])
        last = jnp.concatenate([~same, edge])
        gap = jnp.roll(v, -1) - jnp.roll(v, 1)
        low = jax.ops.segment_min(values, rank, n)[r]
        high = jax.ops.segment_max(values, rank, n)[r]
        width = high - low
        # Where all are alike an objective says nothing, at its ends either.
        part = jnp.where(width > 0, gap / jnp.where(width > 0, width, 1), 0.0)
        ends = jnp.where(width > 0, jnp.inf, 0.0)
        return jnp.zeros(n).at[order].set(jnp.where(first | last, ends, part))

    finite = jnp.where(jnp.isfinite(points), points, jnp.float32(3e38))
    return jax.vmap(along, in_axes=1, out_axes=1)(finite).sum(-1)
