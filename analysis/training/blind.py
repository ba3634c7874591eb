"""Whether a trained agent reads the answers it gets, or replays what it has learnt."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from rlnas.agents.learner import Learner
from rlnas.agents.protocol import Agent, run_search
from rlnas.bench.benchmark import Arch, QueryResult


def misled(agent: Agent) -> Agent:
    """The agent told 1 - v for every validation accuracy v: the best is the worst."""

    def tell(state: Any, arch: Arch, result: QueryResult) -> Any:
        return agent.tell(state, arch, result._replace(val=1 - result.val))

    return agent._replace(tell=tell)


def same_queries(
    learner: Learner, params: Any, benchmark: Any, budget: int, keys: Key[Array, " seeds"]
) -> float:
    """Share of the queries of its searches that stay the same when every answer is inverted: 1 for
    an agent whose queries do not depend on the answers."""

    @jax.jit
    def asked(benchmark: Any, keys: Key[Array, " seeds"]) -> tuple[Any, Any]:
        agent = learner.agent(benchmark.space, params)

        def one(key: Key[Array, ""]) -> tuple[Any, Any]:
            both = (run_search(a, benchmark, budget, key).arch for a in (agent, misled(agent)))
            return next(both), next(both)

        return jax.vmap(one)(keys)

    true, inverted = map(np.asarray, asked(benchmark, keys))
    equal = (true == inverted).reshape(*true.shape[:2], -1).all(-1)
    return float(equal.mean())
