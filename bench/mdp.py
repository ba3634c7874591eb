"""The incremental-improvement MDP of Cassimon, Mercelis and Mets (arXiv 2410.01431).

State: an architecture and at most N of its neighbours. Action: move to one of them. Reward: the
difference of the shaped validation accuracies. The paper does not settle (so these are ours): how
neighbours beyond N are drawn (uniformly without replacement, anew each step), the episode's length,
the start (a uniformly drawn architecture), staying (an option, off), what happens when a look-up
has no value (the move is made, the reward is 0, the last known value is kept), and an architecture
without neighbours, of which partial tables have many (no move is left: the episode is truncated, at
no look-up but that of the next start; with `stay` it is not).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Int8, Int32, Key

from rlnas.bench.benchmark import Arch, Benchmark, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import check_pinned
from rlnas.bench.rewards import Exponential, Shaping

StartState = Callable[[Key[Array, ""], SearchSpace], Arch]
"""key, space -> the architecture an episode starts from."""


def uniform_start(key: Key[Array, ""], space: SearchSpace) -> Arch:
    """Any architecture of the space, equally likely."""
    return space.sample(key)


class Observation(NamedTuple):
    """What the agent sees: the current architecture first, like a classification token, then its
    neighbours.

    archs: [N + 1] architectures; masked places hold the current one again.
    encoding: int8 [N + 1, f]. mask: bool [N + 1], True for the current architecture and real
    neighbours.
    """

    archs: Int[Array, "slots ..."]
    encoding: Int8[Array, "slots f"]
    mask: Bool[Array, " slots"]


class State(NamedTuple):
    """archs, mask: as in the observation. val: the current validation accuracy (last known). t:
    steps taken."""

    archs: Int[Array, "slots ..."]
    mask: Bool[Array, " slots"]
    val: Float32[Array, ""]
    t: Int32[Array, ""]


class Info(NamedTuple):
    """final_observation: before an auto-reset, what to bootstrap from at a truncation. arch, val,
    valid: the look-up made; without one, where the agent stands, its last known value and False.
    reset_val: the accuracy looked up for a new episode's start, where `truncated` (a look-up
    too). moved: whether a look-up was made, that is a move; not by staying, nor by a masked
    action."""

    final_observation: Observation
    arch: Arch
    val: Float32[Array, ""]
    valid: Bool[Array, ""]
    reset_val: Float32[Array, ""]
    moved: Bool[Array, ""]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IncrementalMDP:
    """A pytree: the benchmark's arrays and the shaping's numbers may be traced, the sizes are
    static.

    neighbours: N. horizon: steps after which an episode is truncated; it never terminates.
    stay: adds action N, which keeps the current architecture at no look-up and reward 0.
    """

    benchmark: Benchmark
    shaping: Shaping = field(default_factory=Exponential)
    neighbours: int = field(default=25, metadata={"static": True})
    horizon: int = field(default=50, metadata={"static": True})
    stay: bool = field(default=False, metadata={"static": True})
    start: StartState = field(default=uniform_start, metadata={"static": True})

    def __post_init__(self) -> None:
        for name in ("neighbours", "horizon"):
            if getattr(self, name) < 1:
                raise UserError(f"found {name} = {getattr(self, name)}; expected at least 1")

    @property
    def num_actions(self) -> int:
        """N, and one more with `stay`: action i < N moves to `archs[i + 1]`."""
        return self.neighbours + self.stay

    def action_mask(self, observation: Observation) -> Bool[Array, " A"]:
        """Which of the `num_actions` actions exist. All False only for an isolated architecture
        without `stay`."""
        mask = observation.mask[1:]
        return jnp.append(mask, True) if self.stay else mask

    def observe(self, state: State) -> Observation:
        """The observation of a state; replay buffers keep `archs` and encode when they need to."""
        return Observation(
            state.archs, jax.vmap(self.benchmark.space.encode)(state.archs), state.mask
        )

    def reset(self, key: Key[Array, ""]) -> tuple[Observation, State]:
        """Start an episode: one look-up, of the start architecture. `UserError` as of `step`."""
        check_pinned(key)
        begin_key, view_key = jax.random.split(key)
        arch, val = self._begin(begin_key)
        state = State(*self._view(view_key, arch), val, jnp.int32(0))
        return self.observe(state), state

    def step(
        self, key: Key[Array, ""], state: State, action: Int[Array, ""] | int
    ) -> tuple[Observation, State, Float32[Array, ""], Bool[Array, ""], Bool[Array, ""], Info]:
        """(observation, state, reward, terminated, truncated, info), reset where truncated.

        terminated is always False. A masked action stays in place with reward 0: an agent that
        respects the mask meets it only where there is no action, which truncates the episode.
        `info.final_observation` is the real last one of a truncated episode. `UserError` where JAX
        would draw other numbers than `rlnas.bench.pinned` ones.
        """
        check_pinned(key)
        query_key, view_key, reset_key = jax.random.split(key, 3)
        action = jnp.asarray(action)
        moves = (action >= 0) & (action < self.neighbours)
        place = jnp.where(moves, action + 1, 0)
        moves = moves & state.mask[place]
        arch = state.archs[jnp.where(moves, place, 0)]
        result = self.benchmark.query(arch, query_key)
        valid = moves & result.valid
        val = jnp.where(valid, result.val, state.val)
        # An unknown start has no value to improve on: the first known one sets the level.
        known = valid & ~jnp.isnan(state.val)
        reward = jnp.where(known, self.shaping(val) - self.shaping(state.val), 0.0)

        t = state.t + 1
        stuck = not self.stay and ~state.mask[1:].any()
        truncated = (t >= self.horizon) | stuck
        start, start_val = self._begin(reset_key)
        # One view is drawn: the last observation's is the same unless truncated, and costs nothing
        # unused.
        last = State(*self._view(view_key, arch), val, t)
        after_arch = jnp.where(truncated, start, arch)
        after = State(
            *self._view(view_key, after_arch),
            jnp.where(truncated, start_val, val),
            jnp.where(truncated, 0, t),
        )
        info = Info(self.observe(last), arch, val, valid, start_val, moves)
        return self.observe(after), after, reward, jnp.zeros((), bool), truncated, info

    def _begin(self, key: Key[Array, ""]) -> tuple[Arch, Float32[Array, ""]]:
        start_key, query_key = jax.random.split(key)
        arch = self.start(start_key, self.benchmark.space)
        return arch, self.benchmark.query(arch, query_key).val

    def _view(self, key: Key[Array, ""], arch: Arch) -> tuple[Any, Bool[Array, " slots"]]:
        archs, mask = self.benchmark.space.neighbours(key, arch, self.neighbours)
        return jnp.concatenate([jnp.asarray(arch)[None], archs]), jnp.append(True, mask)
