"""What is trained: the interface of a learner, and what all of them share while they are trained.

A learner is one file with two classes: its settings, which are a `Learner`, and the agent that
searches with what it has learnt, which is registered (`rlnas.agents.trained.Trained`) and names the
settings in `learner`. Training, checkpoints, evaluation, comparisons and ablations know learners
only through what stands here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32, Key

from rlnas import agents
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Benchmark, Indexed, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.family import Family
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.rewards import Exponential, Relative, within

SEEN_LIMIT = 1 << 24
"""Spaces up to this size have every architecture seen in training remembered; larger ones only
count look-ups."""


DRAWS = 1_024
"""So many of the latest uniform draws tell what is usual in a space."""


class View(NamedTuple):
    """What scores are given for: an architecture and its neighbours, as themselves, not encoded.

    archs: [N + 1, ...], the current one first. mask: bool [N + 1], which are real. memory: the
    queries and answers so far, a `Memory`, for a learner that `remembers`; else ().
    """

    archs: Any
    mask: Bool[Array, "*b slots"]
    memory: Any = ()


class Step(NamedTuple):
    """A step of each actor. after: the real next view, also at a truncation. val: the validation
    accuracy looked up (the last known one where there was no answer)."""

    before: View
    action: Int[Array, "*b"]
    reward: Float32[Array, "*b"]
    truncated: Bool[Array, "*b"]
    after: View
    val: Float32[Array, "*b"]


class Range(NamedTuple):
    """What accuracies training has seen. draws: float32 [DRAWS], of the latest uniform draws (the
    starts of episodes), NaN where there was none; drawn: how many there were. best: of all, -inf
    before the first."""

    draws: Float32[Array, " draws"]
    drawn: Int32[Array, ""]
    best: Float32[Array, ""]


class TrainState(NamedTuple):
    """A training between iterations.

    learner: all that the algorithm changes, a NamedTuple whose `params` is what `score` takes. env:
    the environments' states [actors]. seen: bool [space size], looked up so far; [1] where that is
    not remembered. lookups: accuracies looked up.
    """

    learner: Any
    env: Any
    iteration: Int32[Array, ""]
    seen: Bool[Array, " M"]
    lookups: Int32[Array, ""]
    range: Range
    key: Key[Array, ""]


@runtime_checkable
class Learner(Protocol):
    """The settings of a learning algorithm, a frozen and hashable dataclass, and what it does with
    them: pure functions, so that seeds (and alpha) can be traced and vmapped.

    steps: environment steps of a training, over all actors. alpha: of the reward's shaping.
    """

    remembers: ClassVar[bool]
    """Whether its views hold the queries and answers so far."""
    steps: int
    alpha: float

    @classmethod
    def presets(cls) -> dict[str, Any]:
        """Named settings: `default`; `smoke`, for seconds; `grid`, small enough for a grid of
        trainings in an hour; and any others."""

    def mdp(self, benchmark: Benchmark, alpha: Any = None) -> Any:
        """The environment of these settings. alpha: goes before the settings' own; may be
        traced."""

    @property
    def iteration_steps(self) -> int:
        """Environment steps of an iteration, over all actors."""

    @property
    def warm_iterations(self) -> int:
        """Iterations before anything is learnt."""

    def init(self, mdp: Any, key: Key[Array, ""]) -> TrainState:
        """A training before its first iteration."""

    def iterate(self, mdp: Any, state: TrainState, learning: bool) -> tuple[TrainState, Any]:
        """An iteration: act, then learn, if `learning` (static). Returns metrics too: a NamedTuple
        of float32 scalars, `loss` and `val` (accuracy where the actors are) among them."""

    def score(self, space: SearchSpace, params: Any, view: View) -> Float32[Array, "*b a"]:
        """How good each move is, for a view or a batch of them: [N] scores, and any after them are
        no moves."""

    def agent(self, space: SearchSpace, params: Any) -> Agent:
        """Searches greedily with `params`, which may be traced."""

    def shard(self, state: TrainState, devices: Sequence[Any]) -> TrainState:
        """Spread a training over several devices; what is not spread is on each."""


@dataclass(frozen=True)
class Incremental:
    """The settings that all learners on the incremental MDP have, and what follows from them."""

    remembers: ClassVar[bool] = False

    alpha: float = 1.0
    """Shaping exp(alpha x accuracy), the accuracy counted from the median to the best seen so far
    (ours). The paper's, with --no-relative: 6 on NAS-Bench-101, 32 on NAS-Bench-301."""
    relative: bool = True
    """Whether the shaping counts accuracies relative to those seen so far, so that alpha means the
    same on every benchmark (ours), or as they are (the paper)."""
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
    steps: int = 32_768
    """Environment steps of training, over all actors."""
    actors: int = 64
    """Environments stepped together."""

    def __post_init__(self) -> None:
        at_least_one(self, "neighbours", "horizon", "steps", "actors")
        if not self.reward_scale > 0:
            raise UserError(f"found reward_scale = {self.reward_scale}; expected a factor above 0")

    @property
    def shaping(self) -> Exponential:
        return (Relative if self.relative else Exponential)(self.alpha, self.reward_scale)

    def mdp(self, benchmark: Benchmark, alpha: Any = None) -> IncrementalMDP:
        shaping = self.shaping if alpha is None else dataclasses.replace(self.shaping, alpha=alpha)
        return IncrementalMDP(benchmark, shaping, self.neighbours, self.horizon, self.stay)

    @property
    def iteration_steps(self) -> int:
        return self.actors

    @property
    def warm_iterations(self) -> int:
        return 0

    def shard(self, state: TrainState, devices: Sequence[Any]) -> TrainState:
        return spread(state, devices, lambda state: state.env)

    def blank_view(self, space: SearchSpace) -> View:
        """A view of nothing, for its shapes."""
        arch = jax.eval_shape(space.sample, jax.random.key(0))
        slots = self.neighbours + 1
        return View(jnp.zeros((slots, *arch.shape), arch.dtype), jnp.zeros(slots, bool))

    def real_actions(self, mask: Bool[Array, "*b slots"]) -> Bool[Array, "*b a"]:
        """Which actions exist under a view's mask: real neighbours, and staying where it is one."""
        real = mask[..., 1:]
        return jnp.concatenate([real, jnp.ones_like(real[..., :1])], axis=-1) if self.stay else real


def at_least_one(settings: Any, *names: str) -> None:
    """`UserError` for a field below 1."""
    for name in names:
        if getattr(settings, name) < 1:
            raise UserError(f"found {name} = {getattr(settings, name)}; expected at least 1")


def encode(space: SearchSpace, view: View) -> Int8[Array, "*b slots f"]:
    """The encodings of a view, or of a batch of them."""
    one = space.encode
    for _ in range(view.mask.ndim):
        one = jax.vmap(one)
    return one(view.archs)


# Acting


def begin(
    mdp: IncrementalMDP, actors: int, learner: Any, reset_key: Key[Array, ""], key: Key[Array, ""]
) -> TrainState:
    """Actors at fresh starts, each of them a look-up. key: what the training goes on with."""
    _, env = jax.vmap(mdp.reset)(jax.random.split(reset_key, actors))
    space = mdp.benchmark.space
    seen = jnp.zeros(space.size if is_remembered(space) else 1, bool)
    nothing = Range(jnp.full(DRAWS, jnp.nan), jnp.int32(0), jnp.float32(-jnp.inf))
    state = TrainState(learner, env, jnp.int32(0), seen, jnp.int32(0), nothing, key)
    state = looked_up(space, state, env.archs[:, 0], actors)
    return state._replace(range=drawn(nothing, env.val, jnp.ones(actors, bool)))


def step_actors(
    mdp: IncrementalMDP, state: TrainState, action: Int[Array, " actors"], key: Key[Array, ""]
) -> tuple[TrainState, Step]:
    """Every actor takes its action; look-ups are counted, those of new episodes' starts too.
    Relative rewards are relative to what was seen before."""
    before = View(state.env.archs, state.env.mask)
    shaping = within(mdp.shaping, state.range.draws, state.range.best)
    _, env, reward, _, truncated, info = jax.vmap(dataclasses.replace(mdp, shaping=shaping).step)(
        jax.random.split(key, len(action)), state.env, action
    )
    after = View(info.final_observation.archs, info.final_observation.mask)
    space = mdp.benchmark.space
    state = looked_up(space, state, info.arch, info.moved.sum(dtype=jnp.int32))
    state = looked_up(space, state._replace(env=env), env.archs[:, 0], truncated.sum())
    seen = drawn(state.range, info.reset_val, truncated)
    seen = seen._replace(best=jnp.fmax(seen.best, jnp.nanmax(info.val)))
    return state._replace(range=seen), Step(before, action, reward, truncated, after, info.val)


def drawn(seen: Range, vals: Float32[Array, " actors"], made: Bool[Array, " actors"]) -> Range:
    """The accuracies of uniform draws noted, over the oldest; those that were `made`."""
    place = (seen.drawn + jnp.cumsum(made) - 1) % DRAWS
    draws = seen.draws.at[jnp.where(made, place, DRAWS)].set(vals, mode="drop")
    best = jnp.fmax(seen.best, jnp.nanmax(jnp.where(made, vals, jnp.nan)))
    return Range(draws, seen.drawn + made.sum(), best)


def is_remembered(space: SearchSpace) -> bool:
    """Whether training remembers which architectures of `space` it has seen."""
    return isinstance(space, Indexed) and space.size <= SEEN_LIMIT


def looked_up(space: SearchSpace, state: TrainState, archs: Any, count: Any) -> TrainState:
    """Mark [n, ...] architectures as seen, and count so many look-ups."""
    seen = state.seen
    if isinstance(space, Indexed) and is_remembered(space):
        seen = seen.at[jax.vmap(space.index)(archs)].set(True)
    return state._replace(seen=seen, lookups=state.lookups + count)


# Training


def iterations(learner: Learner) -> int:
    """Iterations that make at least `steps` environment steps."""
    return -(-learner.steps // learner.iteration_steps)


@partial(jax.jit, static_argnums=(0, 3, 4), donate_argnums=2)
def run(
    learner: Learner, mdp: Any, state: TrainState, iterations: int, learning: bool
) -> tuple[TrainState, Any]:
    """`iterations` of `iterate` in one scan; vmap it over states (and over the shaping's alpha) for
    many seeds. Metrics are [iterations]."""

    def step(state: TrainState, _: None) -> tuple[TrainState, Any]:
        return learner.iterate(mdp, state, learning)

    return jax.lax.scan(step, state, None, length=iterations)


def spread(state: TrainState, devices: Sequence[Any], parts: Any) -> TrainState:
    """`state` on `devices`: `parts(state)`, a pytree out of it, split along the first axis, the
    rest whole on each. jit does the rest (GSPMD)."""
    mesh = jax.sharding.Mesh(np.array(devices), ("data",))
    split, whole = (jax.NamedSharding(mesh, jax.P(*axes)) for axes in (("data",), ()))
    chosen = {id(leaf) for leaf in jax.tree.leaves(parts(state))}
    return jax.tree.map(
        lambda leaf: jax.device_put(leaf, split if id(leaf) in chosen else whole), state
    )


# Names and settings


def learner_class(name: str) -> type[Any]:
    """The settings, a `Learner`, of training the agent registered as `name`; `UserError` for one
    that is not trained."""
    found: type[Any] | None = getattr(agents.config(name), "learner", None)
    if found is None:
        trained = [n for n in agents.names() if is_trained(n)]
        raise UserError(f"{name} is not trained; expected one of {', '.join(trained)}")
    return found


def is_trained(name: str) -> bool:
    """Whether `learner_class` knows it; False for what cannot be imported."""
    try:
        return hasattr(agents.config(name), "learner")
    except UserError:
        return False


def presets(name: str, family: Family) -> dict[str, Any]:
    """The named settings of a learner on a family's benchmarks: its own, with the changes of the
    family to what it has."""
    found: dict[str, Any] = dict(learner_class(name).presets())
    for preset, changes in family.learner_presets.items():
        if preset in found:
            known = {key: v for key, v in changes.items() if has_setting(found[preset], key)}
            found[preset] = changed(found[preset], known)
    return found


def preset(name: str, family: Family, wanted: str) -> Any:
    """One of `presets`; `UserError` for a name that is none."""
    found = presets(name, family)
    if wanted not in found:
        raise UserError(
            f"{name} has no preset {wanted!r}; expected one of {', '.join(sorted(found))}"
        )
    return found[wanted]


def has_setting(settings: Any, name: str) -> bool:
    """Whether `name`, dotted for a setting within a setting, is one that can be changed."""
    for part in name.split("."):
        if not dataclasses.is_dataclass(settings):
            return False
        if part not in {field.name for field in dataclasses.fields(settings)}:
            return False
        settings = getattr(settings, part)
    return not dataclasses.is_dataclass(settings)


def changed(settings: Any, changes: Mapping[str, Any]) -> Any:
    """`settings` with {name: value}, names dotted for settings within settings."""
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        inner = changed(getattr(settings, head), {rest: value}) if rest else value
        settings = dataclasses.replace(settings, **{head: inner})
    return settings
