"""Agents that name a fidelity with the architecture they ask, and how every other agent takes part
beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from rlnas.agents.protocol import Agent, AgentConfig, Outside, Parametrised, State
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError

FULL = Budgets((1,))
"""Of a benchmark with one training budget, whatever it is."""


class Choice(NamedTuple):
    """What is asked. fidelity: a place in `Budgets.epochs`, int32."""

    arch: Arch
    fidelity: Int[Array, ""]


class FidelityAgent(NamedTuple):
    """As `rlnas.agents.Agent`, but it asks a `Choice`."""

    init: Callable[[Key[Array, ""]], State]
    """key -> state"""
    ask: Callable[[Key[Array, ""], State], tuple[Choice, State]]
    """key, state -> (what to look up, state)"""
    tell: Callable[[State, Choice, QueryResult], State]
    """state, choice, result -> state. `result.sim_seconds` is what the look-up cost the run."""


@runtime_checkable
class AsksFidelity(Protocol):
    """Settings of an agent that names fidelities. Its `build(space)` does what `at_full` of
    `build_for` does with the one budget there is then."""

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        """The agent on `space` with these fidelities. `UserError` where they are not enough."""


def at_full(agent: FidelityAgent) -> Agent:
    """An agent of one fidelity as one that names none."""

    def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
        choice, state = agent.ask(key, state)
        return choice.arch, state

    def tell(state: State, arch: Arch, result: QueryResult) -> State:
        return agent.tell(state, Choice(arch, jnp.int32(0)), result)

    return Agent(agent.init, ask, tell)


def asking_full(agent: Agent, budgets: Budgets) -> FidelityAgent:
    """An agent that names no fidelity: it asks whole trainings."""
    top = jnp.int32(budgets.top)

    def ask(key: Key[Array, ""], state: State) -> tuple[Choice, State]:
        arch, state = agent.ask(key, state)
        return Choice(arch, top), state

    return FidelityAgent(agent.init, ask, lambda state, choice, result: agent.tell(
        state, choice.arch, result
    ))  # fmt: skip


def parts(config: AgentConfig) -> tuple[Any, Any]:
    """(what is compiled, its parameters or None) of any agent; `UserError` for one that searches
    outside JAX."""
    if isinstance(config, Outside):
        raise UserError(
            f"{type(config).__name__} searches outside JAX; `run_timed_outside` lets it"
        )
    return config.parts() if isinstance(config, Parametrised) else (config, None)


def build(program: Any, params: Any, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
    """The agent of `parts`."""
    if isinstance(program, AsksFidelity):
        return program.build_for(space, budgets)
    plain = program.build(space) if params is None else program.build(space, params)
    return asking_full(plain, budgets)
