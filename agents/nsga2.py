"""NSGA-II: a population that keeps whole fronts, and of the last one the least crowded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from rlnas.agents import asked
from rlnas.agents.pareto import crowding, objectives_of, ranks
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, Constructive, QueryResult, SearchSpace
from rlnas.bench.decisions import DigitDecisions
from rlnas.bench.draw import one_of
from rlnas.bench.errors import UserError
from rlnas.bench.objectives import MOST_OBJECTIVES


class State(NamedTuple):
    """archs, points: the parents, then the children that have been asked so far; `points` are what
    is to be minimised. rank, crowd: of the parents. queries: so far. asked: what was."""

    archs: Arch
    points: Float[Array, "2n K"]
    rank: Int32[Array, " n"]
    crowd: Float[Array, " n"]
    queries: Int32[Array, ""]
    asked: Any


@dataclass(frozen=True)
class NSGA2:
    """NSGA-II (Deb et al. 2002), for a benchmark asked for several objectives.

    A generation of uniform draws; then each has as many children as there are parents. A parent
    wins a binary tournament by rank, then by crowding distance; of parents and children together
    the better half goes on. Ours: small generations, for budgets of a few hundred; a mutation is
    one uniformly drawn neighbour that was not asked before, and where there is none the child is
    a uniform draw; crossover takes every choice of either parent alike, where the choices of a
    space are free of each other (NAS-Bench-201, NAS-Bench-301; not NAS-Bench-101), and is followed
    by a mutation where the child was asked before. Of accuracy alone, or a reward, it makes a plain
    evolution. An answer without a value is dominated by all others.
    """

    population: int = 20
    """Parents, and children, of a generation."""

    crossover: float = 0.5
    """Probability that a child has two parents, where the space allows it; it is mutated else."""

    def __post_init__(self) -> None:
        if self.population < 2:
            raise UserError(f"nsga2 has population={self.population}; expected at least 2")
        if not 0 <= self.crossover <= 1:
            raise UserError(f"nsga2 has crossover={self.crossover}; expected 0 to 1")

    def build(self, space: SearchSpace) -> Agent:
        n = self.population
        decisions: Any = space.decisions if isinstance(space, Constructive) else None
        free = isinstance(decisions, DigitDecisions) and self.crossover > 0

        def init(key: Key[Array, ""]) -> State:
            blank = jax.eval_shape(space.sample, key)
            return State(
                jnp.zeros((2 * n, *blank.shape), blank.dtype),
                jnp.full((2 * n, MOST_OBJECTIVES), jnp.inf, jnp.float32),
                jnp.zeros(n, jnp.int32),
                jnp.zeros(n, jnp.float32),
                jnp.int32(0),
                asked.nothing(space),
            )

        def winner(key: Key[Array, ""], now: State) -> Arch:
            a, b = jax.random.randint(key, (2,), 0, n, jnp.int32)
            better = (now.rank[b] < now.rank[a]) | (
                (now.rank[b] == now.rank[a]) & (now.crowd[b] > now.crowd[a])
            )
            return now.archs[jnp.where(better, b, a)]

        def mutated(key: Key[Array, ""], now: State, arch: Arch) -> Arch:
            near, real = asked.around(space, arch)
            knows: Bool[Array, " max_degree"] = jax.vmap(
                lambda x: asked.knows(space, now.asked, x)
            )(near)
            new = real & ~knows
            pick_key, start_key = jax.random.split(key)
            number = one_of(jax.random.bits(pick_key, (), jnp.uint32), new)
            return jnp.where(new.any(), near[number], space.sample(start_key))

        def child(key: Key[Array, ""], now: State) -> Arch:
            first_key, second_key, cross_key, mix_key, mutate_key = jax.random.split(key, 5)
            first = winner(first_key, now)
            if not free:
                return mutated(mutate_key, now, first)
            second = winner(second_key, now)
            one, other = (decisions.sequence(arch) for arch in (first, second))
            mix = jax.random.bernoulli(mix_key, 0.5, one.shape)
            crossed = decisions.build(jnp.where(mix, one, other))
            cross = jax.random.bernoulli(cross_key, self.crossover)
            start = jnp.where(cross, crossed, first)
            keep = cross & ~asked.knows(space, now.asked, crossed)
            return jnp.where(keep, crossed, mutated(mutate_key, now, start))

        def ask(key: Key[Array, ""], now: State) -> tuple[Arch, State]:
            start_key, child_key = jax.random.split(key)
            drawing = now.queries < n
            return jnp.where(drawing, space.sample(start_key), child(child_key, now)), now

        def selected(now: State) -> State:
            rank = ranks(now.points)
            crowd = crowding(now.points, rank)
            kept = jnp.lexsort((-crowd, rank))[:n]
            archs, points = now.archs[kept], now.points[kept]
            return now._replace(
                archs=now.archs.at[:n].set(archs),
                points=now.points.at[:n].set(points).at[n:].set(jnp.inf),
                rank=rank[kept],
                crowd=crowd[kept],
            )

        def tell(now: State, arch: Arch, result: QueryResult) -> State:
            place = jnp.where(now.queries < n, now.queries, n + now.queries % n)
            now = now._replace(
                archs=now.archs.at[place].set(arch),
                points=now.points.at[place].set(objectives_of(result)),
                queries=now.queries + 1,
                asked=asked.note(space, now.asked, arch),
            )
            return jax.lax.cond(now.queries % n == 0, selected, lambda now: now, now)

        return Agent(init, ask, tell)
