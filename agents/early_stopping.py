"""Early stopping: a training whose extrapolated curve will hardly beat the best is given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from rlnas.agents.evolution import Evolution
from rlnas.agents.extrapolation import extrapolate
from rlnas.agents.fidelity import Choice, FidelityAgent, asking_full
from rlnas.agents.local_search import LocalSearch
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError

Proposals = Literal["random_search", "evolution", "local_search"]
PROPOSERS = {
    "random_search": RandomSearch, "evolution": Evolution, "local_search": LocalSearch
}  # fmt: skip
FEWEST = 6
"""Checkpoints of a curve, at least, and so that some are left to save."""


class Training(NamedTuple):
    """inner: of the proposer. arch: in training, at: how many of its checkpoints are known, and
    vals: what they said; said: what its curve was extrapolated to after each. best: of the whole
    trainings so far, -inf before the first. errors: sums over these of what they ended at less what
    they were extrapolated to; whole: how many there were."""

    inner: Any
    arch: Arch
    at: Int32[Array, ""]
    vals: Float32[Array, " K"]
    said: Float32[Array, " K"]
    best: Float32[Array, ""]
    errors: Float32[Array, " K"]
    whole: Int32[Array, ""]
    queries: Int32[Array, ""]


@dataclass(frozen=True)
class EarlyStopping:
    """Extrapolation of learning curves (Domhan et al. 2015, IJCAI) under any proposals.

    A training is looked at after each of its checkpoints. From the `first` on its curve is
    extrapolated to the end; where the probability of more than the best so far is below `p`, it is
    given up, and the proposer is told the extrapolated value. The nine parametric families are
    fitted by least squares over bootstrap replicates (ours, in place of MCMC).

    Ours, too: `correct` adds to each extrapolation what those of whole trainings were too low by
    after as many checkpoints. Under a learning rate that falls on a cosine, as in NAS-Bench-301,
    curves rise at their ends as no family does, and without it nothing ever beats the first best.

    It needs curves: trainings that continue, with enough checkpoints. Where there is one budget it
    is its proposer.
    """

    propose: Proposals = "random_search"
    """Who names the architectures, with its defaults."""

    checkpoints: int = 14
    """Looks at a training, evenly over its epochs, the last at its end."""

    first: int = 5
    """Checkpoints before it may be given up."""

    p: float = 0.05
    """Probability of beating the best, below which it is."""

    replicates: int = 8
    """Bootstrap fits of a curve."""

    correct: bool = True
    """Whether extrapolations are corrected by those of whole trainings."""

    def __post_init__(self) -> None:
        if self.propose not in get_args(Proposals):
            expected = ", ".join(get_args(Proposals))
            raise UserError(f"early_stopping has propose={self.propose!r}; expected {expected}")
        if not FEWEST <= self.checkpoints <= 200:
            raise UserError(
                f"early_stopping has checkpoints={self.checkpoints}; expected {FEWEST} to 200"
            )
        if not 3 <= self.first < self.checkpoints:
            raise UserError(
                f"early_stopping has first={self.first}; expected 3 to {self.checkpoints - 1}"
            )
        if not 0 <= self.p < 1:
            raise UserError(f"early_stopping has p={self.p}; expected at least 0 and below 1")
        if not 1 <= self.replicates <= 1000:
            raise UserError(f"early_stopping has replicates={self.replicates}; expected 1 to 1,000")

    def build(self, space: SearchSpace) -> Agent:
        return PROPOSERS[self.propose]().build(space)

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        inner = PROPOSERS[self.propose]().build(space)
        if budgets.top == 0:
            return asking_full(inner, budgets)
        looks = self.looks(budgets)
        if not budgets.continues or len(looks) <= self.first:
            raise UserError(
                f"early_stopping extrapolates curves of more than {self.first} checkpoints of one "
                f"training; found {budgets.caption}"
            )
        return self.watching(space, inner, looks, budgets)

    def looks(self, budgets: Budgets) -> tuple[int, ...]:
        """The fidelities at which a training is looked at."""
        wanted = budgets.epochs[-1] * np.arange(1, self.checkpoints + 1) / self.checkpoints
        places = np.searchsorted(np.array(budgets.epochs), np.round(wanted, 6), side="right") - 1
        return tuple(sorted({int(i) for i in places if i >= 0}))

    def watching(
        self, space: SearchSpace, inner: Agent, looks: tuple[int, ...], budgets: Budgets
    ) -> FidelityAgent:
        last = len(looks) - 1
        epochs = np.array([budgets.epochs[i] for i in looks], np.float32)

        def init(key: Key[Array, ""]) -> Training:
            start_key, key = jax.random.split(key)
            blank = jax.eval_shape(space.sample, key)
            zeros = jnp.zeros(len(looks), jnp.float32)
            return Training(
                inner.init(start_key), jnp.zeros(blank.shape, blank.dtype), jnp.int32(0), zeros,
                zeros, jnp.float32(-jnp.inf), zeros, jnp.int32(0), jnp.int32(0),
            )  # fmt: skip

        def ask(key: Key[Array, ""], now: Training) -> tuple[Choice, Training]:
            proposed, state = inner.ask(key, now.inner)
            new = now.at == 0
            state = jax.tree.map(lambda a, b: jnp.where(new, a, b), state, now.inner)
            arch = jnp.where(new, proposed, now.arch)
            return Choice(arch, jnp.asarray(looks, jnp.int32)[now.at]), now._replace(
                inner=state, arch=arch
            )

        def tell(now: Training, choice: Choice, result: QueryResult) -> Training:
            val = result.val.astype(jnp.float32)
            vals = now.vals.at[now.at].set(val)
            known = jnp.arange(len(looks)) <= now.at
            luck = jax.random.fold_in(jax.random.key(0), now.queries)
            whole = float(epochs[-1])
            end = extrapolate(luck, jnp.asarray(epochs), vals, known, whole, self.replicates)
            wrong = now.errors[now.at] / jnp.maximum(now.whole, 1) if self.correct else 0.0
            said = now.said.at[now.at].set(end.mean)
            unlikely = end.above(now.best - wrong) < self.p
            ended = result.valid & (now.at == last)
            stopped = result.valid & ~ended & (now.at + 1 >= self.first) & unlikely
            through = ended | stopped | ~result.valid
            worth = jnp.where(stopped, jnp.clip(end.mean + wrong, 0.0, 1.0), val)
            told = inner.tell(now.inner, choice.arch, result._replace(val=worth))
            return Training(
                inner=jax.tree.map(lambda a, b: jnp.where(through, a, b), told, now.inner),
                arch=choice.arch,
                at=jnp.where(through, 0, now.at + 1),
                vals=vals,
                said=said,
                best=jnp.where(ended, jnp.maximum(now.best, val), now.best),
                errors=jnp.where(ended, now.errors + val - said, now.errors),
                whole=now.whole + ended,
                queries=now.queries + 1,
            )

        return FidelityAgent(init, ask, tell)
