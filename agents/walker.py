"""A walk by any score of neighbours: ask/tell, from a checkpoint, fine-tuned, or learning from
nothing.

From a random start, always on to the neighbour of the highest score that was not asked before. What
the paper (Cassimon et al., arXiv 2410.01431) leaves open is ours: known architectures are never
asked again while the current one has an unknown neighbour (`revisit` switches that off), without
one the walk starts afresh, and so it does after `patience` queries without a new best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from rlnas.agents.learner import Step, View
from rlnas.agents.protocol import Agent
from rlnas.agents.trained import Trained, check_fits
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, SearchSpace
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory
from rlnas.bench.rewards import within

MEMORY = 512
"""The last so many queries are remembered as known."""


@runtime_checkable
class LearnsOnTheWay(Protocol):
    """A learner that can also learn from the moves of a search. Its settings have the fields
    `learning_rate`, `updates` (batches after each query) and `actors` (1 here), and the property
    `shaping`: a move's reward is the difference of two shaped accuracies."""

    @classmethod
    def cold(cls) -> Any:
        """Settings for learning in a search, from nothing."""

    def fine_tuned(self) -> Any:
        """Settings for going on learning in a search, after a training with these."""

    def fresh(self, space: SearchSpace, key: Key[Array, ""], params: Any = None) -> Any:
        """What learning changes, a NamedTuple with `params`: those given, or fresh ones."""

    def take_in(
        self,
        space: SearchSpace,
        learning: Any,
        move: Step,
        made: Bool[Array, ""],
        queries: Int32[Array, ""],
        key: Key[Array, ""],
    ) -> Any:
        """Learn, from `move` too if it was `made`; queries: how many there were."""


class SearchState(NamedTuple):
    """learning: what learning changes; () where nothing is learnt. arch, val: where the walk is.
    view, action: the last decision. asked: the last `MEMORY` queries. since_best: queries since
    the best so far rose. moving: whether the last query was a move (not a start)."""

    learning: Any
    arch: Arch
    val: Float32[Array, ""]
    view: View
    action: Int32[Array, ""]
    previous_val: Float32[Array, ""]
    moving: Bool[Array, ""]
    asked: Memory
    best: Float32[Array, ""]
    since_best: Int32[Array, ""]


@dataclass(frozen=True)
class Walker(Trained):
    """A trained agent that walks; without a checkpoint it learns on the way."""

    fine_tune: bool = False
    """Go on learning during the search, from this run's look-ups alone (always so without a
    checkpoint)."""
    epsilon: float = -1.0
    """Probability of a random move; -1: 0 with a checkpoint, 0.1 without."""
    updates: int = 1
    """Batches learnt from after each query, where it learns."""
    learning_rate: float = 0.0
    """Of the optimiser, where it learns; 0: the learner's own for that."""
    neighbours: int = 0
    """At most so many neighbours are valued; 0: as in training (without: the learner's own)."""
    patience: int = 0
    """Start afresh after so many queries without a new best; 0: never."""
    revisit: bool = False
    """Allow moves to architectures asked before while unknown neighbours are left."""

    def __post_init__(self) -> None:
        if self.epsilon > 1 or (self.epsilon < 0 and self.epsilon != -1):
            raise UserError(
                f"found epsilon = {self.epsilon}; expected 0 to 1, or -1 for the default"
            )
        for name in ("updates", "neighbours", "patience", "learning_rate"):
            if getattr(self, name) < 0:
                raise UserError(f"found {name} = {getattr(self, name)}; expected at least 0")

    def search(self, space: SearchSpace, settings: Any, params: Any) -> Agent:
        learns = self.fine_tune or not settings
        if learns and not issubclass(self.learner, LearnsOnTheWay):
            raise UserError("it does not learn during a search; expected a checkpoint's folder")
        if settings:
            check_fits(settings, space, params)
        epsilon = self.epsilon if self.epsilon >= 0 else 0.0 if settings else 0.1
        if learns:
            settings = settings.fine_tuned() if settings else self.learner.cold()
            rate = self.learning_rate or settings.learning_rate
            settings = replace(settings, updates=max(1, self.updates), learning_rate=rate, actors=1)
        settings = replace(settings, neighbours=self.neighbours or settings.neighbours)
        return walk(
            settings,
            space,
            params,
            learns=learns,
            epsilon=epsilon,
            patience=self.patience,
            revisit=self.revisit,
        )


def walk(
    learner: Any,
    space: SearchSpace,
    params: Any,
    *,
    learns: bool = False,
    epsilon: float = 0.0,
    patience: int = 0,
    revisit: bool = False,
) -> Agent:
    """The walk by the scores of a `Learner` that has `neighbours`. params: may be traced; None:
    fresh ones, drawn from the run's key. learns: whether it does on the way (`LearnsOnTheWay`)."""
    n = learner.neighbours
    blank = jax.eval_shape(space.sample, jax.random.key(0))

    def init(key: Key[Array, ""]) -> SearchState:
        nothing = jnp.zeros(blank.shape, blank.dtype)
        asked = memory.empty(space, MEMORY)
        view = View(
            jnp.zeros((n + 1, *blank.shape), blank.dtype),
            jnp.zeros(n + 1, bool),
            asked if learner.remembers else (),
        )
        nan, zero = jnp.float32(jnp.nan), jnp.int32(0)
        return SearchState(
            learning=learner.fresh(space, key, params) if learns else (),
            arch=nothing,
            val=nan,
            view=view,
            action=zero,
            previous_val=nan,
            moving=jnp.zeros((), bool),
            asked=asked,
            best=jnp.float32(-jnp.inf),
            since_best=zero,
        )

    def ask(key: Key[Array, ""], state: SearchState) -> tuple[Arch, SearchState]:
        view_key, learn_key, act_key, start_key = jax.random.split(key, 4)
        view, unknown = look(view_key, state)
        if learns:
            state = state._replace(learning=digest(learn_key, state, view))
        weights = state.learning.params if learns else params
        scores = learner.score(space, weights, view)[:n]  # staying, behind them, would ask nothing
        allowed = view.mask[1:] & (unknown | revisit)
        action = epsilon_greedy(scores, allowed, epsilon, act_key)
        restart = jnp.isnan(state.val) | ~unknown.any()
        if patience:
            restart = restart | (state.since_best >= patience)
        arch = jnp.where(restart, space.sample(start_key), view.archs[action + 1])
        since_best = jnp.where(restart, 0, state.since_best)
        action = action.astype(jnp.int32)
        return arch, state._replace(
            view=view, action=action, moving=~restart, since_best=since_best
        )

    def look(key: Key[Array, ""], state: SearchState) -> tuple[View, Bool[Array, " n"]]:
        """The view of the current architecture: unknown neighbours go before known ones."""
        index, real = draw(key, space.degree(state.arch), space.max_degree)
        archs = jax.vmap(lambda i: space.neighbour(state.arch, i))(index)
        unknown = real & ~jax.vmap(lambda arch: memory.knows(state.asked, arch))(archs)
        order = jnp.argsort(jnp.where(unknown, 0, jnp.where(real, 1, 2)), stable=True)[:n]
        order = jnp.pad(order, (0, n - len(order)))
        real, unknown = (x[order] & (jnp.arange(n) < space.max_degree) for x in (real, unknown))
        chosen = archs[order]
        chosen = jnp.where(real.reshape(n, *[1] * len(blank.shape)), chosen, state.arch)
        view = View(
            jnp.concatenate([state.arch[None], chosen]),
            jnp.append(True, real),
            state.asked if learner.remembers else (),
        )
        return view, unknown

    def digest(key: Key[Array, ""], state: SearchState, after: View) -> Any:
        """Learn from the last move, now that the view behind it is known."""
        made = state.moving & ~jnp.isnan(state.val) & ~jnp.isnan(state.previous_val)
        known = jnp.where(jnp.isfinite(state.asked.vals), state.asked.vals, jnp.nan)
        shaping = within(learner.shaping, known, state.best)
        gain = shaping(state.val) - shaping(state.previous_val)
        reward = jnp.where(made, gain, 0.0)
        move = Step(state.view, state.action, reward, jnp.zeros((), bool), after, state.val)
        return learner.take_in(space, state.learning, move, made, state.asked.queries, key)

    def tell(state: SearchState, arch: Arch, result: Any) -> SearchState:
        """Move to `arch` if it has a value; remember that it was asked either way."""
        better = result.valid & (result.val > state.best)
        return state._replace(
            arch=jnp.where(result.valid, arch, state.arch),
            previous_val=state.val,
            val=jnp.where(result.valid, result.val, state.val),
            moving=state.moving & result.valid,
            asked=memory.remember(state.asked, arch, result),
            best=jnp.where(better, result.val, state.best),
            since_best=jnp.where(better, 0, state.since_best + 1),
        )

    return Agent(init, ask, tell)


def epsilon_greedy(
    scores: Float32[Array, " a"], real: Bool[Array, " a"], epsilon: Any, key: Key[Array, ""]
) -> Int[Array, ""]:
    """The best real action, or with probability epsilon any real one."""
    explore_key, pick_key = jax.random.split(key)
    anything = jnp.argmax(
        jnp.where(real, jax.random.uniform(pick_key, real.shape, jnp.float32), -1.0)
    )
    return jnp.where(
        jax.random.uniform(explore_key, (), jnp.float32) < epsilon,
        anything,
        jnp.argmax(jnp.where(real, scores, -jnp.inf)),
    )
