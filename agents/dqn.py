"""The agent that learns to search: Ape-X value learning on the incremental MDP, on one device, in
one scan.

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
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32, Key

from rlnas.agents import replay as replay_buffer
from rlnas.agents.losses import (
    double_q_target,
    epsilon_ladder,
    n_step_bootstrapped_returns,
    take,
)
from rlnas.agents.networks import READOUT, DuelingTransformer, NetworkConfig
from rlnas.agents.replay import Replay
from rlnas.bench.benchmark import Benchmark, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.mdp import IncrementalMDP, State
from rlnas.bench.rewards import Exponential

SEEN_LIMIT = 1 << 24
"""Spaces up to this size have every architecture seen in training remembered; larger ones only
count look-ups."""


@dataclass(frozen=True)
class DQNConfig:
    """Settings of learning; those of the MDP and the network included. alpha and the seed may be
    traced."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The transformer's sizes."""
    alpha: float = 32.0
    """Shaping exp(alpha x accuracy). The paper: 6 on NAS-Bench-101, 32 on NAS-Bench-301; ours, for
    nb101-digits: 32."""
    reward_scale: float = 30.0
    """Constant factor of all rewards (ours): lifts returns above the network's noise where
    accuracies are close."""
    neighbours: int = 25
    """At most so many neighbours are shown; the paper: 25 on NAS-Bench-101, 100 on
    NAS-Bench-301."""
    horizon: int = 50
    """Steps of an episode (ours)."""
    stay: bool = False
    """Whether staying is an action (ours)."""
    gamma: float = 0.9
    """Discount (ours)."""
    steps: int = 150_000
    """Environment steps of training, over all actors."""
    actors: int = 64
    """Environments stepped together."""
    epsilon_base: float = 0.4
    """Epsilon of actor i of n: base^(1 + exponent i / (n - 1))."""
    epsilon_exponent: float = 7.0
    """See epsilon_base; both as in Ape-X."""
    learning_starts: int = 4_096
    """Environment steps before the first update."""
    n_step: int = 3
    """Steps of a return."""
    batch_size: int = 128
    """Transitions an update."""
    updates: int = 1
    """Updates after each step of all actors."""
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
    target_every: int = 8_192
    """Environment steps between copies into the target network."""

    def __post_init__(self) -> None:
        counts = (
            "neighbours horizon steps actors learning_starts n_step batch_size updates capacity "
            "target_every"
        )
        for name in counts.split():
            if getattr(self, name) < 1:
                raise UserError(f"found {name} = {getattr(self, name)}; expected at least 1")
        if not self.reward_scale > 0:
            raise UserError(f"found reward_scale = {self.reward_scale}; expected a factor above 0")
        if not 0 <= self.gamma < 1:
            raise UserError(f"found gamma = {self.gamma}; expected at least 0 and below 1")
        if self.capacity % replay_buffer.BLOCK or self.capacity < max(self.batch_size, self.actors):
            raise UserError(
                f"found capacity = {self.capacity}; expected a multiple of {replay_buffer.BLOCK}, "
                f"at least batch_size = {self.batch_size} and actors = {self.actors}"
            )

    def module(self) -> DuelingTransformer:
        """The network."""
        return DuelingTransformer(self.network, self.stay)

    def optimiser(self) -> optax.GradientTransformation:
        return optax.chain(
            optax.clip_by_global_norm(self.gradient_clip), optax.adam(self.learning_rate, eps=1e-8)
        )

    def mdp(self, benchmark: Benchmark, alpha: Any = None) -> IncrementalMDP:
        """The environment of these settings. alpha: goes before the settings' own, and may be
        traced."""
        shaping = Exponential(self.alpha if alpha is None else alpha, self.reward_scale)
        return IncrementalMDP(benchmark, shaping, self.neighbours, self.horizon, self.stay)

    @property
    def warm_iterations(self) -> int:
        """Iterations before the first update."""
        return min(self.iterations, -(-self.learning_starts // self.actors))

    @property
    def iterations(self) -> int:
        """Iterations that make at least `steps` environment steps."""
        return -(-self.steps // self.actors)


class View(NamedTuple):
    """What an observation is made of: rows, not encodings. archs: [N + 1, ...]; mask: bool [N +
    1]."""

    archs: Any
    mask: Bool[Array, "*b slots"]


class Transition(NamedTuple):
    """n steps. reward: their discounted sum; discount: what the value of `after` counts."""

    before: View
    action: Int32[Array, "*b"]
    reward: Float32[Array, "*b"]
    discount: Float32[Array, "*b"]
    after: View


class Step(NamedTuple):
    """One step as the n-step window keeps it; `after` is the real next view, also at a
    truncation."""

    before: View
    action: Int32[Array, "*b"]
    reward: Float32[Array, "*b"]
    truncated: Bool[Array, "*b"]
    after: View


class Learner(NamedTuple):
    """What learning changes: parameters, their older copy, the optimiser's state, the replay."""

    params: Any
    target: Any
    opt_state: Any
    replay: Replay


class TrainState(NamedTuple):
    """A training run between iterations. window: Step of [actors, n - 1]. seen: bool [space size]
    (or [1] for a space too large to remember). lookups: accuracies looked up."""

    learner: Learner
    env: State
    window: Step
    iteration: Int32[Array, ""]
    seen: Bool[Array, " M"]
    lookups: Int32[Array, ""]
    key: Key[Array, ""]


class Metrics(NamedTuple):
    """Means over an iteration. reward: shaped, a step. val: validation accuracy of where the actors
    are."""

    loss: Float32[Array, "*b"]
    td_error: Float32[Array, "*b"]
    q: Float32[Array, "*b"]
    reward: Float32[Array, "*b"]
    val: Float32[Array, "*b"]


def q_values(
    config: DQNConfig, space: SearchSpace, params: Any, view: View, dropout: Any = None
) -> Float32[Array, "*b a"]:
    """Q of every action of a batch of views; encodes on the fly. dropout: a key while learning."""
    rngs = None if dropout is None else {"dropout": dropout}
    q: Any = config.module().apply(
        params, encode(space, view), view.mask, dropout is not None, rngs=rngs
    )
    return q


def encode(space: SearchSpace, view: View) -> Int8[Array, "*b slots f"]:
    """The encodings of a view, or of a batch of them."""
    one = space.encode
    for _ in range(view.mask.ndim):
        one = jax.vmap(one)
    return one(view.archs)


def real_actions(config: DQNConfig, mask: Bool[Array, "*b slots"]) -> Bool[Array, "*b a"]:
    """Which actions exist under a view's mask: the real neighbours, and staying where it is one."""
    real = mask[..., 1:]
    return jnp.concatenate([real, jnp.ones_like(real[..., :1])], axis=-1) if config.stay else real


def representations(
    config: DQNConfig, space: SearchSpace, params: Any, view: View
) -> Float32[Array, "*b d"]:
    """What the last layer makes of the current architecture of each view: the token the value is
    read from."""
    _, found = config.module().apply(
        params,
        encode(space, view),
        view.mask,
        capture_intermediates=lambda module, _: module.name == READOUT,
    )
    return found["intermediates"][READOUT]["__call__"][0][..., 0, :]


def new_learner(config: DQNConfig, space: SearchSpace, key: Key[Array, ""]) -> Learner:
    """Fresh parameters and an empty replay."""
    view = blank_view(config, space)
    params = config.module().init(key, encode(space, view), view.mask)
    example = Transition(view, jnp.int32(0), jnp.float32(0), jnp.float32(0), view)
    return Learner(
        params,
        jax.tree.map(jnp.copy, params),
        config.optimiser().init(params),
        replay_buffer.create(example, config.capacity),
    )


def blank_view(config: DQNConfig, space: SearchSpace) -> View:
    arch = jax.eval_shape(space.sample, jax.random.key(0))
    slots = config.neighbours + 1
    return View(jnp.zeros((slots, *arch.shape), arch.dtype), jnp.zeros(slots, bool))


def learn(
    config: DQNConfig, space: SearchSpace, learner: Learner, key: Key[Array, ""]
) -> tuple[Learner, Any]:
    """One update from one prioritised batch. Returns the learner and (loss, mean |TD error|, mean
    Q)."""
    sample_key, dropout_key = jax.random.split(key)
    batch = replay_buffer.sample(
        learner.replay, sample_key, config.batch_size, config.priority_beta
    )
    items: Transition = batch.items
    # An isolated architecture has no action to learn of, and no value to bootstrap from.
    usable = jnp.take_along_axis(
        real_actions(config, items.before.mask), items.action[:, None], axis=1
    )[:, 0]
    dropout = dropout_key if config.network.dropout else None

    q_t_value = q_values(config, space, learner.target, items.after)
    q_t_selector = q_values(config, space, learner.params, items.after)
    bootstrap = real_actions(config, items.after.mask).any(-1)
    target = double_q_target(items.reward, items.discount * bootstrap, q_t_value, q_t_selector)

    def loss_of(params: Any) -> tuple[Array, tuple[Array, Array]]:
        q_tm1 = take(q_values(config, space, params, items.before, dropout), items.action)
        error = jnp.where(usable, target - q_tm1, 0.0)
        return (batch.weights * optax.losses.huber_loss(error)).mean(), (
            error,
            jnp.where(usable, q_tm1, 0.0),
        )

    (loss, (error, q_tm1)), gradient = jax.value_and_grad(loss_of, has_aux=True)(learner.params)
    updates, opt_state = config.optimiser().update(gradient, learner.opt_state, learner.params)
    learner = learner._replace(
        params=optax.apply_updates(learner.params, updates),
        opt_state=opt_state,
        replay=replay_buffer.update(learner.replay, batch.at, error, config.priority_alpha),
    )
    return learner, (loss, jnp.abs(error).mean(), q_tm1.mean())


def act(
    q: Float32[Array, " a"], real: Bool[Array, " a"], epsilon: Any, key: Key[Array, ""]
) -> Int[Array, ""]:
    """The best real action, or with probability epsilon any real one."""
    explore_key, pick_key = jax.random.split(key)
    anything = jnp.argmax(jnp.where(real, jax.random.uniform(pick_key, real.shape), -1.0))
    return jnp.where(
        jax.random.uniform(explore_key) < epsilon,
        anything,
        jnp.argmax(jnp.where(real, q, -jnp.inf)),
    )


def init(config: DQNConfig, mdp: IncrementalMDP, key: Key[Array, ""]) -> TrainState:
    """Actors at fresh starts, with a full window of steps taken at random."""
    learner_key, reset_key, warm_key, key = jax.random.split(key, 4)
    space = mdp.benchmark.space
    _, env = jax.vmap(mdp.reset)(jax.random.split(reset_key, config.actors))
    seen = jnp.zeros(space.size if space.size <= SEEN_LIMIT else 1, bool)
    if space.size <= SEEN_LIMIT:
        seen = seen.at[env.archs[:, 0]].set(True)
    learner = new_learner(config, space, learner_key)
    state = TrainState(learner, env, None, jnp.int32(0), seen, jnp.int32(config.actors), key)  # type: ignore[arg-type]
    steps = []
    for warm in jax.random.split(warm_key, config.n_step - 1):
        state, step, _ = _actors_step(config, mdp, state, jnp.ones(config.actors), warm)
        steps.append(step)
    blank = jax.eval_shape(
        lambda s: _actors_step(config, mdp, s, jnp.ones(config.actors), key)[1], state
    )
    window = (
        jax.tree.map(lambda *x: jnp.stack(x, axis=1), *steps)
        if steps
        else jax.tree.map(lambda x: jnp.zeros((x.shape[0], 0, *x.shape[1:]), x.dtype), blank)
    )
    return state._replace(window=window)


def _actors_step(
    config: DQNConfig,
    mdp: IncrementalMDP,
    state: TrainState,
    epsilon: Float32[Array, " actors"],
    key: Key[Array, ""],
) -> tuple[TrainState, Step, Float32[Array, ""]]:
    act_key, step_key = jax.random.split(key)
    space = mdp.benchmark.space
    before = View(state.env.archs, state.env.mask)
    q = q_values(config, space, state.learner.params, before)
    real = real_actions(config, before.mask)
    action = jax.vmap(act)(q, real, epsilon, jax.random.split(act_key, config.actors))
    _, env, reward, _, truncated, info = jax.vmap(mdp.step)(
        jax.random.split(step_key, config.actors), state.env, action
    )
    after = View(info.final_observation.archs, info.final_observation.mask)
    seen = state.seen
    if space.size <= SEEN_LIMIT:
        seen = seen.at[info.arch].set(True).at[env.archs[:, 0]].set(True)
    moved = (action < config.neighbours).sum() if config.stay else config.actors
    state = state._replace(env=env, seen=seen, lookups=state.lookups + moved + truncated.sum())
    return state, Step(before, action, reward, truncated, after), jnp.nanmean(info.val)


def iterate(
    config: DQNConfig, mdp: IncrementalMDP, state: TrainState, learning: bool
) -> tuple[TrainState, Metrics]:
    """Every actor takes one step; then, if `learning` (static), `updates` batches."""
    act_key, learn_key, key = jax.random.split(state.key, 3)
    space = mdp.benchmark.space
    epsilon = epsilon_ladder(config.actors, config.epsilon_base, config.epsilon_exponent)
    state, step, val = _actors_step(config, mdp, state, epsilon, act_key)
    whole = jax.tree.map(
        lambda old, new: jnp.concatenate([old, new[:, None]], axis=1), state.window, step
    )
    learner = state.learner._replace(
        replay=replay_buffer.add(state.learner.replay, jax.vmap(lambda w: _merge(config, w))(whole))
    )
    loss = td_error = q = jnp.float32(0)
    if learning:
        learner, out = jax.lax.scan(
            lambda learner, key: learn(config, space, learner, key),
            learner,
            jax.random.split(learn_key, config.updates),
        )
        loss, td_error, q = (x.mean() for x in out)
    iteration = state.iteration + 1
    due = iteration % max(1, config.target_every // config.actors) == 0
    target = jax.tree.map(lambda new, old: jnp.where(due, new, old), learner.params, learner.target)
    state = state._replace(
        learner=learner._replace(target=target),
        window=jax.tree.map(lambda x: x[:, 1:], whole),
        iteration=iteration,
        key=key,
    )
    return state, Metrics(loss, td_error, q, step.reward.mean(), val)


def _merge(config: DQNConfig, window: Step) -> Transition:
    """The transition that starts at the first step of a window of n."""
    returns = n_step_bootstrapped_returns(window.reward, window.truncated, config.gamma)
    before = jax.tree.map(lambda x: x[0], window.before)
    after = jax.tree.map(lambda x: x[returns.last], window.after)
    return Transition(
        before, window.action[0].astype(jnp.int32), returns.reward, returns.discount, after
    )


@partial(jax.jit, static_argnums=(0, 3, 4), donate_argnums=2)
def run(
    config: DQNConfig, mdp: IncrementalMDP, state: TrainState, iterations: int, learning: bool
) -> tuple[TrainState, Metrics]:
    """`iterations` of `iterate` in one scan; vmap it over states (and over the shaping's alpha) for
    many seeds."""

    def step(state: TrainState, _: None) -> tuple[TrainState, Metrics]:
        return iterate(config, mdp, state, learning)

    return jax.lax.scan(step, state, None, length=iterations)


def shard(state: TrainState, devices: Sequence[Any]) -> TrainState:
    """Spread actors and replay over several devices; parameters are on each. jit does the rest
    (GSPMD)."""
    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    split, whole = (jax.NamedSharding(mesh, jax.P(*axes)) for axes in (("data",), ()))
    state = jax.device_put(state, whole)
    env, window, items = jax.device_put(
        (state.env, state.window, state.learner.replay.items), split
    )
    learner = state.learner._replace(replay=state.learner.replay._replace(items=items))
    return state._replace(env=env, window=window, learner=learner)
