"""Ape-X value learning of which neighbour to move to, on the incremental MDP, on one device, in one
scan; and the agent that searches with what was learnt.

Follows Cassimon, Mercelis and Mets (arXiv 2410.01431): transformer with dueling heads, double Q,
n-step returns with partial episode bootstrapping, prioritised replay, an epsilon ladder over actors
(Horgan et al. 2018). The settings their follow-up names (arXiv 2412.01420, by a third party's
summary): 3 steps, clip 40, target every 8,192 steps, replay 25,000, alpha .6, beta .4, Adam 5e-5,
1e7 steps. Everything else, and each default that differs, is ours.

Ape-X's actors and learner take turns here instead of running side by side: an iteration is one step
of every actor and then `updates` batches. New items get the largest priority so far (Schaul et al.
2016), not their own TD error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float32, Int32, Key

from rlnas.agents import replay as replay_buffer
from rlnas.agents.learner import (
    Incremental,
    Step,
    TrainState,
    View,
    at_least_one,
    begin,
    encode,
    spread,
    step_actors,
)
from rlnas.agents.losses import (
    double_q_target,
    epsilon_ladder,
    n_step_bootstrapped_returns,
    take,
)
from rlnas.agents.networks import READOUT, DuelingTransformer, NetworkConfig
from rlnas.agents.protocol import Agent
from rlnas.agents.replay import Replay
from rlnas.agents.walker import Walker, epsilon_greedy, walk
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.mdp import IncrementalMDP


class Transition(NamedTuple):
    """n steps. reward: their discounted sum; discount: what the value of `after` counts."""

    before: View
    action: Int32[Array, "*b"]
    reward: Float32[Array, "*b"]
    discount: Float32[Array, "*b"]
    after: View


class Learning(NamedTuple):
    """What learning changes: parameters, their older copy, the optimiser's state, the replay.
    window: the latest steps of each actor, [actors, n - 1]; () in a search, which has none."""

    params: Any
    target: Any
    opt_state: Any
    replay: Replay
    window: Any = ()


class Metrics(NamedTuple):
    """Means over an iteration. reward: shaped, a step. val: validation accuracy of where the actors
    are."""

    loss: Float32[Array, "*b"]
    td_error: Float32[Array, "*b"]
    q: Float32[Array, "*b"]
    reward: Float32[Array, "*b"]
    val: Float32[Array, "*b"]


@dataclass(frozen=True)
class DQNLearner(Incremental):
    """Settings of MDP, learning and network. alpha and the seed may be traced."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The transformer's sizes."""
    gamma: float = 0.9
    """Discount (ours)."""
    epsilon_base: float = 0.4
    """Epsilon of actor i of n: base^(1 + exponent i / (n - 1))."""
    epsilon_exponent: float = 7.0
    """See epsilon_base; both as in Ape-X."""
    learning_starts: int = 1_024
    """Environment steps before the first update."""
    n_step: int = 3
    """Steps of a return."""
    batch_size: int = 64
    """Transitions an update."""
    updates: int = 8
    """Updates after each step of all actors: 8 to 64 steps make the most of a look-up (ours)."""
    capacity: int = 25_600
    """Transitions kept for replay; a multiple of 256."""
    priority_alpha: float = 0.6
    """Exponent of the priorities; 0 draws uniformly."""
    priority_beta: float = 0.4
    """Exponent of the importance weights, constant in time."""
    learning_rate: float = 5e-4
    """Adam's rate."""
    gradient_clip: float = 40.0
    """Largest global norm of the gradient."""
    target_every: int = 1_024
    """Environment steps between copies into the target network."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least_one(
            self, "learning_starts", "n_step", "batch_size", "updates", "capacity", "target_every"
        )
        if not 0 <= self.gamma < 1:
            raise UserError(f"found gamma = {self.gamma}; expected at least 0 and below 1")
        if self.capacity % replay_buffer.BLOCK or self.capacity < max(self.batch_size, self.actors):
            raise UserError(
                f"found capacity = {self.capacity}; expected a multiple of {replay_buffer.BLOCK}, "
                f"at least batch_size = {self.batch_size} and actors = {self.actors}"
            )

    @classmethod
    def presets(cls) -> dict[str, DQNLearner]:
        smoke = cls(
            network=NetworkConfig(width=16, feed_forward=32),
            steps=4_096,
            actors=32,
            batch_size=32,
            updates=1,
            capacity=4_096,
        )
        grid = cls(steps=12_288)
        # What is known of Cassimon et al. 2024 and their follow-up (see above), gaps filled by
        # RLlib's Ape-X; layers, heads, widths of feed-forward blocks, horizon, gamma, actors are
        # ours all the same.
        paper = cls(
            network=NetworkConfig(width=256, layers=3, heads=8, feed_forward=1024),
            steps=10_000_000,
            actors=256,
            learning_starts=50_000,
            batch_size=512,
            updates=1,
            capacity=25_088,
            learning_rate=5e-5,
            target_every=8_192,
            alpha=6.0,
            relative=False,
        )
        return {"default": cls(), "smoke": smoke, "grid": grid, "paper": paper}

    @property
    def warm_iterations(self) -> int:
        return -(-min(self.learning_starts, self.steps) // self.actors)

    def module(self) -> DuelingTransformer:
        """The network."""
        return DuelingTransformer(self.network, self.stay)

    def optimiser(self) -> optax.GradientTransformation:
        return optax.chain(
            optax.clip_by_global_norm(self.gradient_clip), optax.adam(self.learning_rate, eps=1e-8)
        )

    # Values

    def score(
        self, space: SearchSpace, params: Any, view: View, dropout: Any = None
    ) -> Float32[Array, "*b a"]:
        """Q of every action; encodes on the fly. dropout: a key while learning."""
        rngs = None if dropout is None else {"dropout": dropout}
        q: Any = self.module().apply(
            params, encode(space, view), view.mask, dropout is not None, rngs=rngs
        )
        return q

    def representations(
        self, space: SearchSpace, params: Any, view: View
    ) -> Float32[Array, "*b d"]:
        """What the last layer makes of the current architecture of each view: the token the value
        is read from."""
        _, found = self.module().apply(
            params,
            encode(space, view),
            view.mask,
            capture_intermediates=lambda module, _: module.name == READOUT,
        )
        return found["intermediates"][READOUT]["__call__"][0][..., 0, :]

    # Training

    def init(self, mdp: IncrementalMDP, key: Key[Array, ""]) -> TrainState:
        """Actors at fresh starts, with a full window of steps taken at random."""
        params_key, reset_key, warm_key, key = jax.random.split(key, 4)
        learning = self.fresh(mdp.benchmark.space, params_key)
        state = begin(mdp, self.actors, learning, reset_key, key)

        def step(state: TrainState, key: Key[Array, ""]) -> tuple[TrainState, Step]:
            return self.act(mdp, state, jnp.ones(self.actors), key)

        state, steps = jax.lax.scan(step, state, jax.random.split(warm_key, self.n_step - 1))
        window = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), steps)
        return state._replace(learner=learning._replace(window=window))

    def fresh(self, space: SearchSpace, key: Key[Array, ""], params: Any = None) -> Learning:
        """An empty replay, and fresh parameters unless some are given."""
        view = self.blank_view(space)
        if params is None:
            params = self.module().init(key, encode(space, view), view.mask)
        example = Transition(view, jnp.int32(0), jnp.float32(0), jnp.float32(0), view)
        replay = replay_buffer.create(example, self.capacity)
        target = jax.tree.map(jnp.copy, params)
        return Learning(params, target, self.optimiser().init(params), replay)

    def iterate(
        self, mdp: IncrementalMDP, state: TrainState, learning: bool
    ) -> tuple[TrainState, Metrics]:
        """Every actor takes one step; then, if `learning`, `updates` batches."""
        act_key, learn_key, key = jax.random.split(state.key, 3)
        epsilon = epsilon_ladder(self.actors, self.epsilon_base, self.epsilon_exponent)
        state, step = self.act(mdp, state, epsilon, act_key)
        old: Learning = state.learner
        whole = jax.tree.map(
            lambda steps, step: jnp.concatenate([steps, step[:, None]], axis=1), old.window, step
        )
        new = old._replace(
            replay=replay_buffer.add(old.replay, jax.vmap(self.transition)(whole)),
            window=jax.tree.map(lambda x: x[:, 1:], whole),
        )
        loss = td_error = q = jnp.float32(0)
        if learning:
            new, out = self.updated(mdp.benchmark.space, new, learn_key)
            loss, td_error, q = (x.mean() for x in out)
        iteration = state.iteration + 1
        new = copy_when(iteration % max(1, self.target_every // self.actors) == 0, new)
        metrics = Metrics(loss, td_error, q, step.reward.mean(), jnp.nanmean(step.val))
        return state._replace(learner=new, iteration=iteration, key=key), metrics

    def act(
        self,
        mdp: IncrementalMDP,
        state: TrainState,
        epsilon: Float32[Array, " actors"],
        key: Key[Array, ""],
    ) -> tuple[TrainState, Step]:
        """A step of every actor, epsilon-greedy."""
        act_key, step_key = jax.random.split(key)
        view = View(state.env.archs, state.env.mask)
        q = self.score(mdp.benchmark.space, state.learner.params, view)
        action = jax.vmap(epsilon_greedy)(
            q, self.real_actions(view.mask), epsilon, jax.random.split(act_key, self.actors)
        )
        return step_actors(mdp, state, action, step_key)

    def transition(self, window: Step) -> Transition:
        """What starts at the first step of a window of n."""
        returns = n_step_bootstrapped_returns(window.reward, window.truncated, self.gamma)
        before = jax.tree.map(lambda x: x[0], window.before)
        after = jax.tree.map(lambda x: x[returns.last], window.after)
        action = window.action[0].astype(jnp.int32)
        return Transition(before, action, returns.reward, returns.discount, after)

    def updated(
        self, space: SearchSpace, learning: Learning, key: Key[Array, ""]
    ) -> tuple[Learning, Any]:
        """`updates` times `learn`."""

        def one(learning: Learning, key: Key[Array, ""]) -> tuple[Learning, Any]:
            return self.learn(space, learning, key)

        return jax.lax.scan(one, learning, jax.random.split(key, self.updates))

    def learn(
        self, space: SearchSpace, learning: Learning, key: Key[Array, ""]
    ) -> tuple[Learning, tuple[Array, Array, Array]]:
        """One update from one prioritised batch. Returns (loss, mean |TD error|, mean Q) too."""
        sample_key, dropout_key = jax.random.split(key)
        batch = replay_buffer.sample(
            learning.replay, sample_key, self.batch_size, self.priority_beta
        )
        items: Transition = batch.items
        # An isolated architecture has no action to learn of, and no value to bootstrap from.
        usable = take(self.real_actions(items.before.mask), items.action)
        bootstrap = self.real_actions(items.after.mask).any(-1)
        dropout = dropout_key if self.network.dropout else None

        q_t_value = self.score(space, learning.target, items.after)
        q_t_selector = self.score(space, learning.params, items.after)
        target = double_q_target(items.reward, items.discount * bootstrap, q_t_value, q_t_selector)

        def loss_of(params: Any) -> tuple[Array, tuple[Array, Array]]:
            q_tm1 = take(self.score(space, params, items.before, dropout), items.action)
            error = jnp.where(usable, target - q_tm1, 0.0)
            loss = (batch.weights * optax.losses.huber_loss(error)).mean()
            return loss, (error, jnp.where(usable, q_tm1, 0.0))

        (loss, (error, q_tm1)), gradient = jax.value_and_grad(loss_of, has_aux=True)(
            learning.params
        )
        updates, opt_state = self.optimiser().update(gradient, learning.opt_state, learning.params)
        learning = learning._replace(
            params=optax.apply_updates(learning.params, updates),
            opt_state=opt_state,
            replay=replay_buffer.update(learning.replay, batch.at, error, self.priority_alpha),
        )
        return learning, (loss, jnp.abs(error).mean(), q_tm1.mean())

    def shard(self, state: TrainState, devices: Sequence[Any]) -> TrainState:
        return spread(state, devices, lambda s: (s.env, s.learner.window, s.learner.replay.items))

    # Searching

    def agent(self, space: SearchSpace, params: Any) -> Agent:
        return walk(self, space, params)

    @classmethod
    def cold(cls) -> DQNLearner:
        """For learning inside the budget of a search: a small network, one update a query unless
        asked otherwise (ours)."""
        return cls(
            batch_size=32,
            updates=1,
            capacity=512,
            n_step=1,
            learning_rate=1e-3,
            gamma=0.5,
            target_every=8,
        )

    def fine_tuned(self) -> DQNLearner:
        """For going on learning inside the budget of a search, after a training."""
        cold = self.cold()
        inside = ("batch_size", "capacity", "n_step", "target_every")
        return replace(self, **{x: getattr(cold, x) for x in inside}, learning_rate=1e-4)

    def take_in(
        self,
        space: SearchSpace,
        learning: Learning,
        move: Step,
        made: Bool[Array, ""],
        queries: Int32[Array, ""],
        key: Key[Array, ""],
    ) -> Learning:
        """Keep a move in the replay, then learn; the target is copied every `target_every`
        queries."""
        item = Transition(
            move.before, move.action, move.reward, jnp.float32(self.gamma), move.after
        )
        added = replay_buffer.add(learning.replay, jax.tree.map(lambda x: x[None], item))
        replay = choose(made, added, learning.replay)
        learning = learning._replace(replay=replay)
        learnt, _ = self.updated(space, learning, key)
        learning = choose(replay_buffer.size(replay) > 0, learnt, learning)
        return copy_when(queries % self.target_every == 0, learning)


def copy_when(due: Bool[Array, ""], learning: Learning) -> Learning:
    """The parameters copied into the target network, if `due`."""
    return learning._replace(target=choose(due, learning.params, learning.target))


def choose(condition: Bool[Array, ""], if_true: Any, if_false: Any) -> Any:
    """`if_true` or `if_false`, leaf by leaf."""
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)


@dataclass(frozen=True)
class DQN(Walker):
    """`dqn:CHECKPOINT[,option=value...]`: search with the transformer that `rlnas train dqn`
    trained; or, without a checkpoint, learn on the way."""

    learner: ClassVar[type[DQNLearner]] = DQNLearner
