"""The pieces of value learning: pure, unbatched maths; names carry time."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Shaped


def double_q_target(
    r_t: Float32[Array, "*b"],
    discount_t: Float32[Array, "*b"],
    q_t_value: Float32[Array, "*b a"],
    q_t_selector: Float32[Array, "*b a"],
) -> Float32[Array, "*b"]:
    """r_t + discount_t x q_t_value[argmax q_t_selector] (van Hasselt, Guez, Silver 2016): the
    online network selects, its older copy values."""
    a_t = q_t_selector.argmax(-1)
    return r_t + discount_t * take(q_t_value, a_t)


def take(values: Shaped[Array, "*b a"], action: Int[Array, "*b"]) -> Shaped[Array, "*b"]:
    """values[action]."""
    return jnp.take_along_axis(values, action[..., None], axis=-1)[..., 0]


class NStep(NamedTuple):
    """reward: the discounted sum. discount: what the bootstrap value counts. last: the step it
    bootstraps behind."""

    reward: Float32[Array, ""]
    discount: Float32[Array, ""]
    last: Int[Array, ""]


def n_step_bootstrapped_returns(
    r_t: Float32[Array, " n"], truncated_t: Bool[Array, " n"], gamma: Any
) -> NStep:
    """The n-step return of steps 0..n-1, cut behind the first truncation.

    Partial episode bootstrapping (Pardo et al. 2018): a truncation ends the sum, not the value; the
    return bootstraps from the observation after step `last`, which at a truncation is the real last
    one of the episode.
    """
    n = r_t.shape[0]
    steps = jnp.arange(n)
    last = jnp.where(truncated_t.any(), jnp.argmax(truncated_t), n - 1)
    powers = jnp.asarray(gamma, jnp.float32) ** steps
    reward = jnp.where(steps <= last, r_t * powers, 0.0).sum()
    return NStep(reward, powers[last] * gamma, last)


def epsilon_ladder(
    actors: int, base: float = 0.4, exponent: float = 7.0
) -> Float32[Array, " actors"]:
    """base^(1 + exponent i / (actors - 1)) for actor i, constant in time (Ape-X, Horgan et al.
    2018)."""
    share = jnp.arange(actors) / max(actors - 1, 1)
    return jnp.asarray(base, jnp.float32) ** (1.0 + exponent * share)


def future(
    rewards: Float32[Array, "n T"], values: Float32[Array, "n T"], trace: float
) -> tuple[Float32[Array, "n T"], Float32[Array, "n T"]]:
    """(what each step's rewards after its own are estimated to be, [n, T], and the advantages of
    what was done), by generalised advantage estimation (Schulman et al. 2016) without discount.
    values: of the rewards after the step's own."""
    after = jnp.pad(rewards[:, 1:] + values[:, 1:], ((0, 0), (0, 1)))
    error = after - values

    def back(later: Any, error: Any) -> Any:
        advantage = error + trace * later
        return advantage, advantage

    _, advantage = jax.lax.scan(back, jnp.zeros(len(rewards)), error.T, reverse=True)
    return values + advantage.T, advantage.T
