"""The controller of ENAS, on accuracies that are looked up: no weights are shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Key

from rlnas.agents.controller import Lstm
from rlnas.agents.policy import (
    Played,
    ascend,
    batched,
    draw,
    in_turn,
)
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError


class Learning(NamedTuple):
    """params: of the controller. opt_state: of the optimiser. baseline: of the rewards."""

    params: Any
    opt_state: Any
    baseline: Float32[Array, ""]


@dataclass(frozen=True)
class EnasController:
    """REINFORCE with the LSTM controller of ENAS (Pham et al. 2018, arXiv 1802.03268), which learns
    during the search.

    As its code runs for cells: one layer of 64 units, parameters from +-.1, Adam 3.5e-3, batches of
    10, the entropy of all decisions x 1e-4 added to the reward, a baseline of momentum .99 from 0
    that every reward moves before its advantage is taken. Logits are 1.1 tanh(.), those of
    operations 1.1 / 2.5 tanh(.). Convolutions start at a bias of 10, so each is exp(.44) times as
    likely as another operation: knowledge that its first queries profit from (`favour=0` is
    without). Inputs are chosen by attention to anchors, the LSTM's states when it completed the
    earlier vertices: v . tanh(W_1 h_j + W_2 h). The next input after them is their mean anchor; a
    vertex begins with the start vector. With `temperature=5,bound=2.5,reduce=1` logits are bounded
    as in its PyTorch twin for language models.

    Ours: the decisions are those of the space. A bit of an edge is one logit of attention against
    0, as in ENAS for whole networks; a pair of inputs adds up its two, where ENAS draws one after
    the other. The fixed +-.25 of its normal cell are left out. Where a space does not say which
    choices are inputs (`rlnas.bench.benchmark.Wired`) there are no anchors, and no bias. The reward
    is the accuracy that is looked up, where ENAS has that of one minibatch under shared weights. An
    answer without a value is not learned from.
    """

    lr: float = 3.5e-3
    """Learning rate of Adam."""

    batch: int = 10
    """Queries that are learned from together."""

    temperature: float = 1.0
    """Logits are divided by it before the tanh."""

    bound: float = 1.1
    """Largest logit of an input."""

    reduce: float = 2.5
    """What the largest logit of an operation is smaller by."""

    favour: float = 10.0
    """Bias of convolutions at the start, before the tanh."""

    anchors: bool = True
    """Whether inputs are chosen by attention; if not, as operations are."""

    entropy: float = 1e-4
    """Weight of the entropy in the reward."""

    momentum: float = 0.99
    """Of the baseline."""

    units: int = 64
    """Width of the LSTM."""

    def __post_init__(self) -> None:
        for name in ("lr", "batch", "temperature", "bound", "reduce", "units"):
            if (value := getattr(self, name)) <= 0:
                raise UserError(f"enas_controller has {name}={value}; expected more than 0")
        if not 0 <= self.momentum < 1:
            raise UserError(
                f"enas_controller has momentum={self.momentum}; expected at least 0 and below 1"
            )

    def controller(self, space: SearchSpace) -> Lstm:
        """The policy."""
        return Lstm(
            decisions_of(space, "enas_controller"),
            units=self.units,
            scale=0.1,
            shared=True,
            temperature=self.temperature,
            bound=self.bound,
            reduce=self.reduce,
            favour=self.favour,
            anchors=self.anchors,
        )

    def build(self, space: SearchSpace) -> Agent:
        policy = self.controller(space)
        optimiser = optax.adam(self.lr)

        def begin(key: Key[Array, ""]) -> Learning:
            params = policy.init(key)
            return Learning(params, optimiser.init(params), jnp.float32(0))

        @in_turn
        def learn(learning: Learning, drawn: Played, vals: Float32[Array, " B"]) -> Learning:
            rewards = vals + self.entropy * drawn.entropy.sum(-1)
            baseline, advantage = advantages(learning.baseline, rewards, self.momentum)
            after = ascend(
                policy, optimiser, learning.params, learning.opt_state, drawn.taken, advantage
            )
            return Learning(*after, baseline)

        def sample(learning: Learning, key: Key[Array, ""]) -> Played:
            return draw(policy, learning.params, key)

        return batched(policy.decisions, self.batch, begin, sample, learn)


def advantages(
    baseline: Float32[Array, ""], rewards: Float32[Array, " B"], momentum: float
) -> tuple[Float32[Array, ""], Float32[Array, " B"]]:
    """(the baseline after all rewards, reward - baseline of each): every reward moves the baseline
    before it is compared with it. NaN is no reward, and no advantage."""

    def add(mean: Any, reward: Any) -> tuple[Any, Any]:
        moved = mean - (1 - jnp.float32(momentum)) * (mean - reward)
        mean = jnp.where(jnp.isnan(reward), mean, moved)
        return mean, reward - mean

    return jax.lax.scan(add, baseline, rewards)
