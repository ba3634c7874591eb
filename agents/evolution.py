"""Regularized evolution: tournaments in a population whose oldest member dies with every birth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from rlnas.agents.asked import around
from rlnas.agents.protocol import Agent
from rlnas.agents.random_walk import step
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, SearchSpace
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory


@dataclass(frozen=True)
class Evolution:
    """Regularized (ageing) evolution (Real et al. 2019, arXiv 1802.01548; on NAS-Bench-101: Ying et
    al. 2019).

    It starts with uniform draws. Then, for each query, the best of a random tournament among the
    members is the parent, and the child is a mutation of it. The population grows to its size;
    from then on every birth is the death of the oldest member, however good it was.

    By default as naszilla, made for budgets of about 150: from 10 draws to 30 members, tournaments
    of 10 with replacement, as Real et al. draw them. (Its code lets the oldest die as soon as there
    are 30, so that 29 compete; ours keeps 30.) Ying et al. fill a population of 100 with draws and
    take 10 different members: `evolution:population=100,initial=100,replacement=false` (the code
    published with NAS-Bench-101 has 50 for 100). Ours: a mutation is one uniformly drawn neighbour,
    where the originals flip edges and operations at random until the cell is valid. An answer
    without a value joins as the worst. Where all neighbours of the parent are members
    and none is better, or it has none (a partial table has many such), the child is a uniform draw.
    """

    population: int = 30
    """Members kept: the latest queries."""

    tournament: int = 10
    """Members compared to choose a parent; 1 is no selection at all."""

    initial: int = 10
    """Uniform draws before the first tournament."""

    replacement: bool = True
    """Whether a member may stand in a tournament more than once; if not, `tournament` is at most
    `population` and `initial`."""

    def __post_init__(self) -> None:
        for name in ("population", "tournament", "initial"):
            if (value := getattr(self, name)) < 1:
                raise UserError(f"evolution has {name}={value}; expected at least 1")
        present = min(self.population, self.initial)
        if not self.replacement and self.tournament > present:
            raise UserError(
                f"evolution has tournament={self.tournament} without replacement; expected at most "
                f"{present}, the members at the first of them"
            )

    def build(self, space: SearchSpace) -> Agent:
        # The population is what is remembered: its members are the latest queries.
        def init(key: Key[Array, ""]) -> Memory:
            return memory.empty(space, self.population)

        def rivals(key: Key[Array, ""], members: Memory) -> Int[Array, " tournament"]:
            present = jnp.clip(members.queries, 1, self.population)
            if self.replacement:
                return jax.random.randint(key, (self.tournament,), 0, present, jnp.int32)
            return draw(key, present, self.tournament)[0]

        def ask(key: Key[Array, ""], members: Memory) -> tuple[Arch, Memory]:
            start_key, tournament_key, child_key = jax.random.split(key, 3)
            drawn = rivals(tournament_key, members)
            best = drawn[jnp.argmax(members.vals[drawn])]
            parent = members.archs[best]
            near, real = around(space, parent)
            is_near = jax.vmap(partial(memory.places, members))(near) & real[:, None]
            left = real & ~is_near.any(axis=1)
            better = is_near.any(axis=0) & (members.vals > members.vals[best])
            child = step(space, child_key, parent, left.any() | better.any())
            starting = members.queries < self.initial
            return jnp.where(starting, space.sample(start_key), child), members

        return Agent(init, ask, tell=memory.remember)
