"""Regularized evolution: tournaments in a population whose oldest member dies with every birth."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from rlnas.agents import memory
from rlnas.agents.memory import Memory
from rlnas.agents.protocol import Agent
from rlnas.agents.random_walk import step
from rlnas.bench.benchmark import Arch, SearchSpace
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Evolution:
    """Regularized (ageing) evolution (Real et al. 2019, arXiv 1802.01548; on NAS-Bench-101: Ying et
    al. 2019).

    The population starts as uniform draws. Then, for each query, the best of a random tournament is
    the parent, the child is a mutation of it, and the oldest member is replaced, however good it
    was.

    Sources differ; we take: the sizes of naszilla (30 and 10, made for budgets of about 150; Ying
    et al. have 100 and 10), and tournaments without replacement, as both of them (Real et al. draw
    with replacement). Ours: a mutation is one uniformly drawn neighbour, where the originals flip
    edges and operations at random until the cell is valid. An answer without a value joins as the
    worst; a parent without neighbours is followed by a uniform draw.
    """

    population: int = 30
    """Members kept; the first that many queries are uniform draws."""

    tournament: int = 10
    """Members compared, at most `population`, to choose a parent; 1 is no selection at all."""

    def __post_init__(self) -> None:
        if self.population < 1:
            raise UserError(f"evolution has population={self.population}; expected at least 1")
        if not 1 <= self.tournament <= self.population:
            raise UserError(
                f"evolution has tournament={self.tournament}; expected from 1 to "
                f"population={self.population}"
            )

    def build(self, space: SearchSpace) -> Agent:
        # The population is what is remembered: its members are the latest queries.
        def init(key: Key[Array, ""]) -> Memory:
            return memory.empty(space, self.population)

        def ask(key: Key[Array, ""], members: Memory) -> tuple[Arch, Memory]:
            start_key, tournament_key, child_key = jax.random.split(key, 3)
            rivals, _ = draw(tournament_key, jnp.int32(self.population), self.tournament)
            parent = members.archs[rivals[jnp.argmax(members.vals[rivals])]]
            child = step(space, child_key, parent)
            starting = members.queries < self.population
            return jnp.where(starting, space.sample(start_key), child), members

        return Agent(init, ask, tell=memory.remember)
