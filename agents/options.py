"""REINFORCE over whatever can be done next: options that differ from state to state, each described
by numbers.

EAS (Cai et al. 2018, arXiv 1707.04873) has an encoder and an actor for each kind of edit; here one
small network scores every option, and a softmax over those there are draws one (ours: its networks
are for sequences of layers). Rewards and their baseline are EAS's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Float32, Int32, Key

from rlnas.agents.networks import MASKED
from rlnas.agents.policy import NO_REWARDS, Average

CERTAIN = 0.999
"""No reward is of a higher accuracy: that of 1 would be infinite."""


class Learning(NamedTuple):
    """params: of the network. opt_state: of Adam. baseline: of the rewards."""

    params: Any
    opt_state: Any
    baseline: Average


class Choice(NamedTuple):
    """options: float32 [K, F], what there was to choose from. taken: which."""

    options: np.ndarray
    taken: int


def stretched(accuracy: float) -> float:
    """tan(accuracy pi / 2): a point more is worth more near 1 (EAS)."""
    return float(np.tan(np.pi / 2 * min(accuracy, CERTAIN)))


@dataclass(frozen=True)
class OptionPolicy:
    """Settings of the policy and of its learning. width: F. most: options, at most."""

    width: int
    most: int
    hidden: int = 16
    learning_rate: float = 0.02
    entropy: float = 0.01
    momentum: float = 0.05
    """Of the baseline, which is nearly the last batch's mean, as in EAS."""

    def init(self, key: Key[Array, ""]) -> Learning:
        """All options alike, at first."""
        first = jax.random.normal(key, (self.width, self.hidden)) / np.sqrt(self.width)
        params = {
            "first": first,
            "shift": jnp.zeros(self.hidden),
            "last": jnp.zeros(self.hidden),
        }
        return Learning(params, self.optimiser.init(params), Average(*map(jnp.float32, NO_REWARDS)))

    @property
    def optimiser(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)

    def probabilities(
        self, learning: Learning, options: Float32[np.ndarray, "k f"]
    ) -> Float[np.ndarray, " k"]:
        """Of each option."""
        padded, there = self._padded(options)
        odds = np.asarray(self._odds(learning.params, padded, there), np.float64)[: len(options)]
        shares = np.exp(odds - odds.max())
        return shares / shares.sum()

    def learn(
        self, learning: Learning, played: Sequence[Sequence[Choice]], rewards: Sequence[float]
    ) -> Learning:
        """After a batch of sequences of choices, which may differ in length, and their rewards."""
        steps = max(1, max(len(sequence) for sequence in played))
        steps = -(-steps // 4) * 4  # few shapes, few programs
        options = np.zeros((len(played), steps, self.most, self.width), np.float32)
        there = np.zeros(options.shape[:3], bool)
        taken = np.zeros(options.shape[:2], np.int32)
        for b, sequence in enumerate(played):
            for t, choice in enumerate(sequence):
                options[b, t], there[b, t] = self._padded(choice.options)
                taken[b, t] = choice.taken
        return self._learn(learning, options, there, taken, np.asarray(rewards, np.float32))

    def _padded(self, options: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        whole = np.zeros((self.most, self.width), np.float32)
        whole[: len(options)] = options
        return whole, np.arange(self.most) < len(options)

    @cached_property
    def _odds(self) -> Any:
        return jax.jit(logits)

    @cached_property
    def _learn(self) -> Any:
        def learn(
            learning: Learning,
            options: Float32[Array, "B T K F"],
            there: Bool[Array, "B T K"],
            taken: Int32[Array, "B T"],
            rewards: Float32[Array, " B"],
        ) -> Learning:
            baseline = learning.baseline.add(rewards.mean(), self.momentum)
            advantage = rewards - baseline.mean
            real = there.any(-1)

            def loss(params: Any) -> Float32[Array, ""]:
                log_probs = jax.nn.log_softmax(logits(params, options, there))
                chosen = jnp.take_along_axis(log_probs, taken[..., None], -1)[..., 0]
                entropy = -jnp.where(there, jnp.exp(log_probs) * log_probs, 0.0).sum(-1)
                gain = advantage[:, None] * chosen + self.entropy * entropy
                return -jnp.where(real, gain, 0.0).sum(-1).mean()

            updates, opt_state = self.optimiser.update(
                jax.grad(loss)(learning.params), learning.opt_state, learning.params
            )
            return Learning(optax.apply_updates(learning.params, updates), opt_state, baseline)

        return jax.jit(learn)


def logits(
    params: Any, options: Float32[Array, "*b K F"], there: Bool[Array, "*b K"]
) -> Float32[Array, "*b K"]:
    """Scores of options; those that are not there have none to speak of."""
    inner = jnp.tanh(options @ params["first"] + params["shift"])
    return jnp.where(there, inner @ params["last"], jnp.float32(MASKED))
