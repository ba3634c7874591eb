"""Any agent as a searcher for several objectives: one weighting after the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, Key

from rlnas.agents.pareto import objectives_of
from rlnas.agents.protocol import Agent, Outside, Parametrised, Pretrained
from rlnas.agents.spec import parse
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.objectives import MOST_OBJECTIVES

STEPS = 5
"""Weights that an even sweep goes through, of the first two objectives."""


class State(NamedTuple):
    """queries: so far. low, high: of each objective, in all answers so far. start, width: `low` and
    `high - low` when the phase began; within it values stay comparable. weights: of the phase.
    inner: the agent's state."""

    queries: Int32[Array, ""]
    low: Float[Array, " K"]
    high: Float[Array, " K"]
    start: Float[Array, " K"]
    width: Float[Array, " K"]
    weights: Float[Array, " K"]
    inner: Any


@dataclass(frozen=True)
class Weighted:
    """An agent that searches for a weighted sum of the objectives, begun anew every so many queries
    with other weights; the oldest way to a front, and here the way of every agent with one reward.

    Objectives count from 0, the largest seen before the phase, to 1, the smallest; the agent gets
    the sum by weights in place of the accuracy, and is otherwise unchanged. `draw=random` draws
    weights, all sums of 1 alike likely (Dirichlet); `even` goes from .9 to .1 of accuracy in five
    phases, and around again: a swept reward. First `initial` uniform draws show the ranges. The
    budget is split: one phase is one short search. On a benchmark asked for accuracy alone the
    weights are of that, and only the restarts are left. Ours: scale, ranges, draws.
    """

    agent: str = "local_search"
    """Who searches in a phase: an agent's word without commas, such as reinforce:lr=0.5."""

    every: int = 30
    """Queries of a phase."""

    draw: Literal["random", "even"] = "random"
    """Where a phase has its weights from."""

    initial: int = 10
    """Uniform draws before the first phase."""

    def __post_init__(self) -> None:
        for name in ("every", "initial"):
            if getattr(self, name) < 1:
                raise UserError(f"weighted has {name}={getattr(self, name)}; expected at least 1")
        if isinstance(self.config, Outside | Weighted):
            raise UserError(
                f"weighted has agent={self.agent}; expected one that searches inside JAX, by itself"
            )

    @property
    def config(self) -> Any:
        """The settings of the agent."""
        return parse(self.agent)[1]

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """Of the agent."""
        config = self.config
        return config.pretraining if isinstance(config, Pretrained) else None

    def unseen(self, benchmark: Any, archs: np.ndarray) -> np.ndarray | None:
        """By the agent."""
        config = self.config
        return config.unseen(benchmark, archs) if isinstance(config, Pretrained) else None

    def identity(self) -> dict[str, Any]:
        """The options, and what decides the agent's searches."""
        config = self.config
        inner = config.identity() if isinstance(config, Parametrised) else asdict(config)
        return asdict(self) | {"agent": self.agent.partition(":")[0], "settings": inner}

    def parts(self) -> tuple[Any, Any]:
        """As of the agent."""
        config = self.config
        if not isinstance(config, Parametrised):
            return Program(self, config), None
        program, params = config.parts()
        return Program(self, program), params

    def build(self, space: SearchSpace) -> Agent:
        program, params = self.parts()
        return program.build(space, params)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Program:
    """What is compiled: the options, and the agent's own program."""

    how: Weighted
    inner: Any

    def build(self, space: SearchSpace, params: Any = None) -> Agent:
        inner = self.inner.build(space) if params is None else self.inner.build(space, params)
        return restarted(inner, space, self.how)


def restarted(inner: Agent, space: SearchSpace, how: Weighted) -> Agent:
    """The agent that lets `inner` search."""
    nothing = jnp.full(MOST_OBJECTIVES, jnp.inf, jnp.float32)

    def init(key: Key[Array, ""]) -> State:
        zeros = jnp.zeros(MOST_OBJECTIVES, jnp.float32)
        return State(jnp.int32(0), nothing, -nothing, zeros, zeros, zeros, inner.init(key))

    def weights(key: Key[Array, ""], now: State) -> Float[Array, " K"]:
        """Of the objectives that are there: those whose range is not a point."""
        there = now.high > now.low
        shares = jax.random.exponential(key, (MOST_OBJECTIVES,), jnp.float32)
        if how.draw == "even":
            phase = (now.queries - how.initial) // how.every % STEPS
            accuracy = 0.9 - 0.8 * phase.astype(jnp.float32) / (STEPS - 1)
            others = jnp.maximum(there[1:].sum(), 1).astype(jnp.float32)
            rest = jnp.full(MOST_OBJECTIVES - 1, 1, jnp.float32) * (1 - accuracy) / others
            shares = jnp.concatenate([accuracy[None], rest])
        shares = jnp.where(there, shares, 0.0)
        return shares / jnp.maximum(shares.sum(), 1e-9)

    def begun(key: Key[Array, ""], now: State) -> State:
        weight_key, init_key = jax.random.split(key)
        known = now.high > now.low
        return now._replace(
            start=jnp.where(known, now.low, 0.0),
            width=jnp.where(known, now.high - now.low, 1.0),
            weights=weights(weight_key, now),
            inner=inner.init(init_key),
        )

    def ask(key: Key[Array, ""], now: State) -> tuple[Arch, State]:
        draw_key, begin_key, ask_key = jax.random.split(key, 3)
        drawing = now.queries < how.initial
        # All runs begin a phase at the same query, so nothing is computed in vain.
        begins = ~drawing & ((now.queries - how.initial) % how.every == 0)
        now = jax.lax.cond(begins, begun, lambda _, now: now, begin_key, now)
        arch, state = inner.ask(ask_key, now.inner)
        asked = now._replace(inner=state)
        chosen = jax.tree.map(lambda a, b: jnp.where(drawing, a, b), now, asked)
        return jnp.where(drawing, space.sample(draw_key), arch), chosen

    def tell(now: State, arch: Arch, result: QueryResult) -> State:
        found = objectives_of(result)
        seen = jnp.isfinite(found)
        value = (now.weights * (1 - (jnp.where(seen, found, 0) - now.start) / now.width)).sum()
        answer = result._replace(
            val=jnp.where(result.valid, value, jnp.nan).astype(jnp.float32),
            objectives=result.objectives,
        )
        told = inner.tell(now.inner, arch, answer)
        drawing = now.queries < how.initial
        state = jax.tree.map(lambda a, b: jnp.where(drawing, a, b), now.inner, told)
        return now._replace(
            queries=now.queries + 1,
            low=jnp.where(seen, jnp.minimum(now.low, found), now.low),
            high=jnp.where(seen, jnp.maximum(now.high, found), now.high),
            inner=state,
        )

    return Agent(init, ask, tell)
