"""Apprenticeship learning (Abbeel and Ng 2004): a reward, linear in features of states, that an
expert's behaviour is best for; here of cells that are built choice by choice.

A state is what a choice has just said of a layer (`rlnas.bench.exemplars`). Nothing is looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Float64, Int, Int32

from rlnas.bench import exemplars
from rlnas.bench.benchmark import Decisions
from rlnas.bench.decisions import uniform

ROUNDS = 50
"""Policies that the projection tries at most."""
CLOSE = 1e-6
"""Of feature counts: as good as equal."""
DRAWS = 1024
"""Of the policy that it starts with, uniform choices; always the same ones."""
BEAMS = 128
"""Beginnings kept in the search for a reward's best cell."""


def counts(
    features: Bool[np.ndarray, "T K F"], taken: Int[np.ndarray, "*n T"], discount: float
) -> Float64[np.ndarray, "*n F"]:
    """Feature counts of sequences of choices: sum over steps t of discount^t phi(state t)."""
    steps = np.arange(features.shape[0])
    weights = discount ** steps.astype(np.float64)
    return np.asarray((weights[:, None] * features[steps, taken]).sum(-2))


def project(
    expert: Float64[np.ndarray, " F"],
    start: Float64[np.ndarray, " F"],
    best: Callable[[Float64[np.ndarray, " F"]], Float64[np.ndarray, " F"]],
    rounds: int = ROUNDS,
) -> Float64[np.ndarray, " F"]:
    """The weights of the reward, of length 1; zeros where `start` has the expert's counts already.

    The projection method, which the paper has beside the max-margin quadratic program. Weights are
    what the expert's counts lack in the policies' so far, mixed as near to them as can be; `best`
    gives the counts of the best policy for some weights, which is mixed in. Ours: it ends when the
    expert itself is best for the weights (in the paper, when the mixture is near: here the expert's
    cell can be built, the mixture becomes it, and no weights would be left).
    """
    mixed = start
    weights = expert - mixed
    for _ in range(rounds):
        found = best(weights)
        if weights @ found <= weights @ expert + CLOSE:
            break
        step = found - mixed
        mixed = mixed + np.clip(step @ (expert - mixed) / (step @ step), 0, 1) * step
        if np.linalg.norm(expert - mixed) <= CLOSE:
            break
        weights = expert - mixed
    length = np.linalg.norm(weights)
    return weights / length if length > CLOSE else np.zeros_like(weights)


def stimuli(
    decisions: Decisions, taken: tuple[int, ...], words: exemplars.Words, discount: float
) -> Float32[np.ndarray, "T K"]:
    """What each choice is rewarded with so that the sequence `taken` is best.

    discount^t theta . phi, theta by `project`. In units of their own, which are ours: a cell's
    rewards add up to 1 for the expert, and to 0 in the mean of uniform choices. All 0 where these
    have the expert's counts.
    """
    features = exemplars.features(words)
    drawn, search = _programs(decisions)
    random = np.asarray(drawn())
    expert = counts(features, np.array(taken), discount)
    start = counts(features, random, discount).mean(0)

    def rewards(weights: np.ndarray) -> np.ndarray:
        return np.asarray(discount ** np.arange(len(taken))[:, None] * (features @ weights))

    def best(weights: np.ndarray) -> np.ndarray:
        found = search(rewards(weights).astype(np.float32))
        return counts(features, np.asarray(found), discount)

    theta = project(expert, start, best)
    gained = theta @ (expert - start)
    if gained <= CLOSE:
        return np.zeros(features.shape[:2], np.float32)
    each = rewards(theta)
    usual = each[np.arange(len(taken)), random].mean(0)
    return ((each - usual[:, None]) / gained).astype(np.float32)


def best_sequence(
    decisions: Decisions, rewards: Float32[Array, "T K"], beams: int = BEAMS
) -> Int32[Array, " T"]:
    """The allowed choices whose rewards [T, K] add up to most, by beam search: exact where what is
    allowed does not depend on the choices before."""
    steps, most = len(decisions.sizes), max(decisions.sizes)

    def extend(kept: Any, t: Any) -> tuple[Any, None]:
        taken, total = kept
        allowed = jax.vmap(decisions.allowed, (0, None))(taken, t)
        totals = jnp.where(allowed, total[:, None] + rewards[t], -jnp.inf).ravel()
        best, at = jax.lax.top_k(totals, beams)
        taken = taken[at // most].at[:, t].set((at % most).astype(jnp.int32))
        return (taken, best), None

    # All beams but one are nothing yet: equal ones would be kept side by side.
    total = jnp.full(beams, -jnp.inf, jnp.float32).at[0].set(0)
    start = jnp.zeros((beams, steps), jnp.int32), total
    (taken, total), _ = jax.lax.scan(extend, start, jnp.arange(steps, dtype=jnp.int32))
    return taken[jnp.argmax(total)]


def _programs(decisions: Decisions) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """(draws [n, T], best sequence of rewards). They run at once, also while something is traced:
    what is allowed is asked of no array of the space."""

    def draws() -> Int32[Array, "n T"]:
        keys = jax.random.split(jax.random.key(0), DRAWS)
        return jax.vmap(lambda key: uniform(decisions, key))(keys)

    def now(program: Callable[..., Any]) -> Callable[..., Any]:
        compiled = jax.jit(program)

        def call(*args: Any) -> np.ndarray:
            with jax.ensure_compile_time_eval():
                return np.asarray(compiled(*args))

        return call

    return now(draws), now(lambda rewards: best_sequence(decisions, rewards))
