"""What a search has to cross: how rugged a benchmark is, where its local optima lie, what its
rewards look like.

Random walks and sampled moves work on any search space. Optima, basins and ranks need every value
and every neighbour list, so a `Listed` space; an architecture's number is called its row. A
look-up without a value (NaN) is no cell of the landscape: it is nobody's optimum, step or reward,
but walks go through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from rlnas.bench.benchmark import Benchmark, Listed
from rlnas.bench.errors import UserError
from rlnas.bench.rank import spearman
from rlnas.bench.rewards import Exponential, Shaping

Values = Float[np.ndarray, " M"]
Offsets = Int[np.ndarray, " bounds"]
Flat = Int[np.ndarray, " E"]

REWARD_EDGES = np.linspace(-8.125, 8.125, 66)
"""Histogram of shaped rewards: bins of a quarter standard deviation, one of them around 0."""


def lists_of(benchmark: Benchmark) -> tuple[Offsets, Flat] | None:
    """The neighbour lists of a benchmark's space, or None where it does not list them."""
    if not isinstance(benchmark.space, Listed):
        return None
    offsets = np.asarray(benchmark.space.offsets)
    return offsets, np.asarray(benchmark.space.flat)[: offsets[-1]]


@jax.jit
def values_of(benchmark: Benchmark) -> tuple[Float[Array, " M"], Float[Array, " M"]]:
    """(validation, reported) by number of every architecture of a `Listed` space; the noise policy
    must be `mean` to be noise-free."""
    archs = jax.vmap(benchmark.space.at)(jnp.arange(benchmark.space.size, dtype=jnp.int32))
    val = jax.vmap(lambda arch: benchmark.query(arch, jax.random.key(0)).val)(archs)
    return val, jax.vmap(benchmark.reported)(archs)


# Random walks


class Autocorrelation(NamedTuple):
    """Lags 0..L, in steps. low, high: 95 % percentile-bootstrap interval over walks.

    length: the correlation length -1 / ln rho(1) in steps, with its interval; 0 where rho(1) <= 0.
    decay: the same from rho(2) / rho(1), NaN with a single lag. Measurement noise lowers all rho
    but the first by one factor, so it shortens `length` and leaves `decay`, but for walks that
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
        chosen = space.neighbour(arch, jax.random.randint(move_key, (), 0, jnp.maximum(degree, 1)))
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
    low, high = np.quantile(resampled, (0.025, 0.975), axis=0)
    length = _lengths(rho[1], low[1], high[1])
    if lags < 2:
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


# Local optima and their basins


class Ascent(NamedTuple):
    """From every cell: where steepest ascent ends and after how many steps. -1 where the cell has
    no value."""

    end: Int[np.ndarray, " M"]
    steps: Int[np.ndarray, " M"]


class Optima(NamedTuple):
    """The cells where an ascent ends: no neighbour is better. By falling value, then rising row.

    strict: it has neighbours and all are worse; else one is equal (a plateau), or it has none with
    a value.
    rank: 1 + how many cells of the table are better. basin: from how many cells the ascent ends
    here, itself included.
    degree: neighbours with a value.
    """

    row: Int[np.ndarray, " K"]
    value: Float[np.ndarray, " K"]
    rank: Int[np.ndarray, " K"]
    basin: Int[np.ndarray, " K"]
    degree: Int[np.ndarray, " K"]
    strict: Bool[np.ndarray, " K"]


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


def steepest_ascent(values: Values, offsets: Offsets, flat: Flat) -> Ascent:
    """From every cell at once: to the best neighbour while it is strictly better, so a plateau is
    not crossed.

    Pointers are doubled (each cell's becomes its target's) until they rest: log2 of the longest
    ascent rounds.
    """
    row, best = best_neighbours(values, offsets, flat)
    here = np.arange(len(values))
    up = best > values  # False where the cell has no value
    end, steps = np.where(up, row, here), up.astype(np.int64)
    while True:
        further = end[end]
        if (further == end).all():
            break
        steps, end = steps + steps[end], further
    known = ~np.isnan(values)
    return Ascent(np.where(known, end, -1), np.where(known, steps, -1))


def ranks(values: Values) -> Int[np.ndarray, " M"]:
    """1 + how many are better; -1 where there is no value."""
    known = ~np.isnan(values)
    rising = np.sort(values[known])
    rank = np.full(len(values), -1)
    rank[known] = 1 + len(rising) - np.searchsorted(rising, values[known], side="right")
    return rank


def local_optima(
    values: Values, offsets: Offsets, flat: Flat, ascent: Ascent | None = None
) -> Optima:
    """All local optima; pass the `steepest_ascent` of the same arguments if it is at hand."""
    ascent = steepest_ascent(values, offsets, flat) if ascent is None else ascent
    row, basin = np.unique(ascent.end[ascent.end >= 0], return_counts=True)
    best = best_neighbours(values, offsets, flat)[1]
    degree = over_rows(np.add, (~np.isnan(values[flat])).astype(np.int64), offsets, 0)
    strict = (best[row] < values[row]) & (degree[row] > 0)
    order = np.argsort(-values[row], kind="stable")
    row = row[order]
    return Optima(row, values[row], ranks(values)[row], basin[order], degree[row], strict[order])


# Neighbours against rank


class RankProfile(NamedTuple):
    """Cells by validation rank in equal groups, the best first; every field but the last is an
    array [groups].

    share: the middle of the group, as a share of the cells with a value. value: mean accuracy.
    degree: mean number of neighbours, degree_low to degree_high the middle 80 % of them. gain: mean
    of the best neighbour's value minus the own. better: mean share of neighbours that are strictly
    better. spearman: of accuracy with degree, over all cells.
    """

    share: np.ndarray
    value: np.ndarray
    degree: np.ndarray
    degree_low: np.ndarray
    degree_high: np.ndarray
    gain: np.ndarray
    better: np.ndarray
    spearman: float


def rank_profile(values: Values, offsets: Offsets, flat: Flat, groups: int = 20) -> RankProfile:
    """Ties in accuracy are ordered by row. gain and better: over cells that have a neighbour with a
    value."""
    known = ~np.isnan(values)
    cells = np.flatnonzero(known)
    cells = cells[np.argsort(-values[cells], kind="stable")]
    parts = np.array_split(cells, min(groups, len(cells)))
    degree = np.diff(offsets)
    comparable = over_rows(np.add, known[flat].astype(np.int64), offsets, 0)
    above = over_rows(
        np.add, (values[flat] > np.repeat(values, degree)).astype(np.int64), offsets, 0
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        better = above / comparable
    gain = np.where(comparable > 0, best_neighbours(values, offsets, flat)[1], np.nan) - values

    def mean(column: np.ndarray) -> np.ndarray:
        kept = [column[part][~np.isnan(column[part])] for part in parts]
        return np.array([part.mean() if len(part) else np.nan for part in kept])

    ends = np.cumsum([0, *map(len, parts)]) / len(cells)
    low, high = np.array([np.quantile(degree[part], (0.1, 0.9)) for part in parts]).T
    columns = (mean(values), mean(degree.astype(float)), low, high, mean(gain), mean(better))
    return RankProfile((ends[1:] + ends[:-1]) / 2, *columns, float(spearman(values[cells], degree[cells])))


# Shaped rewards


class Moves(NamedTuple):
    """Validation accuracies before and after a move, and the move's probability; [E] each, the
    weights sum to 1."""

    before: Float[np.ndarray, " moves"]
    after: Float[np.ndarray, " moves"]
    weight: Float[np.ndarray, " moves"]


class RewardProfile(NamedTuple):
    """The one-step reward shaping(after) - shaping(before) of a uniformly random move.

    positive: share of moves with a reward above 0. zero: with one of exactly 0. peaked: the share
    of all positive reward that the best 1 % of moves carry (.01 if all were alike). histogram:
    share of moves by reward / sd, between the edges; the outer bins hold what lies beyond.
    """

    mean: float
    sd: float
    largest: float
    positive: float
    zero: float
    peaked: float
    histogram: Float[np.ndarray, " bins"]


def all_moves(values: Values, offsets: Offsets, flat: Flat) -> Moves:
    """Every move between cells with a value. A cell is as likely as any other, and then each of its
    neighbours."""
    source = np.repeat(np.arange(len(values)), np.diff(offsets))
    known = ~np.isnan(values[source]) & ~np.isnan(values[flat])
    source, target = source[known], flat[known]
    weight = 1 / np.bincount(source, minlength=len(values))[source]
    return Moves(values[source], values[target], weight / weight.sum() if len(weight) else weight)


def sampled_moves(benchmark: Benchmark, key: Key[Array, ""], count: int) -> Moves:
    """`all_moves`, drawn: on any space, with equal weights; fewer than `count` where values are
    missing."""

    @jax.jit
    def draw(benchmark: Benchmark, keys: Key[Array, " n"]) -> tuple[Any, ...]:
        def one(key: Key[Array, ""]) -> tuple[Any, ...]:
            start_key, move_key, *look_keys = jax.random.split(key, 4)
            arch = benchmark.space.sample(start_key)
            degree = benchmark.space.degree(arch)
            index = jax.random.randint(move_key, (), 0, jnp.maximum(degree, 1))
            moved = benchmark.space.neighbour(arch, index)
            looks = [
                benchmark.query(a, k).val for a, k in zip((arch, moved), look_keys, strict=True)
            ]
            return *looks, degree > 0

        return jax.vmap(one)(keys)

    before, after, moved = map(np.asarray, draw(benchmark, jax.random.split(key, count)))
    known = moved & ~np.isnan(before) & ~np.isnan(after)
    return Moves(before[known], after[known], np.full(known.sum(), 1 / max(1, known.sum())))


def moves_of(benchmark: Benchmark, key: Key[Array, ""], count: int = 100_000) -> Moves:
    """All moves, exactly, where the space lists them; else `count` drawn ones."""
    lists = lists_of(benchmark)
    if lists is None:
        return sampled_moves(benchmark, key, count)
    return all_moves(np.asarray(values_of(benchmark)[0]), *lists)


def reward_profile(
    moves: Moves, shaping: Shaping, edges: np.ndarray = REWARD_EDGES
) -> RewardProfile:
    """Of any shaping. edges: of the histogram, ascending, in standard deviations."""
    if not len(moves.weight):
        raise UserError("no move joins two architectures with a value; a reward needs one")
    shaped = (
        np.asarray(shaping(jnp.asarray(part)), np.float64) for part in (moves.after, moves.before)
    )
    reward = next(shaped) - next(shaped)
    weight = moves.weight.astype(np.float64)
    mean = float(weight @ reward)
    sd = float(np.sqrt(weight @ (reward - mean) ** 2))
    order = np.argsort(-reward)
    gained = np.concatenate([[0.0], np.cumsum((weight * np.maximum(reward, 0))[order])])
    spent = np.concatenate([[0.0], np.cumsum(weight[order])])
    peaked = float(np.interp(0.01, spent, gained) / gained[-1]) if gained[-1] > 0 else float("nan")
    scaled = np.clip(reward / sd if sd > 0 else reward, edges[0], edges[-1])
    histogram = np.histogram(scaled, edges, weights=weight)[0]
    positive, zero = (float(weight @ flag) for flag in (reward > 0, reward == 0))
    return RewardProfile(mean, sd, float(reward.max()), positive, zero, peaked, histogram)


def shaped_rewards(
    moves: Moves, alphas: Sequence[int | float], edges: np.ndarray = REWARD_EDGES
) -> dict[float, RewardProfile]:
    """alpha -> the rewards of `rlnas.bench.rewards.Exponential(alpha)`; `moves_of(benchmark, key)`
    has the moves."""
    return {float(alpha): reward_profile(moves, Exponential(alpha), edges) for alpha in alphas}


# A map


def principal_components(
    points: Float[np.ndarray, "M d"] | Int[np.ndarray, "M d"], count: int = 2
) -> tuple[Float[np.ndarray, "M k"], Float[np.ndarray, " k"]]:
    """PCA: the points' coordinates along the `count` directions of largest variance, and the shares
    of it.

    Works on the d x d covariance, so M may be large. A direction's largest component is positive.
    """
    centred = points - points.mean(axis=0, dtype=np.float64)
    variance, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variance, directions = variance[::-1], directions[:, ::-1][:, :count]
    directions = directions * np.sign(
        directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])]
    )
    return centred @ directions, variance[:count] / max(variance.sum(), np.finfo(float).tiny)
