"""REINFORCE whose last choice is the fidelity: it pays for what it asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from rlnas.agents.fidelity import FULL, Choice, FidelityAgent, at_full
from rlnas.agents.protocol import Agent
from rlnas.agents.reinforce import Reinforce
from rlnas.bench.benchmark import Decisions, QueryResult, SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class WithFidelity:
    """`Decisions` with one more step behind them: at which of so many fidelities. What it builds is
    a `Choice`."""

    decisions: Any
    fidelities: tuple[int, ...] = field(metadata={"static": True})

    @property
    def sizes(self) -> tuple[int, ...]:
        return (*self.decisions.sizes, len(self.fidelities))

    @property
    def kinds(self) -> tuple[int, ...]:
        return (*self.decisions.kinds, max(self.decisions.kinds) + 1)

    def allowed(self, taken: Int[Array, " T"], t: Any) -> Bool[Array, " K"]:
        last = len(self.decisions.sizes)
        width = max(self.sizes)
        before = self.decisions.allowed(taken[:-1], jnp.minimum(t, last - 1))
        before = jnp.pad(before, (0, width - len(before)))
        return jnp.where(t == last, jnp.arange(width) < len(self.fidelities), before)

    def build(self, taken: Int[Array, " T"]) -> Any:
        at = jnp.asarray(self.fidelities, jnp.int32)[taken[-1]]
        return Choice(self.decisions.build(taken[:-1]), at)

    def sequence(self, arch: Choice) -> Int32[Array, " T"]:
        at = jnp.searchsorted(jnp.asarray(self.fidelities), arch.fidelity)
        return jnp.append(self.decisions.sequence(arch.arch), at.astype(jnp.int32))

    @property
    def num_states(self) -> int:
        return int(self.decisions.num_states) + 1

    def state(self, taken: Int[Array, " T"], t: Any) -> Int[Array, ""]:
        """One more, of the fidelity."""
        last = len(self.decisions.sizes)
        before = self.decisions.state(taken[:-1], jnp.minimum(t, last - 1))
        return jnp.where(t == last, jnp.int32(self.decisions.num_states), before)


class Priced(NamedTuple):
    """inner: of REINFORCE. seconds, whole: sum and number of the costs of whole trainings."""

    inner: Any
    seconds: Float32[Array, ""]
    whole: Int32[Array, ""]


@dataclass(frozen=True)
class ReinforceFidelity:
    """`reinforce` with one decision more, at which fidelity; the whole agent is ours.

    The reward is accuracy less `price` times what the look-up cost, in mean costs of whole
    trainings so far (1 before the first). Accuracies of short trainings are lower, so a low price
    makes for whole ones, a high price for short ones. By default Adam and percent, with which the
    policy moves within a hundred queries. Where there is one budget it is `reinforce` with these
    settings.
    """

    price: float = 0.03
    """Accuracy that a whole training is worth, a fraction."""

    levels: int = 4
    """Fidelities that are chosen among, evenly in the logarithm of epochs, the whole one among
    them."""

    lr: float = 0.01
    """Learning rate of Adam."""

    scale: float = 100.0
    """What rewards are multiplied by; 100: percent."""

    momentum: float = 0.9
    """Of the rewards' running average, the baseline."""

    def __post_init__(self) -> None:
        if not 0 <= self.price <= 1:
            raise UserError(f"reinforce_fidelity has price={self.price}; expected 0 to 1")
        if not 1 <= self.levels <= 64:
            raise UserError(f"reinforce_fidelity has levels={self.levels}; expected 1 to 64")
        _ = self.reinforce  # which checks the others

    @property
    def reinforce(self) -> Reinforce:
        return Reinforce(
            lr=self.lr, optimiser="adam", momentum=self.momentum, scale=self.scale
        )  # fmt: skip

    def build(self, space: SearchSpace) -> Agent:
        return at_full(self.build_for(space, FULL))

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        decisions: Decisions = WithFidelity(
            decisions_of(space, "reinforce_fidelity"), spread(budgets, self.levels)
        )
        inner = self.reinforce.over(decisions)

        def init(key: Key[Array, ""]) -> Priced:
            return Priced(inner.init(key), jnp.float32(0), jnp.int32(0))

        def ask(key: Key[Array, ""], now: Priced) -> tuple[Choice, Priced]:
            choice, state = inner.ask(key, now.inner)
            return choice, now._replace(inner=state)

        def tell(now: Priced, choice: Choice, result: QueryResult) -> Priced:
            seconds = jnp.nan_to_num(result.sim_seconds).astype(jnp.float32)
            whole = result.valid & (choice.fidelity == budgets.top)
            total, count = now.seconds + jnp.where(whole, seconds, 0.0), now.whole + whole
            mean = jnp.where(count > 0, total / jnp.maximum(count, 1), seconds)
            cost = jnp.where(mean > 0, seconds / jnp.maximum(mean, 1e-9), 0.0)
            reward = result.val - self.price * cost
            return Priced(
                inner.tell(now.inner, choice, result._replace(val=reward)), total, count
            )  # fmt: skip

        return FidelityAgent(init, ask, tell)


def spread(budgets: Budgets, levels: int) -> tuple[int, ...]:
    """So many fidelities, or all there are: the nearest to epochs that are even in the
    logarithm."""
    epochs = np.log(np.array(budgets.epochs, np.float64))
    wanted = np.linspace(epochs[0], epochs[-1], min(levels, len(epochs)))[::-1]
    found = {int(np.abs(epochs - x).argmin()) for x in wanted} | {budgets.top}
    return tuple(sorted(found)) if levels > 1 else (budgets.top,)
