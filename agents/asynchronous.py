"""Simulated asynchronous workers: answers that come late, and the time that saves.

An event queue in simulated seconds, the recorded training times: whoever is free first brings its
answer and gets the next architecture at once. So with W workers up to W - 1 answers are missing
when one is chosen, and quick trainings overtake slow ones.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int32

from rlnas.agents.tabular import Sample
from rlnas.bench.benchmark import QueryResult


class Workers(NamedTuple):
    """holds: what each worker [W] trains, with its answer; no value before its first. free: when
    each is done, in simulated seconds."""

    holds: Sample
    free: Float32[Array, " W"]


def first_free(workers: Workers) -> tuple[Int32[Array, ""], Sample]:
    """(who is done first, what it brings)."""
    who = jnp.argmin(workers.free).astype(jnp.int32)
    return who, jax.tree.map(lambda x: x[who], workers.holds)


def give(workers: Workers, who: Int32[Array, ""], sample: Sample, result: QueryResult) -> Workers:
    """Worker `who` trains it. A time that is unknown counts as a second: where all are, answers
    come in order, W - 1 queries late."""
    seconds = jnp.where(jnp.isnan(result.sim_seconds), 1, result.sim_seconds).astype(jnp.float32)
    holds = jax.tree.map(lambda all, one: all.at[who].set(one), workers.holds, sample)
    return Workers(holds, workers.free.at[who].add(seconds))


def speed_up(
    seconds: Float[np.ndarray, "*runs queries"], workers: int
) -> Float[np.ndarray, "*runs"]:
    """How many times as fast `workers` are as one, from `History.sim_seconds`; unknown times as in
    `give`."""
    seconds = np.where(np.isnan(seconds), 1.0, seconds)
    free = np.zeros((*seconds.shape[:-1], workers))
    for query in np.moveaxis(seconds, -1, 0):
        who = free.argmin(-1)[..., None]
        np.put_along_axis(free, who, np.take_along_axis(free, who, -1) + query[..., None], -1)
    return np.asarray(seconds.sum(-1) / free.max(-1))
