"""Double Q-learning of which candidate to ask: the other way in which `incontext` learns, as maths.

Q is dueling (Wang et al. 2016), with exp(score) as the advantage: a score starts as the log of the
expected improvement, so Q starts at expected improvement, and ranking by one is ranking by the
other. The target of the action taken is that of double Q-learning (van Hasselt et al. 2016) over n
steps, and fixed for an iteration, as in fitted Q iteration. What comes at once is known of every
candidate, what comes after of the one taken alone: so the known part is learnt from all actions and
corrected where more is known, as a control variate (expected SARSA's sum over actions, the values
of those not taken left out of the target). All of this combination is ours.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float32, Int

from rlnas.agents.losses import double_q_target, n_step_bootstrapped_returns, take
from rlnas.agents.networks import MASKED, dueling


class Targets(NamedTuple):
    """taken: of the action taken, known and learnt. known: of each candidate, its own reward and
    what comes after on average, by the target network. chances: of taking each. spread: how far
    targets lie apart at that step of an episode."""

    taken: Float32[Array, "*b"]
    known: Float32[Array, "*b C"]
    chances: Float32[Array, "*b C"]
    spread: Float32[Array, "*b"]


def action_values(
    scores: Float32[Array, "*b C"], value: Float32[Array, "*b"], allowed: Bool[Array, "*b C"]
) -> Float32[Array, "*b C"]:
    """value + exp(score) - mean exp(score); `MASKED` where not allowed."""
    advantage = jnp.exp(jnp.where(allowed, scores, 0.0))
    return dueling(value[..., None], advantage, allowed)


def double_q_returns(
    r_t: Float32[Array, " T"],
    q_t_value: Float32[Array, "T C"],
    q_t_selector: Float32[Array, "T C"],
    gamma: Any,
    n: int,
) -> Float32[Array, " T"]:
    """Targets of the actions taken in an episode that terminates behind its last step: n rewards,
    then the value of the next state's best action, where there is one."""
    steps = jnp.arange(len(r_t))
    windows = jnp.pad(r_t, (0, n - 1))[steps[:, None] + jnp.arange(n)]
    never = jnp.zeros(n, bool)
    window = jax.vmap(lambda r: n_step_bootstrapped_returns(r, never, gamma))(windows)
    behind = jnp.minimum(steps + n, len(r_t) - 1)
    done = steps + n >= len(r_t)
    any_left = (q_t_selector[behind] > MASKED / 2).any(-1)
    discount = jnp.where(done | ~any_left, 0.0, window.discount)
    return double_q_target(window.reward, discount, q_t_value[behind], q_t_selector[behind])


def targets(
    rewards: Float32[Array, "b T"],
    rises: Float32[Array, "b T C"],
    chances: Float32[Array, "b T C"],
    q_online: Float32[Array, "b T C"],
    q_target: Float32[Array, "b T C"],
    gamma: Any,
    n: int,
) -> Targets:
    """Of a batch of episodes. rises: the reward that each candidate would have brought. chances: of
    the behaviour, 0 where not allowed."""
    taken = jax.vmap(lambda r, value, by: double_q_returns(r, value, by, gamma, n))(
        rewards, q_target, q_online
    )
    after = (chances * (q_target - rises)).sum(-1)
    varied = jnp.square(taken - rewards - after) + rises.var(-1)
    spread = jnp.sqrt(varied.mean(0, keepdims=True) + 1e-8)
    known = rises + after[..., None]
    return Targets(taken, known, chances, jnp.broadcast_to(spread, taken.shape))


def loss(
    q: Float32[Array, "*b C"], action: Int[Array, "*b"], wanted: Targets
) -> Float32[Array, "*b"]:
    """Huber loss of the action taken, less that of its known part, plus the latter's mean over all
    actions: in expectation over the behaviour the loss of the full targets."""
    allowed = q > MASKED / 2

    def huber(target: Float32[Array, "*b any"]) -> Float32[Array, "*b C"]:
        error = (target - q) / wanted.spread[..., None]
        return optax.losses.huber_loss(jnp.where(allowed, error, 0.0))

    known, full = huber(wanted.known), huber(wanted.taken[..., None])
    return take(full - known, action) + (wanted.chances * known).sum(-1)
