"""How well a policy searches: mean incumbents at a few query counts, from random starts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Key

from rlnas.agents.learner import Learner
from rlnas.agents.protocol import Agent, History, run_search
from rlnas.bench.benchmark import Arch, Benchmark, QueryResult
from rlnas.bench.synthetic.tables import Drawn, table_of


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
    benchmark: Benchmark | Drawn,
    keys: Key[Array, " seeds"],
    queries: tuple[int, ...],
    inverted: bool | Bool[Array, ""],
) -> tuple[Incumbents, Int[Array, "seeds budget ..."]]:
    """Greedy searches with `params`, and what they looked up. benchmark: or `tables_for` the keys.
    inverted: whether the agent is told 1 - v for every validation accuracy v.

    params and inverted are traced: one program for a whole training, and no rounding tells searches
    with true and with inverted answers apart."""
    agent = learner.agent(benchmark.space, params)

    def tell(state: Any, arch: Arch, result: QueryResult) -> Any:
        heard = jnp.where(inverted, 1 - result.val, result.val)
        return agent.tell(state, arch, result._replace(val=heard))

    history = searches(agent._replace(tell=tell), benchmark, max(queries), keys)
    return incumbents(history, queries), history.arch


def searches(
    agent: Agent, benchmark: Benchmark | Drawn, budget: int, keys: Key[Array, " seeds"]
) -> History:
    """A search for every key, on the benchmark, or each on its own of `Drawn` tables."""
    if not isinstance(benchmark, Drawn):
        return jax.vmap(lambda key: run_search(agent, benchmark, budget, key))(keys)
    space, *rows = benchmark
    return jax.vmap(lambda key, *row: run_search(agent, table_of(space, *row), budget, key))(
        keys, *rows
    )
