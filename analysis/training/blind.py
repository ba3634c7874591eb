"""Whether a trained agent reads the answers it gets, or replays what it has learnt."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Array, Key

from rlnas.agents.evaluate import evaluate
from rlnas.agents.learner import Learner


def same_queries(
    learner: Learner,
    params: Any,
    benchmark: Any,
    keys: Key[Array, " seeds"],
    queries: tuple[int, ...],
    true: Any,
) -> float:
    """Share of the queries of its searches that stay the same when every answer is inverted: 1 for
    an agent whose queries do not depend on the answers. true: what `evaluate` says that they look
    up otherwise, of the same arguments."""
    _, inverted = evaluate(learner, params, benchmark, keys, queries, True)
    return float(same(np.asarray(true), np.asarray(inverted), benchmark.space).mean())


def same(a: np.ndarray, b: np.ndarray, space: Any) -> np.ndarray:
    """Where two arrays of architectures, of any leading shape, hold the same one."""
    equal = a == b
    inner = tuple(range(equal.ndim - len(space.arch_shape), equal.ndim))
    found: np.ndarray = equal.all(axis=inner)
    return found
