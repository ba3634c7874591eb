"""How well a policy searches: mean incumbents at a few query counts, from random starts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from rlnas.agents.learner import Learner
from rlnas.agents.protocol import Agent, History, run_search
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.synthetic.tables import table_for


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
    looked up. Of a benchmark that draws tables, on one each."""
    agent = learner.agent(benchmark.space, params)
    history = searches(agent, benchmark, max(queries), keys)
    return incumbents(history, queries), history.arch


def searches(
    agent: Agent, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> History:
    """A search for every key; of a benchmark that draws tables, on one each."""

    def search(key: Key[Array, ""]) -> History:
        return run_search(agent, table_for(benchmark, key), budget, key)

    return jax.vmap(search)(keys)
