"""The MDP with memory: Cassimon's incremental MDP with the whole search so far in its state.

State: candidates (neighbours of the current architecture and of the best so far, and fresh draws),
the queries made with their answers, and the budget left. Action: ask one candidate. Reward: the
rise of the best so far, shaped, up to the budget, so that the return is what a search is judged by.
(A discounted sum of differences, as in `rlnas.bench.mdp`, is an average over the path, where a
search is judged by its maximum.) With neighbours of the current one alone and nothing remembered it
is that MDP's way of moving. All of it is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Int32, Key

from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, Benchmark
from rlnas.bench.candidates import candidates
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import check_pinned
from rlnas.bench.memory import Memory
from rlnas.bench.rewards import Exponential, Shaping


class SearchState(NamedTuple):
    """archs: [N] candidates. mask: bool [N], those that may be asked: real ones that were not yet.
    asked: all queries and answers of the episode. best: what the reward counts from, the best so
    far. t: queries made."""

    archs: Arch
    mask: Bool[Array, " N"]
    asked: Memory
    best: Float32[Array, ""]
    t: Int32[Array, ""]


class SearchInfo(NamedTuple):
    """arch, val, valid: the look-up made; without one a candidate, NaN and False. moved: whether
    one was made. final: the state in which the episode ended, where it did."""

    arch: Arch
    val: Float32[Array, ""]
    valid: Bool[Array, ""]
    moved: Bool[Array, ""]
    final: SearchState


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SearchMDP:
    """A pytree: the benchmark's arrays, the shaping's numbers and the floor may be traced.

    floor: accuracy that the best so far starts from, e.g. the median of the space; below it nothing
    is a rise. NaN: the first answer sets the level. horizon: the budget, in queries; then the
    episode terminates. current, near: neighbours of the latest query, and of each of the best
    `parents`, that are candidates, at most; fresh: uniform draws among them. anytime: 0, the return
    is the best at the end; 1, rewards count the share of the budget that is left, so that it is the
    best so far, averaged over the budget; or between. judged: rewards are by `Benchmark.reported`,
    which no state shows, in place of what the look-up answers.
    """

    benchmark: Benchmark
    shaping: Shaping = field(default_factory=Exponential)
    floor: Any = float("nan")
    horizon: int = field(default=50, metadata={"static": True})
    current: int = field(default=16, metadata={"static": True})
    parents: int = field(default=3, metadata={"static": True})
    near: int = field(default=16, metadata={"static": True})
    fresh: int = field(default=64, metadata={"static": True})
    anytime: float = field(default=0.0, metadata={"static": True})
    judged: bool = field(default=False, metadata={"static": True})

    def __post_init__(self) -> None:
        for name, least in {
            "horizon": 1,
            "fresh": 1,
            "current": 0,
            "parents": 1,
            "near": 0,
        }.items():
            if getattr(self, name) < least:
                raise UserError(f"found {name} = {getattr(self, name)}; expected at least {least}")
        if self.parents > self.horizon:
            raise UserError(
                f"found parents = {self.parents}; expected at most horizon = {self.horizon}"
            )

    @property
    def num_actions(self) -> int:
        """N: action i asks candidate i."""
        most = self.benchmark.space.max_degree
        return self.fresh + self.parents * min(self.near, most) + min(self.current, most)

    def reset(self, key: Key[Array, ""]) -> SearchState:
        """Nothing asked, and no look-up made: every candidate is a fresh draw."""
        check_pinned(key)
        space = self.benchmark.space
        asked = memory.empty(space, self.horizon)
        drawn, mask = view(key, space, asked, self.parents, 0, self.fresh, 0)
        rest = self.num_actions - self.fresh  # nothing is near what was not asked
        archs = jnp.concatenate([drawn, jnp.repeat(drawn[:1], rest, axis=0)])
        mask = jnp.pad(mask, (0, rest))
        return SearchState(archs, mask, asked, self._start(), jnp.int32(0))

    def step(
        self, key: Key[Array, ""], state: SearchState, action: Int[Array, ""] | int
    ) -> tuple[SearchState, Float32[Array, ""], Bool[Array, ""], Bool[Array, ""], SearchInfo]:
        """(state, reward, terminated, truncated, info), reset where terminated.

        truncated is always False. A masked action asks nothing, at reward 0, and takes a step all
        the same.
        """
        check_pinned(key)
        query_key, view_key = jax.random.split(key)
        action = jnp.clip(jnp.asarray(action), 0, self.num_actions - 1)
        arch, moved = state.archs[action], state.mask[action]
        result = self.benchmark.query(arch, query_key)
        result = result._replace(valid=result.valid & ~jnp.isnan(result.val) & moved)
        seen = self.benchmark.reported(arch) if self.judged else result.val
        rises = result.valid & ~jnp.isnan(seen)
        best = jnp.where(rises, jnp.fmax(state.best, seen), state.best)
        reward = self._reward(state.best, best, state.t)
        noted = memory.remember(state.asked, arch, result)
        asked = jax.tree.map(lambda new, old: jnp.where(moved, new, old), noted, state.asked)
        final = state._replace(asked=asked, best=best, t=state.t + 1)
        terminated = final.t >= self.horizon
        blank = memory.empty(self.benchmark.space, self.horizon)
        asked = jax.tree.map(lambda old, new: jnp.where(terminated, old, new), blank, asked)
        after = self._view(
            view_key,
            asked,
            jnp.where(terminated, self._start(), best),
            jnp.where(terminated, 0, final.t),
        )
        nan = jnp.float32(jnp.nan)
        info = SearchInfo(
            arch, jnp.where(result.valid, result.val, nan), result.valid, moved, final
        )
        return after, reward, terminated, jnp.zeros((), bool), info

    def rises(self, state: SearchState, archs: Arch) -> Float32[Array, " n"]:
        """float32 [n]: the reward that asking each of [n] architectures would bring, by
        `Benchmark.reported`: what a training on known tables may learn from."""
        found = jax.vmap(self.benchmark.reported)(archs)
        best = jnp.where(jnp.isnan(found), state.best, jnp.fmax(state.best, found))
        return self._reward(state.best, best, state.t)

    def _reward(self, before: Any, after: Any, t: Any) -> Any:
        # An unknown start has no value to improve on: the first known one sets the level.
        rise = jnp.where(jnp.isnan(before), 0.0, self.shaping(after) - self.shaping(before))
        rise = jnp.where(jnp.isnan(rise), 0.0, rise)
        return rise * (1 - self.anytime * t / self.horizon)

    def _start(self) -> Float32[Array, ""]:
        return jnp.asarray(self.floor, jnp.float32)

    def _view(self, key: Key[Array, ""], asked: Memory, best: Any, t: Any) -> SearchState:
        archs, mask = view(
            key, self.benchmark.space, asked, self.parents, self.near, self.fresh, self.current
        )
        return SearchState(archs, mask, asked, best, jnp.asarray(t, jnp.int32))


def view(
    key: Key[Array, ""],
    space: Any,
    asked: Memory,
    parents: int,
    near: int,
    fresh: int,
    current: int,
) -> tuple[Arch, Bool[Array, " N"]]:
    """The candidates, fresh ones first, then those near the best, near the latest; and which may be
    asked."""
    near_key, current_key = jax.random.split(key)
    archs, allowed = candidates(near_key, space, asked, parents, min(near, space.max_degree), fresh)
    if current := min(current, space.max_degree):
        latest = asked.archs[(asked.queries - 1) % asked.vals.shape[0]]
        around, real = space.neighbours(current_key, latest, current)
        real &= asked.queries > 0
        real &= ~jax.vmap(lambda arch: memory.knows(asked, arch))(around)
        archs, allowed = jnp.concatenate([archs, around]), jnp.concatenate([allowed, real])
    return archs, allowed
