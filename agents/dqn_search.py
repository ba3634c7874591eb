"""The transformer agent as a searcher: ask/tell, from a checkpoint, fine-tuned, or learning from
nothing.

A walk: from a random start, always on to the neighbour of the highest value that was not asked
before. What the paper leaves open is ours: known architectures are never asked again while the
current one has an unknown neighbour (`revisit` switches that off), without one the walk starts
afresh, and so it does after `patience` queries without a new best.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Key

from rlnas.agents import replay as replay_buffer
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.dqn import DQNConfig, Learner, Transition, View, act, learn, new_learner, q_values
from rlnas.agents.networks import NetworkConfig
from rlnas.agents.protocol import Agent, same_arch
from rlnas.bench.benchmark import Arch, SearchSpace
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError
from rlnas.bench.rewards import Exponential

MEMORY = 512
"""The last so many queries are remembered as known."""

COLD = DQNConfig(
    network=NetworkConfig(width=32, layers=1, heads=2, feed_forward=64),
    batch_size=32,
    capacity=512,
    n_step=1,
    learning_rate=1e-3,
    gamma=0.5,
    target_every=8,
)
"""Learning inside the budget: a small network, one update a query unless asked otherwise (ours)."""


class SearchState(NamedTuple):
    """arch, val: where the walk is. view, action: the last decision. asked: the last `MEMORY` of
    `queries` queries.
    since_best: queries since the best so far rose. moving: whether the last query was a move (not a
    start)."""

    learner: Learner | Any
    arch: Arch
    val: Float32[Array, ""]
    view: View
    action: Int32[Array, ""]
    previous_val: Float32[Array, ""]
    moving: Bool[Array, ""]
    asked: Arch
    queries: Int32[Array, ""]
    best: Float32[Array, ""]
    since_best: Int32[Array, ""]


@dataclass(frozen=True)
class DQN:
    """`dqn:CHECKPOINT[,option=value...]`: search with a trained agent; or, without one, learn on
    the way."""

    checkpoint: str = ""
    """Folder of a training (`rlnas train`); empty: nothing is trained before, protocol `cold`."""
    sha256: str = ""
    """Of the checkpoint's weights, filled in: what the run's identity depends on."""
    fine_tune: bool = False
    """Go on learning during the search, from this run's look-ups alone (always so without a
    checkpoint)."""
    epsilon: float = -1.0
    """Probability of a random move; -1: 0 with a checkpoint, 0.1 without."""
    updates: int = 1
    """Batches learnt from after each query, where it learns."""
    learning_rate: float = 0.0
    """Adam's rate where it learns; 0: 1e-4 with a checkpoint, 1e-3 without."""
    neighbours: int = 0
    """At most so many neighbours are valued; 0: as in training (25 without a checkpoint)."""
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

    @classmethod
    def from_spec(cls, text: str) -> DQN:
        """Of `CHECKPOINT,option=value,...`, either part optional."""
        from rlnas.agents.spec import options

        words = [word for word in text.split(",") if word]
        path = words.pop(0) if words and "=" not in words[0] else ""
        config = cls(
            checkpoint=path, **options(cls, ",".join(words), skip=("checkpoint", "sha256"))
        )
        return replace(config, sha256=Checkpoint.load(Path(path)).sha256) if path else config

    @property
    def learns(self) -> bool:
        return self.fine_tune or not self.checkpoint

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """What was looked up before the search, and on what; None where nothing was."""
        return Checkpoint.load(Path(self.checkpoint)).pretraining if self.checkpoint else None

    def unseen(self, benchmark: Any, archs: np.ndarray) -> np.ndarray | None:
        """Which architectures (rows of `benchmark`, any shape) training never looked up; None where
        that is unknown."""
        seen = Checkpoint.load(Path(self.checkpoint)).seen if self.checkpoint else None
        if seen is None or not hasattr(benchmark.space, "rows"):
            return None
        return ~np.isin(np.asarray(benchmark.space.rows)[archs], seen)

    def build(self, space: SearchSpace) -> Agent:
        config, params = COLD, None
        if self.checkpoint:
            saved = Checkpoint.load(Path(self.checkpoint))
            config, params = saved.config, saved.params
            if self.learns:
                inside = {
                    name: getattr(COLD, name)
                    for name in ("batch_size", "capacity", "n_step", "target_every")
                }
                config = replace(config, **inside, learning_rate=1e-4)
        config = replace(
            config,
            updates=max(1, self.updates),
            learning_rate=self.learning_rate or config.learning_rate,
            neighbours=self.neighbours or config.neighbours,
            actors=1,
        )
        epsilon = self.epsilon if self.epsilon >= 0 else 0.0 if self.checkpoint else 0.1
        return searcher(
            config,
            space,
            params,
            learns=self.learns,
            epsilon=epsilon,
            patience=self.patience,
            revisit=self.revisit,
        )


def searcher(
    config: DQNConfig,
    space: SearchSpace,
    params: Any,
    *,
    learns: bool = False,
    epsilon: float = 0.0,
    patience: int = 0,
    revisit: bool = False,
) -> Agent:
    """The agent of `params`, which may be traced; None: fresh ones, drawn from the run's key."""
    n = config.neighbours
    shaping = Exponential(config.alpha, config.reward_scale)
    blank = jax.eval_shape(space.sample, jax.random.key(0))

    def init(key: Key[Array, ""]) -> SearchState:
        learner: Any = ()
        if learns:
            learner = new_learner(config, space, key)
            if params is not None:
                learner = learner._replace(
                    params=params, target=params, opt_state=config.optimiser().init(params)
                )
        nothing = jnp.zeros(blank.shape, blank.dtype)
        view = View(jnp.zeros((n + 1, *blank.shape), blank.dtype), jnp.zeros(n + 1, bool))
        nan, zero = jnp.float32(jnp.nan), jnp.int32(0)
        asked = jnp.zeros((MEMORY, *blank.shape), blank.dtype)
        return SearchState(
            learner,
            nothing,
            nan,
            view,
            zero,
            nan,
            jnp.zeros((), bool),
            asked,
            zero,
            jnp.float32(-jnp.inf),
            zero,
        )

    def ask(key: Key[Array, ""], state: SearchState) -> tuple[Arch, SearchState]:
        view_key, learn_key, act_key, start_key = jax.random.split(key, 4)
        view, unknown = look(view_key, state)
        learner = state.learner
        if learns:
            learner = digest(learn_key, state, view)
        weights = learner.params if learns else params
        q = q_values(config, space, weights, view)[
            :n
        ]  # staying, the last action, would ask nothing
        allowed = view.mask[1:] & (unknown | revisit)
        action = act(q, allowed, epsilon, act_key)
        restart = jnp.isnan(state.val) | ~allowed.any()
        if patience:
            restart = restart | (state.since_best >= patience)
        arch = jnp.where(restart, space.sample(start_key), view.archs[action + 1])
        since_best = jnp.where(restart, 0, state.since_best)
        state = state._replace(
            learner=learner,
            view=view,
            action=action.astype(jnp.int32),
            moving=~restart,
            since_best=since_best,
        )
        return arch, state

    def look(key: Key[Array, ""], state: SearchState) -> tuple[View, Bool[Array, " n"]]:
        """The view of the current architecture: unknown neighbours go before known ones."""
        index, real = draw(key, space.degree(state.arch), space.max_degree)
        archs = jax.vmap(lambda i: space.neighbour(state.arch, i))(index)
        asked = jnp.arange(MEMORY) < state.queries
        known = jax.vmap(lambda a: (same_arch(state.asked, a, 1) & asked).any())(archs)
        unknown = real & ~known
        order = jnp.argsort(jnp.where(unknown, 0, jnp.where(real, 1, 2)), stable=True)[:n]
        order = jnp.pad(order, (0, n - len(order)))
        real, unknown = (x[order] & (jnp.arange(n) < space.max_degree) for x in (real, unknown))
        chosen = archs[order]
        chosen = jnp.where(real.reshape(n, *[1] * len(blank.shape)), chosen, state.arch)
        return View(jnp.concatenate([state.arch[None], chosen]), jnp.append(True, real)), unknown

    def digest(key: Key[Array, ""], state: SearchState, after: View) -> Learner:
        """Learn from the last move, now that the view behind it is known."""
        done = state.moving & ~jnp.isnan(state.val) & ~jnp.isnan(state.previous_val)
        reward = jnp.where(done, shaping(state.val) - shaping(state.previous_val), 0.0)
        item = Transition(state.view, state.action, reward, jnp.float32(config.gamma), after)
        old = state.learner.replay
        new = replay_buffer.add(old, jax.tree.map(lambda x: x[None], item))
        learner = state.learner._replace(
            replay=jax.tree.map(lambda a, b: jnp.where(done, a, b), new, old)
        )
        learnt, _ = jax.lax.scan(
            lambda learner, key: learn(config, space, learner, key),
            learner,
            jax.random.split(key, config.updates),
        )
        enough = replay_buffer.size(learner.replay) > 0
        learner = jax.tree.map(lambda a, b: jnp.where(enough, a, b), learnt, learner)
        due = state.queries % config.target_every == 0
        return learner._replace(
            target=jax.tree.map(lambda a, b: jnp.where(due, a, b), learner.params, learner.target)
        )

    def tell(state: SearchState, arch: Arch, result: Any) -> SearchState:
        """Move to `arch` if it has a value; remember that it was asked either way."""
        better = result.valid & (result.val > state.best)
        return state._replace(
            arch=jnp.where(result.valid, arch, state.arch),
            previous_val=state.val,
            val=jnp.where(result.valid, result.val, state.val),
            moving=state.moving & result.valid,
            asked=state.asked.at[state.queries % MEMORY].set(arch),
            queries=state.queries + 1,
            best=jnp.where(better, result.val, state.best),
            since_best=jnp.where(better, 0, state.since_best + 1),
        )

    return Agent(init, ask, tell)
