"""Searching with the policy of `rlnas.agents.incontext`: ask/tell."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Key

from rlnas.agents import beliefs
from rlnas.agents.beliefs import Seen
from rlnas.agents.protocol import Agent
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.coded import Coded
from rlnas.bench.memory import Memory
from rlnas.bench.search_mdp import SearchState, view


class State(NamedTuple):
    """asked: the latest queries. seen: those with a value, as the processes know them."""

    asked: Memory
    seen: Seen


def search(
    learner: Any,
    space: SearchSpace,
    params: Any,
    *,
    budget: int,
    points: int = 160,
    latest: int = 512,
) -> Agent:
    """Greedy by the policy's scores; params: None for what it starts from, expected improvement.
    budget: queries that it plans for. points: answers that the processes have room for. latest:
    queries remembered, so that none is asked again."""
    coded = Coded.of(space)

    def init(key: Key[Array, ""]) -> State:
        return State(memory.empty(space, latest), beliefs.nothing(coded, points))

    def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
        asked, seen = state
        archs, allowed = view(
            key, space, asked, learner.parents, learner.near, learner.fresh, learner.current
        )
        shown = SearchState(archs, allowed, asked, jnp.float32(0), asked.queries)
        tokens = learner.tokens(coded, seen, shown, budget)
        scores, _ = learner.logits(params, tokens)
        arch = archs[tokens.places[jnp.argmax(jnp.round(scores, 3))]]
        return jnp.where(allowed.any(), arch, archs[0]), state

    def tell(state: State, arch: Arch, result: QueryResult) -> State:
        seen = beliefs.with_answer(coded, state.seen, arch, result.val, result.valid)
        return State(memory.remember(state.asked, arch, result), seen)

    return Agent(init, ask, tell)
