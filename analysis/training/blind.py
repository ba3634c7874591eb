"""Whether a trained agent reads the answers it gets, or replays what it has learnt."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from rlnas.agents.learner import Learner
from rlnas.agents.protocol import Agent, run_search
from rlnas.bench.benchmark import Arch, QueryResult


def misled(agent: Agent, inverted: Any) -> Agent:
    """The agent told 1 - v for every validation accuracy v, if `inverted` (may be traced): the best
    is the worst."""

    def tell(state: Any, arch: Arch, result: QueryResult) -> Any:
        val = jnp.where(inverted, 1 - result.val, result.val)
        return agent.tell(state, arch, result._replace(val=val))

    return agent._replace(tell=tell)


def same_queries(
    learner: Learner, params: Any, benchmark: Any, budget: int, keys: Key[Array, " seeds"]
) -> float:
    """Share of the queries of its searches that stay the same when every answer is inverted: 1 for
    an agent whose queries do not depend on the answers."""

    @jax.jit
    def asked(benchmark: Any, keys: Key[Array, " seeds"], inverted: Any) -> Any:
        agent = misled(learner.agent(benchmark.space, params), inverted)
        return jax.vmap(lambda key: run_search(agent, benchmark, budget, key).arch)(keys)

    true, inverted = (np.asarray(asked(benchmark, keys, flag)) for flag in np.array([False, True]))
    equal = (true == inverted).reshape(*true.shape[:2], -1).all(-1)
    return float(equal.mean())
