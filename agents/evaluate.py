"""How well a policy searches: mean incumbents at a few query counts, from random starts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from rlnas.agents.learner import Learner
from rlnas.agents.protocol import History, run_search
from rlnas.bench.benchmark import Benchmark


class Incumbents(NamedTuple):
    """Means over seeds of the incumbent after so many queries: validation accuracy, and the
    reported one."""

    val: Float32[Array, " counts"]
    reported: Float32[Array, " counts"]


def incumbents(history: History, queries: Sequence[int]) -> Incumbents:
    """Of a history [seeds, budget]; NaN where a run has no valid observation yet."""
    at = history.incumbent[:, jnp.array(queries) - 1]

    def mean(values: Float32[Array, "seeds budget"]) -> Float32[Array, " counts"]:
        picked = jnp.take_along_axis(values, jnp.maximum(at, 0), axis=1)
        return jnp.nanmean(jnp.where(at >= 0, picked, jnp.nan), axis=0)

    return Incumbents(mean(history.val), mean(history.reported))


@partial(jax.jit, static_argnums=(0, 4))
def evaluate(
    learner: Learner,
    params: Any,
    benchmark: Benchmark,
    keys: Key[Array, " seeds"],
    queries: tuple[int, ...],
) -> tuple[Incumbents, Int[Array, "seeds budget ..."]]:
    """Greedy searches with `params` (traced: one program for a whole training), and what they
    looked up."""
    agent = learner.agent(benchmark.space, params)
    history = jax.vmap(lambda key: run_search(agent, benchmark, max(queries), key))(keys)
    return incumbents(history, queries), history.arch
