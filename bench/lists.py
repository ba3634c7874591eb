"""Every value and every neighbour list of a table."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from rlnas.bench.benchmark import Benchmark, Listed

Values = Float[np.ndarray, " M"]
Offsets = Int[np.ndarray, " bounds"]
Flat = Int[np.ndarray, " E"]


def lists_of(benchmark: Benchmark) -> tuple[Offsets, Flat] | None:
    """The neighbour lists of a benchmark's space, or None where it does not list them."""
    if not isinstance(benchmark.space, Listed):
        return None
    offsets = np.asarray(benchmark.space.offsets)
    return offsets, np.asarray(benchmark.space.flat)[: offsets[-1]]


@jax.jit
def values_of(benchmark: Benchmark) -> tuple[Float[Array, " M"], Float[Array, " M"]]:
    """(validation, reported) by number of every architecture of an `Indexed` space, a look-up each;
    the noise policy must be `mean` to be noise-free."""
    size = int(benchmark.space.size)
    archs = jax.vmap(benchmark.space.at)(jnp.arange(size, dtype=jnp.int32))
    keys = jax.random.split(jax.random.key(0), size)
    val = jax.vmap(lambda arch, key: benchmark.query(arch, key).val)(archs, keys)
    return val, jax.vmap(benchmark.reported)(archs)


def over_rows(
    ufunc: np.ufunc, edges: np.ndarray, offsets: Offsets, empty: int | float
) -> np.ndarray:
    """`ufunc` reduced over every row's edges; `empty` for a row without any. edges: [E], beside
    `flat`."""
    out = np.full(len(offsets) - 1, empty, edges.dtype)
    filled = offsets[:-1] < offsets[1:]
    if filled.any():
        out[filled] = ufunc.reduceat(
            edges, offsets[:-1][filled]
        )  # empty rows between two filled ones hold no edges
    return out


def best_neighbours(
    values: Values, offsets: Offsets, flat: Flat
) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """(row, value) of every cell's best neighbour, the lowest row among equals; (-1, -inf) where
    none has a value."""
    reached = np.where(np.isnan(values), -np.inf, values)[flat]
    best = over_rows(np.maximum, reached, offsets, -np.inf)
    is_best = reached == np.repeat(best, np.diff(offsets))
    row = over_rows(np.minimum, np.where(is_best, flat, len(values)), offsets, -1)
    return np.where(np.isneginf(best), -1, row), best
