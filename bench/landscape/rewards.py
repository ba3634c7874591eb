"""Shaped rewards of one-step moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from rlnas.bench.benchmark import Benchmark
from rlnas.bench.errors import UserError
from rlnas.bench.lists import Flat, Offsets, Values, lists_of, values_of
from rlnas.bench.rewards import Exponential, Shaping

REWARD_EDGES = np.linspace(-8.125, 8.125, 66)
"""Histogram of shaped rewards: bins of a quarter standard deviation, one of them around 0."""


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
            index = jax.random.randint(move_key, (), 0, jnp.maximum(degree, 1), jnp.int32)
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
