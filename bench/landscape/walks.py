"""Random walks: how fast accuracies are forgotten, step by step."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from rlnas.bench.benchmark import Benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.rank import FEWEST


class Autocorrelation(NamedTuple):
    """Lags 0..L, in steps. low, high: 95 % percentile-bootstrap interval over walks, NaN for fewer
    than `FEWEST` of them.

    length: the correlation length -1 / ln rho(1) in steps, with its interval; 0 where rho(1) <= 0.
    decay: the same from rho(2) / rho(1), NaN with a single lag, and where rho does not fall from
    the one to the other, as in a table so sparse that walks turn back. Measurement noise lowers all
    rho but the first by one factor, so it shortens `length` and leaves `decay`, but for walks that
    return within two steps (ours).
    """

    rho: Float[np.ndarray, " lags"]
    low: Float[np.ndarray, " lags"]
    high: Float[np.ndarray, " lags"]
    length: tuple[float, float, float]
    decay: tuple[float, float, float]


@partial(jax.jit, static_argnames=("walks", "length", "burn_in"))
def random_walks(
    benchmark: Benchmark, key: Key[Array, ""], walks: int, length: int, burn_in: int = 0
) -> tuple[Float[Array, "walks length"], Float[Array, "walks length"]]:
    """(validation, test) accuracies along walks that move to a uniformly drawn neighbour, from
    uniform starts.

    The first `burn_in` cells are left out, so that what follows is drawn as the walk, not as the
    start, draws cells. NaN where a cell has no value, and from the step on that would leave a cell
    without neighbours.
    """
    space = benchmark.space

    def step(
        carry: tuple[Any, Any], key: Key[Array, ""]
    ) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        arch, alive = carry
        look_key, move_key = jax.random.split(key)
        result = benchmark.query(arch, look_key)
        degree = space.degree(arch)
        chosen = space.neighbour(
            arch, jax.random.randint(move_key, (), 0, jnp.maximum(degree, 1), jnp.int32)
        )
        seen = jnp.where(alive, result.val, jnp.nan), jnp.where(alive, result.test, jnp.nan)
        return (jnp.where(degree > 0, chosen, arch), alive & (degree > 0)), seen

    def walk(key: Key[Array, ""]) -> tuple[Any, Any]:
        start_key, walk_key = jax.random.split(key)
        keys = jax.random.split(walk_key, burn_in + length)
        return jax.lax.scan(step, (space.sample(start_key), jnp.bool_(True)), keys)[1]

    val, test = jax.vmap(walk)(jax.random.split(key, walks))
    return val[:, burn_in:], test[:, burn_in:]


def autocorrelation(
    values: Float[np.ndarray, "walks length"], lags: int, *, resamples: int = 1000, seed: int = 0
) -> Autocorrelation:
    """Random-walk autocorrelation (Weinberger 1990): Pearson's correlation of the values `lag`
    steps apart.

    Pairs are pooled over all walks before the correlation is taken (the mean of each walk's own
    would be biased towards 0 by about correlation length / walk length). Pairs with a missing value
    are left out.
    """
    walks, length = values.shape
    if not 1 <= lags < length:
        raise UserError(
            f"found {lags} lags for walks of {length} cells; expected 1 to {length - 1}"
        )
    known = ~np.isnan(values)
    centred = (
        np.where(known, values - np.mean(values, where=known, dtype=np.float64), 0.0)
        if known.any()
        else values
    )
    sums = np.stack(
        [_pair_sums(centred, known, lag) for lag in range(lags + 1)], axis=-1
    )  # [6, walks, lags]
    rho = _pearson(sums.sum(axis=1))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(walks, np.full(walks, 1 / walks), size=resamples).astype(np.float64)
    resampled = _pearson(np.moveaxis(np.tensordot(counts, sums, (1, 1)), 0, 1))  # [resamples, lags]
    low, high = ends = np.quantile(resampled, (0.025, 0.975), axis=0)
    if walks < FEWEST:
        ends[:] = resampled[:] = np.nan
    length = _lengths(rho[1], low[1], high[1])
    if lags < 2 or not rho[2] < rho[1]:
        return Autocorrelation(rho, low, high, length, (float("nan"),) * 3)
    with np.errstate(divide="ignore"):
        ratios = np.quantile(resampled[:, 2] / resampled[:, 1], (0.025, 0.975))
    return Autocorrelation(rho, low, high, length, _lengths(rho[2] / rho[1], *ratios))


def correlation_length(factor: float) -> float:
    """-1 / ln factor: in how many steps the correlation falls to 1/e if it falls by `factor` a
    step."""
    if np.isnan(factor):
        return float("nan")
    return 0.0 if factor <= 0 else float("inf") if factor >= 1 else float(-1 / np.log(factor))


def _lengths(value: float, low: float, high: float) -> tuple[float, float, float]:
    return correlation_length(value), correlation_length(low), correlation_length(high)


def _pair_sums(
    centred: Float[np.ndarray, "W T"], known: Bool[np.ndarray, "W T"], lag: int
) -> Float[np.ndarray, "6 W"]:
    """n, sums of x, y, x², y², xy over the pairs of each walk, all in float64."""
    length = centred.shape[1]
    both = known[:, : length - lag] & known[:, lag:]
    x, y = (np.where(both, part, 0.0) for part in (centred[:, : length - lag], centred[:, lag:]))
    return np.stack(
        [part.sum(axis=1, dtype=np.float64) for part in (both, x, y, x * x, y * y, x * y)]
    )


def _pearson(sums: np.ndarray) -> np.ndarray:
    """Of `_pair_sums`, [6, ...] -> [...]; NaN where nothing varies."""
    with np.errstate(invalid="ignore", divide="ignore"):
        x, y, xx, yy, xy = sums[1:] / sums[0]
        spread = np.sqrt((xx - x * x) * (yy - y * y))
        return np.where(spread > 0, (xy - x * y) / spread, np.nan)
