"""MetaQNN: tabular Q-learning builds architectures choice by choice, with less and less chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Key

from rlnas.agents import tabular
from rlnas.agents.protocol import Agent
from rlnas.agents.tabular import Log, Sample
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.decisions import decisions_of
from rlnas.bench.errors import UserError

LENGTHS = (1500, 100, 100, 100, 150, 150, 150, 150, 150, 150)
"""New models at epsilon 1.0, .9, ... .1: 2,700."""


class State(NamedTuple):
    """q: values [states, choices]. log: what was sampled. asked: what is being looked up. queries:
    how many were answered."""

    q: Float32[Array, "S K"]
    log: Log
    asked: Sample
    queries: Int32[Array, ""]


class Round(NamedTuple):
    """Of one query. q: as in `State`. sample: the latest. repeats: those before it. again: whether
    it is one of them."""

    key: Key[Array, ""]
    q: Float32[Array, "S K"]
    sample: Sample
    repeats: Log
    again: Bool[Array, ""]


@dataclass(frozen=True)
class MetaQNN:
    """MetaQNN (Baker et al. 2017, arXiv 1611.02167; constants of its code).

    From the code: epsilon-greedy choices, ties at random, epsilon from 1 to .1 by the number of new
    models; the accuracy as the only reward, at the end; after each sampled model `replay` samples
    drawn uniformly with replacement, each swept backwards. A model that was sampled before is
    answered from its own memory: no query, but a sample of the log like any other, followed by
    replays. (The paper as first submitted replays 100 and starts at 0.)

    Ours: states and choices are the space's (`SearchSpace.decisions`), after the original's Markov
    states: the step and what was chosen near it. The schedule is stretched to `schedule` queries,
    by default for budgets of about 150; the original's is `schedule=2700`. A model is told by its
    architecture, however it was chosen. After `tries` repeats in a row a query is made all the
    same. The log is bounded. An answer without a value teaches nothing.
    """

    schedule: int = 150
    """Queries that the epsilon schedule is stretched to; epsilon stays .1 behind it."""

    alpha: float = 0.01
    """Learning rate, above 0 and at most 1."""

    initial: float = 0.5
    """Every value at the start."""

    replay: int = 128
    """Samples replayed after each sampled model."""

    tries: int = 32
    """Repeats in a row before one is asked again."""

    memory: int = 1024
    """Samples kept, the latest; more than a run takes is the original."""

    def __post_init__(self) -> None:
        for name in ("schedule", "replay", "tries"):
            if (value := getattr(self, name)) < 1:
                raise UserError(f"metaqnn has {name}={value}; expected at least 1")
        if not 0 < self.alpha <= 1:
            raise UserError(f"metaqnn has alpha={self.alpha}; expected above 0 and at most 1")
        if self.memory < self.tries:
            raise UserError(f"metaqnn has memory={self.memory}; expected at least {self.tries}")

    def build(self, space: SearchSpace) -> Agent:
        decisions = decisions_of(space, "metaqnn")
        nothing = jax.tree.map(lambda x: x[0], tabular.blank(space, decisions, 1))

        def init(key: Key[Array, ""]) -> State:
            log = tabular.empty(space, decisions, self.memory)
            return State(tabular.values(decisions, self.initial), log, nothing, jnp.int32(0))

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            epsilon = tabular.epsilon(LENGTHS, self.schedule, state.queries)

            def another(now: Round) -> Round:
                """Replays for the model before, then the next one."""
                key, replay_key, sample_key = jax.random.split(now.key, 3)
                replayed = tabular.replays(replay_key, state.log, now.repeats, self.replay)
                q = tabular.sweep(now.q, replayed, self.alpha)
                sample = tabular.sample(decisions, q, epsilon, sample_key)
                known, val = tabular.recall(space, state.log, sample.arch)
                again = known & (now.repeats.total < self.tries)
                repeats = tabular.append(now.repeats, sample._replace(val=val), again)
                return Round(key, q, sample, repeats, again)

            start = Round(
                key,
                state.q,
                nothing,
                tabular.empty(space, decisions, self.tries),
                jnp.array(True),
            )
            now = jax.lax.while_loop(lambda now: now.again, another, start)
            log = tabular.extend(state.log, now.repeats)
            return now.sample.arch, State(now.q, log, now.sample, state.queries)

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            val = jnp.where(result.valid, result.val, jnp.nan).astype(jnp.float32)
            log = tabular.append(state.log, state.asked._replace(arch=arch, val=val))
            return state._replace(log=log, queries=state.queries + 1)

        return Agent(init, ask, tell)
