"""Proximal policy optimisation with NASNet's controller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Key

from rlnas.agents.controller import Lstm
from rlnas.agents.policy import Played, batched, draw, in_turn, score
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError


class Learning(NamedTuple):
    """params: of the controller. opt_state: of the optimiser. baseline: of the rewards, NaN before
    the first."""

    params: Any
    opt_state: Any
    baseline: Float32[Array, ""]


@dataclass(frozen=True)
class PPO:
    """PPO (Schulman et al. 2017, arXiv 1707.06347) with the controller of NASNet (Zoph et al. 2018,
    arXiv 1707.07012), which learns during the search.

    NASNet's: one LSTM layer of 100 units, a softmax a decision, parameters from +-.1, Adam 3.5e-4,
    an entropy bonus of 1e-5, a running average of rewards of momentum .95 as baseline, batches of
    20. A public reproduction (MarSaKi/nasnet) has what the paper leaves open: embeddings of 32, 10
    epochs on a batch, ratio and clip by decision and then summed, the baseline moved by every
    reward of a batch before the advantages are taken. Ours: the decisions are those of the space;
    an answer without a value is not learned from.

    At these rates little is learnt in 150 queries, which are seven batches; the source made 20,000.
    """

    lr: float = 3.5e-4
    """Learning rate of Adam."""

    batch: int = 20
    """Queries that are learned from together."""

    epochs: int = 10
    """Steps on a batch; with 1 the ratio is always 1, and this is REINFORCE."""

    clip: float = 0.2
    """A decision whose probability has changed by more than this share is not pushed further."""

    entropy: float = 1e-5
    """Weight of the entropy of the decisions, summed over a sequence."""

    momentum: float = 0.95
    """Of the baseline; the first is the first reward."""

    units: int = 100
    """Width of the LSTM."""

    embedding: int = 32
    """Width of its input."""

    def __post_init__(self) -> None:
        for name in ("lr", "batch", "epochs", "clip", "units", "embedding"):
            if (value := getattr(self, name)) <= 0:
                raise UserError(f"ppo has {name}={value}; expected more than 0")
        if not 0 <= self.momentum < 1:
            raise UserError(f"ppo has momentum={self.momentum}; expected at least 0 and below 1")

    def build(self, space: SearchSpace) -> Agent:
        decisions = decisions_of(space, "ppo")
        policy = Lstm(decisions, units=self.units, embedding=self.embedding, scale=0.1)
        optimiser = optax.adam(self.lr)

        def begin(key: Key[Array, ""]) -> Learning:
            params = policy.init(key)
            return Learning(params, optimiser.init(params), jnp.float32(jnp.nan))

        @in_turn
        def learn(learning: Learning, drawn: Played, rewards: Float32[Array, " B"]) -> Learning:
            there = ~jnp.isnan(rewards)[:, None]
            baseline = averaged(learning.baseline, rewards, self.momentum)
            advantage = jnp.nan_to_num(rewards - baseline)

            def loss(params: Any) -> Float32[Array, ""]:
                now = jax.vmap(lambda taken: score(policy, params, taken))(drawn.taken)
                gain = clipped_gain(now.log_prob, drawn.log_prob, advantage, self.clip)
                gain = jnp.where(there, gain + self.entropy * now.entropy, 0.0)
                return -gain.sum(-1).mean()

            def epoch(carry: Any, _: Any) -> tuple[Any, None]:
                params, opt_state = carry
                updates, opt_state = optimiser.update(jax.grad(loss)(params), opt_state, params)
                return (optax.apply_updates(params, updates), opt_state), None

            start = learning.params, learning.opt_state
            (params, opt_state), _ = jax.lax.scan(epoch, start, length=self.epochs)
            return Learning(params, opt_state, baseline)

        def sample(learning: Learning, key: Key[Array, ""]) -> Played:
            return draw(policy, learning.params, key)

        return batched(decisions, self.batch, begin, sample, learn)


def averaged(
    baseline: Float32[Array, ""], rewards: Float32[Array, " B"], momentum: float
) -> Float32[Array, ""]:
    """A running average after rewards, one after the other; NaN is none. The first is its start."""

    def add(mean: Any, reward: Any) -> tuple[Any, None]:
        keep = jnp.float32(momentum)
        after = jnp.where(jnp.isnan(mean), reward, keep * mean + (1 - keep) * reward)
        return jnp.where(jnp.isnan(reward), mean, after), None

    return jax.lax.scan(add, baseline, rewards)[0]


def clipped_gain(
    log_prob: Float32[Array, "B T"],
    old_log_prob: Float32[Array, "B T"],
    advantage: Float32[Array, " B"],
    clip: float,
) -> Float32[Array, "B T"]:
    """min(ratio x advantage, clip(ratio, 1 - clip, 1 + clip) x advantage) of every decision, ratio
    = new over old probability (Schulman et al. 2017, equation 7)."""
    ratio = jnp.exp(log_prob - old_log_prob)
    near = jnp.clip(ratio, 1 - clip, 1 + clip)
    return jnp.minimum(ratio * advantage[:, None], near * advantage[:, None])
