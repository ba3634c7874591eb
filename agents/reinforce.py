"""REINFORCE: architectures that were better than usual become likelier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Key

from rlnas.agents.controller import Lstm
from rlnas.agents.policy import (
    NO_REWARDS,
    Average,
    Factorised,
    Played,
    Policy,
    ascend,
    batched,
    draw,
    in_turn,
)
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Encoded, SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError

REDRAWS = 1000
"""Draws after which an invalid one is asked, so that a policy that forgot all cells ends too."""


class Learning(NamedTuple):
    """params: of the policy. opt_state: of the optimiser. baseline: of the rewards."""

    params: Any
    opt_state: Any
    baseline: Average


class Own(NamedTuple):
    """What a policy's source sets."""

    lr: float
    optimiser: str
    momentum: float
    batch: int
    power: float


OWN = {
    "factorised": Own(lr=0.1, optimiser="sgd", momentum=0.9, batch=1, power=1.0),
    "lstm": Own(lr=6e-4, optimiser="adam", momentum=0.95, batch=8, power=3.0),
}


@dataclass(frozen=True)
class Reinforce:
    """REINFORCE (Williams 1992), which learns during the search.

    `policy=factorised` is the baseline of Ying et al. (2019, arXiv 1902.09635): a vector of logits
    a decision, zero at the start, one plain step of ascent a sample, no entropy term, the running
    average of rewards as baseline, updated before the advantage is taken (so the first is 0). With
    `plain=true` the decisions are theirs too: 21 edges and 5 operations, free of each other, and
    what is no cell is redrawn, neither asked nor learned from. By default they are masked (ours).
    An advantage of .01 moves a logit by .001: at a few hundred queries this is random search, as it
    was in their paper. NATS-Bench (Dong et al. 2021, arXiv 2009.00437) takes percent and Adam:
    `reinforce:optimiser=adam,lr=0.01,scale=100`.

    `policy=lstm` is the controller of Zoph and Le (2017, arXiv 1611.01578): 2 layers of 35 units,
    parameters from +-.08, Adam 6e-4, rewards cubed, batches of 8 (theirs: of one worker). Ours: the
    momentum of the baseline, its update before the advantage by the mean of a batch, and that a
    batch is one step; without their skip connections' anchors (`enas_controller` has them).

    An answer without a value is not learned from (ours).
    """

    policy: Literal["factorised", "lstm"] = "factorised"
    """What is learnt; it decides all that follows and says none."""

    lr: float | None = None
    """Learning rate; none: .1 of `factorised`, 6e-4 of `lstm`."""

    optimiser: Literal["sgd", "adam"] | None = None
    """None: sgd of `factorised`, adam of `lstm`."""

    momentum: float | None = None
    """Of the baseline, by sample (`factorised`, .9) or by batch (`lstm`, .95)."""

    batch: int | None = None
    """Queries before each step of learning; none: 1 of `factorised`, 8 of `lstm`."""

    power: float | None = None
    """The reward is (scale x accuracy) to this power; none: 1 of `factorised`, 3 of `lstm`."""

    scale: float = 1.0
    """What accuracies, fractions, are multiplied by; 100 makes them percent."""

    plain: bool = False
    """Whether to draw in the published encoding of the space, invalid samples redrawn."""

    def __post_init__(self) -> None:
        own = self.own
        for name in ("lr", "batch", "power"):
            if (value := getattr(own, name)) <= 0:
                raise UserError(f"reinforce has {name}={value}; expected more than 0")
        if not 0 <= own.momentum < 1:
            raise UserError(
                f"reinforce has momentum={own.momentum}; expected at least 0 and below 1"
            )

    @property
    def own(self) -> Own:
        """The settings, and what the policy's source has where there are none."""
        set_here = {name: getattr(self, name) for name in Own._fields}
        return OWN[self.policy]._replace(**{k: v for k, v in set_here.items() if v is not None})

    def build(self, space: SearchSpace) -> Agent:
        if self.plain:
            return self.over(encoded(space).plain_decisions)
        return self.over(decisions_of(space, "reinforce"))

    def over(self, decisions: Any) -> Agent:
        """The agent that makes these decisions; `plain`: `CheckedDecisions`."""
        own = self.own
        policy: Policy = Factorised(decisions)
        if self.policy == "lstm":
            policy = Lstm(decisions, units=35, layers=2, scale=0.08)
        optimiser = {"sgd": optax.sgd, "adam": optax.adam}[own.optimiser](own.lr)

        def begin(key: Key[Array, ""]) -> Learning:
            params = policy.init(key)
            return Learning(params, optimiser.init(params), Average(*map(jnp.float32, NO_REWARDS)))

        def sample(learning: Learning, key: Key[Array, ""]) -> Played:
            if not self.plain:
                return draw(policy, learning.params, key)

            def again(carry: Any) -> Any:
                count, _ = carry
                return count + 1, draw(policy, learning.params, jax.random.fold_in(key, count))

            def wrong(carry: Any) -> Any:
                count, played = carry
                return ~decisions.valid(played.taken) & (count < REDRAWS)

            start = draw(policy, learning.params, key)
            return jax.lax.while_loop(wrong, again, (jnp.int32(0), start))[1]

        def learn(learning: Learning, drawn: Played, vals: Float32[Array, " B"]) -> Learning:
            rewards = (self.scale * vals) ** own.power
            baseline = learning.baseline.add(jnp.nanmean(rewards), own.momentum)
            advantage = rewards - baseline.mean
            after = ascend(
                policy, optimiser, learning.params, learning.opt_state, drawn.taken, advantage
            )
            return Learning(*after, baseline)

        if self.policy == "lstm":
            learn = in_turn(learn)
        return batched(decisions, own.batch, begin, sample, learn)


def encoded(space: Any) -> Encoded:
    """`space`; `UserError` where it has no published encoding."""
    if not isinstance(space, Encoded):
        raise UserError(
            f"plain=true of reinforce needs a space with a published encoding, and "
            f"{type(space).__name__} has none; leave it out"
        )
    return space
