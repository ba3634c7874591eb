"""Searching with the policy of `rlnas.agents.incontext`: ask/tell."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Key

from rlnas.agents import beliefs
from rlnas.agents.beliefs import Seen
from rlnas.agents.gp import GP
from rlnas.agents.prior import Known
from rlnas.agents.protocol import Agent
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.coded import Coded
from rlnas.bench.memory import Memory
from rlnas.bench.search_mdp import SearchState, view


class State(NamedTuple):
    """asked: the latest queries. seen: those with a value, as the processes know them. informed:
    what the `gp` agent knows that begins with a prior; () without."""

    asked: Memory
    seen: Seen
    informed: Any = ()


def search(
    learner: Any,
    space: SearchSpace,
    params: Any,
    *,
    budget: int,
    points: int = 160,
    latest: int = 512,
    known: Known | None = None,
) -> Agent:
    """Greedy by the policy's scores. budget: queries that it plans for. points: answers that the
    processes have room for. latest: queries remembered, so that none is asked again. known: of
    other tables; scores then start from the expected improvement of a `gp` with that prior."""
    coded = Coded.of(space)
    knowing = None if known is None else GP(points=points, memory=latest).model(space, known)

    def init(key: Key[Array, ""]) -> State:
        return State(
            memory.empty(space, latest),
            beliefs.nothing(coded, points),
            knowing.init(key) if knowing else (),
        )

    def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
        asked, seen, informed = state
        archs, allowed = view(
            key, space, asked, learner.parents, learner.near, learner.fresh, learner.current
        )
        gain = None
        if knowing:
            archs, allowed, gain, informed = knowing.gains(informed, archs, allowed)
        shown = SearchState(archs, allowed, asked, jnp.float32(0), asked.queries)
        tokens = learner.tokens(coded, seen, shown, budget, gain)
        scores, _ = learner.logits(params, tokens)
        # Equal ones are equal up to rounding: the first of them, in any batch.
        best = jnp.argmax(jnp.round(scores / learner.sharpness, 2))
        arch = archs[tokens.places[best]]
        return jnp.where(allowed.any(), arch, archs[0]), State(asked, seen, informed)

    def tell(state: State, arch: Arch, result: QueryResult) -> State:
        seen = beliefs.with_answer(coded, state.seen, arch, result.val, result.valid)
        informed = knowing.tell(state.informed, arch, result) if knowing else ()
        return State(memory.remember(state.asked, arch, result), seen, informed)

    return Agent(init, ask, tell)
