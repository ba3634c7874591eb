"""Whether a trained agent reads the answers it gets, or replays what it has learnt."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Key

from rlnas.agents.evaluate import searches
from rlnas.agents.learner import Learner
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult


def misled(agent: Agent, inverted: Bool[Array, ""]) -> Agent:
    """The agent told 1 - v for every validation accuracy v, where `inverted`: the best is the
    worst."""

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
    def asked(benchmark: Any, keys: Key[Array, " seeds"], inverted: Bool[Array, ""]) -> Any:
        agent = misled(learner.agent(benchmark.space, params), inverted)
        return searches(agent, benchmark, budget, keys).arch

    true, inverted = (np.asarray(asked(benchmark, keys, jnp.array(x))) for x in (False, True))
    equal = (true == inverted).reshape(*true.shape[:2], -1).all(-1)
    return float(equal.mean())
