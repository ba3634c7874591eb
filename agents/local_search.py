"""Local search: climb from neighbour to better neighbour, start afresh at every local optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, Key

from rlnas.agents import asked
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.draw import below, one_of
from rlnas.bench.errors import UserError

Variant = Literal["first", "full"]


class State(NamedTuple):
    """A round: the neighbours of a centre, or uniform draws where the next climb starts.

    drawn: uniform draws of this start so far; the climb is under way when there were `initial`.
    centre, centre_val: the architecture to improve on; while drawing no architecture of the climb,
    and -inf, so that any value does. left: its neighbours still to ask, by number.
    best, best_val: the best answer of the round, the centre before one improves.
    asked: what the search has asked.
    """

    drawn: Int32[Array, ""]
    centre: Arch
    centre_val: Float[Array, ""]
    left: Bool[Array, " max_degree"]
    best: Arch
    best_val: Float[Array, ""]
    asked: Any


@dataclass(frozen=True)
class LocalSearch:
    """Local search as in White et al. 2020 (arXiv 2005.02960), restarted as in their code
    (naszilla).

    A climb starts at the best of `initial` uniform draws, then asks the neighbours of where it
    stands, and moves on. Where no neighbour improves, all begins again with new uniform draws. A
    neighbour asked before the climb came there costs no second query: it is passed over (also
    theirs). Ours: the random order of neighbours; start draws may repeat; what has no numbers is
    remembered in bounded number, so that all shapes are fixed. An answer without a value never
    improves on anything.
    """

    variant: Variant = "first"
    """`first` moves at the first neighbour that improves, `full` to the best after asking all of
    them."""

    initial: int = 10
    """Uniform draws before each climb; the best of them is where it starts."""

    memory: int = 512
    """Latest queries remembered, so that no neighbour among them is asked again; 0: none. Where
    architectures are numbered (up to 2^20 of them), all queries are."""

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise UserError(f"local_search has variant={self.variant!r}; expected first or full")
        if self.initial < 1:
            raise UserError(f"local_search has initial={self.initial}; expected at least 1")
        if self.memory < 0:
            raise UserError(f"local_search has memory={self.memory}; expected 0 or more")

    def build(self, space: SearchSpace) -> Agent:
        lowest = jnp.float32(-jnp.inf)
        numbers: Any = space if asked.numbered(space) else None

        def init(key: Key[Array, ""]) -> State:
            somewhere = space.sample(key)  # never asked: only its shape counts
            none = jnp.zeros(space.max_degree, bool)
            memory = asked.nothing(space, self.memory)
            return State(jnp.int32(0), somewhere, lowest, none, somewhere, lowest, memory)

        def ask(key: Key[Array, ""], now: State) -> tuple[Arch, State]:
            improved = now.best_val > now.centre_val
            done = ~now.left.any() | (improved & (self.variant == "first"))
            over = (now.drawn == self.initial) & done
            # On to the best, unless it is the centre or has no neighbour to ask: then afresh.
            beyond = asked.unasked(space, now.asked, now.best, over & improved)
            onward = over & improved & beyond.any()
            afresh = over & ~onward
            now = now._replace(
                drawn=jnp.where(afresh, 0, now.drawn),
                centre=jnp.where(onward, now.best, now.centre),
                centre_val=jnp.where(
                    onward, now.best_val, jnp.where(afresh, lowest, now.centre_val)
                ),
                left=jnp.where(over, onward & beyond, now.left),
                best_val=jnp.where(afresh, lowest, now.best_val),
            )
            # Only one of the two is used, so both may come of the same random bits.
            drawing = now.drawn < self.initial
            word = jax.random.bits(key, (), jnp.uint32)
            start = space.sample(key) if numbers is None else numbers.at(below(word, space.size))
            number = one_of(word, now.left)
            arch = jnp.where(drawing, start, space.neighbour(now.centre, number))
            left = now.left & (jnp.arange(space.max_degree) != number)
            return arch, now._replace(drawn=now.drawn + drawing, left=left)

        def tell(now: State, arch: Arch, result: QueryResult) -> State:
            better = result.valid & (result.val > now.best_val)
            return now._replace(
                best=jnp.where(better, arch, now.best),
                best_val=jnp.where(better, result.val, now.best_val),
                asked=asked.note(space, now.asked, arch),
            )

        return Agent(init, ask, tell)
