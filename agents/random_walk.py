"""Random walk: the baseline that moves through the space but looks at no accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key

from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace


class State(NamedTuple):
    """arch: where the walk stands. started: whether `arch` has been asked."""

    arch: Arch
    started: Bool[Array, ""]


@dataclass(frozen=True)
class RandomWalk:
    """A uniform start, then each query is a uniformly drawn neighbour of the one before.

    A baseline of Cassimon et al. 2024 (arXiv 2410.01431). An architecture without neighbours (a
    partial table can have some) is left by a jump to a uniform draw; that is ours.
    """

    def build(self, space: SearchSpace) -> Agent:
        def init(key: Key[Array, ""]) -> State:
            return State(space.sample(key), jnp.array(False))

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            arch = jnp.where(state.started, step(space, key, state.arch), state.arch)
            return arch, State(arch, jnp.array(True))

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            return state

        return Agent(init, ask, tell)


def step(space: SearchSpace, key: Key[Array, ""], arch: Arch) -> Arch:
    """A uniformly drawn neighbour of `arch`; a uniform draw from the space where it has none."""
    index_key, jump_key = jax.random.split(key)
    degree = space.degree(arch)
    index = jax.random.randint(index_key, (), 0, jnp.maximum(degree, 1), jnp.int32)
    return jnp.where(degree > 0, space.neighbour(arch, index), space.sample(jump_key))
