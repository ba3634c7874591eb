"""What tabular Q-learning agents share: architectures sampled choice by choice from a table of
values, a log of the samples, and sweeps of the table over samples that are replayed.

The environment is `SearchSpace.decisions`: T steps, K choices at most, and a summary of what was
chosen before, so that values fit a table [states, K]. Discount 1; the answer comes at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Key, UInt8

from rlnas.bench.benchmark import Arch, Decisions, Indexed, SearchSpace
from rlnas.bench.memory import same_arch

UNROLL = 4
"""Updates a turn of the loop; by measurement."""


class Sample(NamedTuple):
    """An architecture and how it was chosen, with leading [n] where there are several.

    val: its accuracy, NaN while there is none. slots: int32 [T], where the value of each choice
    stands: state * K + choice. allowed: uint8 [T, K / 8 rounded up], bits: what could have been
    chosen. Both are what a sweep needs, and small, because they are drawn much more often than
    made.
    """

    arch: Arch
    val: Float32[Array, "*n"]
    slots: Int32[Array, "*n T"]
    allowed: UInt8[Array, "*n T bytes"]


class Log(NamedTuple):
    """A ring of the latest samples [places]; sample number t lies in place t % places. total: how
    many there were."""

    samples: Sample
    total: Int32[Array, ""]


def values(decisions: Decisions, initial: float) -> Float32[Array, "S K"]:
    """A fresh table."""
    return jnp.full((decisions.num_states, max(decisions.sizes)), initial, jnp.float32)


def blank(space: SearchSpace, decisions: Decisions, places: int) -> Sample:
    """[places], without values."""
    steps, width = len(decisions.sizes), max(decisions.sizes)
    arch = jax.eval_shape(space.sample, jax.random.key(0))
    return Sample(
        jnp.zeros((places, *arch.shape), arch.dtype),
        jnp.full(places, jnp.nan, jnp.float32),
        jnp.zeros((places, steps), jnp.int32),
        jnp.zeros((places, steps, -(-width // 8)), jnp.uint8),
    )


def empty(space: SearchSpace, decisions: Decisions, places: int) -> Log:
    return Log(blank(space, decisions, places), jnp.int32(0))


def held(log: Log) -> Int32[Array, ""]:
    """How many places hold a sample."""
    return jnp.minimum(log.total, log.samples.val.shape[0])


def append(log: Log, sample: Sample, wanted: Any = True) -> Log:
    """Over the oldest; where it is not `wanted`, nothing happens."""
    places = log.samples.val.shape[0]
    at = jnp.where(wanted, log.total % places, places)
    samples = jax.tree.map(lambda all, one: all.at[at].set(one, mode="drop"), log.samples, sample)
    return Log(samples, log.total + jnp.asarray(wanted, jnp.int32))


def extend(log: Log, more: Log) -> Log:
    """`log`, and behind it what `more` holds, which has no more places than `log`."""
    places, extra = log.samples.val.shape[0], jnp.arange(more.samples.val.shape[0], dtype=jnp.int32)
    at = jnp.where(extra < held(more), (log.total + extra) % places, places)
    samples = jax.tree.map(
        lambda all, rest: all.at[at].set(rest, mode="drop"), log.samples, more.samples
    )
    return Log(samples, log.total + held(more))


def replays(key: Key[Array, ""], log: Log, more: Log, n: int) -> Sample:
    """n samples of either log, drawn uniformly with replacement; without a value where there are
    none."""
    first = held(log)
    index = jax.random.randint(key, (n,), 0, jnp.maximum(first + held(more), 1), jnp.int32)
    here, there = jnp.minimum(index, log.samples.val.shape[0] - 1), jnp.maximum(index - first, 0)

    def take(a: Any, b: Any) -> Any:
        older = (index < first).reshape(-1, *[1] * (a.ndim - 1))
        return jnp.where(older, a[here], b[there])

    return jax.tree.map(take, log.samples, more.samples)


def recall(space: SearchSpace, log: Log, arch: Arch) -> tuple[Bool[Array, ""], Float32[Array, ""]]:
    """(whether it was answered before, with what). What lies outside the space may all be one
    number, so it is never known."""
    there = jnp.arange(log.samples.val.shape[0]) < held(log)
    if isinstance(space, Indexed):
        there &= space.index(arch) >= 0
    same = there & same_arch(log.samples.arch, arch, 1)
    return same.any(), log.samples.val[jnp.argmax(same)]


def sample(
    decisions: Decisions, q: Float32[Array, "S K"], epsilon: Any, key: Key[Array, ""]
) -> Sample:
    """Step by step a uniform choice of those allowed with probability `epsilon`, and else one of
    the highest value, ties at random."""
    steps, width = len(decisions.sizes), max(decisions.sizes)
    explore_key, tie_key = jax.random.split(key)
    explores = jax.random.uniform(explore_key, (steps,), jnp.float32) < epsilon
    luck = jax.random.uniform(tie_key, (steps, width), jnp.float32)

    def choose(taken: Any, step: Any) -> tuple[Any, Any]:
        t, explore, luck = step
        state, allowed = decisions.state(taken, t), decisions.allowed(taken, t)
        worth = jnp.where(allowed, q[state], -jnp.inf)
        candidates = allowed & (explore | (worth == worth.max()))
        choice = jnp.argmax(jnp.where(candidates, luck, -1)).astype(jnp.int32)
        slot = state.astype(jnp.int32) * width + choice
        return taken.at[t].set(choice), (slot, jnp.packbits(allowed))

    at = jnp.arange(steps, dtype=jnp.int32)
    taken, chosen = jax.lax.scan(choose, jnp.zeros(steps, jnp.int32), (at, explores, luck))
    return Sample(decisions.build(taken), jnp.float32(jnp.nan), *chosen)


def sweep(
    q: Float32[Array, "S K"],
    samples: Sample,
    alpha: float,
    share: float = 0.0,
    further: Any = None,
) -> Float32[Array, "S K"]:
    """The table after the samples [n], one after the other, each from its last choice backwards.

    The value of the last choice moves by `alpha` towards the accuracy r, those before it towards
    share * r + the largest value of what was allowed next. Samples without a value teach nothing.
    further: float32 [T, K], a reward that each choice brings besides; None is none.
    """
    n, steps = samples.slots.shape
    width = q.shape[1]

    def update(carry: Any, step: Any) -> tuple[Any, None]:
        values, following = carry
        slot, allowed, r, last, *more = step
        choice = slot % width
        row = jax.lax.dynamic_slice(values, (slot - choice,), (width,))
        target = jnp.where(last, r, jnp.float32(share) * r + following)
        target = sum(more, target)
        taught = (jnp.arange(width) == choice) & ~jnp.isnan(r)
        row = jnp.where(taught, row + jnp.float32(alpha) * (target - row), row)
        values = jax.lax.dynamic_update_slice(values, row, (slot - choice,))
        possible = jnp.unpackbits(allowed, count=width) == 1
        return (values, jnp.where(possible, row, -jnp.inf).max()), None

    def backwards(x: Any) -> Any:
        return x[:, ::-1].reshape(n * steps, *x.shape[2:])

    r = jnp.repeat(samples.val, steps)
    last = jnp.tile(jnp.arange(steps) == 0, n)
    xs = [backwards(samples.slots), backwards(samples.allowed), r, last]
    if further is not None:
        xs.append(backwards(jnp.asarray(further)[jnp.arange(steps), samples.slots % width]))
    (values, _), _ = jax.lax.scan(update, (q.reshape(-1), jnp.float32(0)), xs, unroll=UNROLL)
    return values.reshape(q.shape)


def epsilon(lengths: Sequence[int], schedule: int, queries: Int32[Array, ""]) -> Float32[Array, ""]:
    """Of query number `queries`, from 0: 1.0, .9, .8, ... for so long each, `lengths` stretched to
    `schedule` queries in all; then it stays at the last."""
    ends = -(-np.cumsum(lengths)[:-1] * schedule // sum(lengths))
    level = (queries >= jnp.asarray(ends, jnp.int32)).sum(dtype=jnp.int32)
    return 1 - level.astype(jnp.float32) / 10
