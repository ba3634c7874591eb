"""Local search: climb from neighbour to better neighbour, start afresh at every local optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from rlnas.agents import memory
from rlnas.agents.memory import Memory
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError

Variant = Literal["first", "full"]


class Round(NamedTuple):
    """One round of a climb: candidates are asked one after the other, then the climb moves on or
    starts afresh.

    The candidates are the centre's neighbours in random order, or, when `starting`, uniform draws.

    starting: the candidates are uniform draws. centre, centre_val: the architecture to improve on;
    -inf when starting, so that any value does. best, best_val: the best candidate so far, `centre`
    before one improves.
    place: candidates dealt with. order: a random order of the centre's neighbours (unused when
    starting).
    """

    starting: Bool[Array, ""]
    centre: Arch
    centre_val: Float[Array, ""]
    best: Arch
    best_val: Float[Array, ""]
    place: Int[Array, ""]
    order: Int[Array, " max_degree"]


class State(NamedTuple):
    """round: the round under way. asked: the latest queries."""

    round: Round
    asked: Memory


@dataclass(frozen=True)
class LocalSearch:
    """Local search as in White et al. 2020 (arXiv 2005.02960), restarted as in their code
    (naszilla).

    A climb starts at the best of `initial` uniform draws, then asks the neighbours of where it
    stands, and moves on. Where no neighbour improves, all begins again with new uniform draws. A
    neighbour asked before in the run costs no second query: it is passed over (also theirs).
    Ours: the random order of neighbours; remembering a bounded number of queries, so that all
    shapes are fixed; start draws may repeat. An answer without a value never improves on anything.
    """

    variant: Variant = "first"
    """`first` moves at the first neighbour that improves, `full` to the best after asking all of
    them."""

    initial: int = 10
    """Uniform draws before each climb; the best of them is where it starts."""

    memory: int = 512
    """Latest queries remembered, so that none of them is asked again; exact for budgets up to
    this."""

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise UserError(f"local_search has variant={self.variant!r}; expected first or full")
        if self.initial < 1:
            raise UserError(f"local_search has initial={self.initial}; expected at least 1")
        if self.memory < 0:
            raise UserError(f"local_search has memory={self.memory}; expected 0 or more")

    def build(self, space: SearchSpace) -> Agent:
        def init(key: Key[Array, ""]) -> State:
            somewhere = space.sample(key)  # never asked: only its shape counts
            start = fresh_start(somewhere, jnp.arange(space.max_degree))
            return State(start, memory.empty(space, self.memory))

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            start_key, order_key = jax.random.split(key)
            start = space.sample(start_key)
            # Nothing is told while we look for a candidate, so there is one place to go on to, and
            # one order there.
            best, best_val = state.round.best, state.round.best_val
            order, _ = draw(order_key, space.degree(best), space.max_degree)
            onward = Round(jnp.array(False), best, best_val, best, best_val, jnp.int32(0), order)

            def candidate(now: Round) -> Arch:
                return jnp.where(
                    now.starting, start, space.neighbour(now.centre, now.order[now.place])
                )

            def over(now: Round) -> Bool[Array, ""]:
                candidates = jnp.where(now.starting, self.initial, space.degree(now.centre))
                found = ~now.starting & (now.best_val > now.centre_val) & (self.variant == "first")
                return found | (now.place >= candidates)

            def nothing_to_ask(now: Round) -> Bool[Array, ""]:
                return over(now) | (memory.knows(state.asked, candidate(now)) & ~now.starting)

            def advance(now: Round) -> Round:
                """Go on to the best, start afresh, or pass over a known neighbour; a fresh start
                ends the loop."""
                after = choose(
                    now.best_val > now.centre_val, onward, fresh_start(now.centre, now.order)
                )
                return choose(over(now), after, now._replace(place=now.place + 1))

            now = jax.lax.while_loop(nothing_to_ask, advance, state.round)
            return candidate(now), state._replace(round=now)

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            now = state.round
            better = result.valid & (result.val > now.best_val)
            now = now._replace(
                best=jnp.where(better, arch, now.best),
                best_val=jnp.where(better, result.val, now.best_val),
                place=now.place + 1,
            )
            return State(now, memory.remember(state.asked, arch, result))

        return Agent(init, ask, tell)


def fresh_start(somewhere: Arch, order: Int[Array, " max_degree"]) -> Round:
    """A round of uniform draws; any value improves on its centre, which is no architecture of the
    climb."""
    nothing = jnp.float32(-jnp.inf)
    return Round(jnp.array(True), somewhere, nothing, somewhere, nothing, jnp.int32(0), order)


def choose(condition: Bool[Array, ""], if_true: Round, if_false: Round) -> Round:
    """`if_true` or `if_false`, field by field."""
    return Round(*(jnp.where(condition, a, b) for a, b in zip(if_true, if_false, strict=True)))
