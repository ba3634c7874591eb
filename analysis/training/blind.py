"""Whether a trained agent reads the answers it gets, or replays what it has learnt."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from rlnas.agents.evaluate import searches
from rlnas.agents.learner import Learner
from rlnas.agents.told import ANSWERS, told


def same_queries(
    learner: Learner, params: Any, benchmark: Any, budget: int, keys: Key[Array, " seeds"]
) -> float:
    """Share of the queries of its searches that stay the same when every answer is inverted: 1 for
    an agent whose queries do not depend on the answers."""

    @jax.jit
    def searched(benchmark: Any, keys: Key[Array, " seeds"], answers: Int[Array, ""]) -> Any:
        agent = told(learner.agent(benchmark.space, params), benchmark, answers)
        return searches(agent, benchmark, budget, keys).arch

    true, inverted = (
        np.asarray(searched(benchmark, keys, jnp.int32(ANSWERS.index(answers))))
        for answers in ("true", "inverted")
    )
    return float(same(true, inverted, benchmark.space).mean())


def same(a: np.ndarray, b: np.ndarray, space: Any) -> np.ndarray:
    """Where two arrays of architectures, of any leading shape, hold the same one."""
    equal = a == b
    inner = tuple(range(equal.ndim - len(space.arch_shape), equal.ndim))
    found: np.ndarray = equal.all(axis=inner)
    return found
