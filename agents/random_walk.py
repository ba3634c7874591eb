"""Random walk: the baseline that moves through the space but looks at no accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, Key

from rlnas.agents import asked
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace


class State(NamedTuple):
    """arch: where the walk stands. started: whether `arch` has been asked. behind: how many
    neighbours of the place before are still to ask; 0 where the walk began. asked: what was."""

    arch: Arch
    started: Bool[Array, ""]
    behind: Int32[Array, ""]
    asked: Any


@dataclass(frozen=True)
class RandomWalk:
    """A uniform start, then each query is a uniformly drawn neighbour of the one before.

    A baseline of Cassimon et al. 2024 (arXiv 2410.01431). Ours: the walk jumps to a uniform draw
    where there is no neighbour, and where all neighbours of here and of the place it came from have
    been asked. A partial table falls into many small pieces, in one of which it would stay for
    good; on a complete table, within the budgets of a search, as good as nothing changes.
    """

    def build(self, space: SearchSpace) -> Agent:
        def init(key: Key[Array, ""]) -> State:
            return State(space.sample(key), jnp.array(False), jnp.int32(0), asked.nothing(space))

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            here = asked.unasked(space, state.asked, state.arch).sum(dtype=jnp.int32)
            on = (space.degree(state.arch) > 0) & ((here > 0) | (state.behind > 0))
            arch = jnp.where(state.started, step(space, key, state.arch, on), state.arch)
            new = ~asked.knows(space, state.asked, arch)
            behind = jnp.where(state.started & on, here - new, 0)
            return arch, State(arch, jnp.array(True), behind, state.asked)

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            return state._replace(asked=asked.note(space, state.asked, arch))

        return Agent(init, ask, tell)


def step(space: SearchSpace, key: Key[Array, ""], arch: Arch, on: Bool[Array, ""]) -> Arch:
    """A uniformly drawn neighbour of `arch`, which has one, if `on`; else a uniform draw from the
    space."""
    index_key, jump_key = jax.random.split(key)
    degree = space.degree(arch)
    index = jax.random.randint(index_key, (), 0, jnp.maximum(degree, 1), jnp.int32)
    return jnp.where(on, space.neighbour(arch, index), space.sample(jump_key))
