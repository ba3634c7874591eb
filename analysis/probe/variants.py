"""What is run of an agent to see whether it reads its answers: itself, misled, untrained, freed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from rlnas import bench
from rlnas.agents.protocol import Agent, AgentConfig, Outside, Parametrised
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.spec import members, parse
from rlnas.agents.told import ANSWERS, Answers, told
from rlnas.agents.trained import Trained
from rlnas.analysis import store
from rlnas.analysis.comparison.sweep import identity_of
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted

AS_IT_IS, PERMUTED, INVERTED = "as it is", "permuted answers", "inverted answers"
TWIN, FREED, CHANCE = "untrained twin", "revisits allowed", "random search"
DECIDES = tuple(f"rlnas.analysis.probe.{name}" for name in ("variants", "controls", "measures"))
"""Modules, besides what an agent and a benchmark are of."""


def probed(word: str) -> tuple[str, AgentConfig]:
    """(label, settings) of an agent's word; `UserError` where it is several, or searches outside
    JAX."""
    found = members(word)
    if len(found) > 1:
        raise UserError(
            f"{word!r} is {len(found)} agents; expected one, e.g. rlnas probe {quoted(found[0])}"
        )
    label, config = parse(found[0])
    if isinstance(config, Outside):
        raise UserError(
            f"agent {label!r} searches outside JAX, so its answers cannot be changed here; "
            "expected one of those that `rlnas agents` lists, bridge aside"
        )
    return label, config


def identity(label: str, config: AgentConfig, benchmark: Any, source: Any) -> dict[str, Any]:
    """What of these decides a probe, JSON-ready; `source` may be None."""
    return {
        "agent": label,
        "config": identity_of(config),
        "benchmark": benchmark.describe(),
        "source": source and source.describe(),
        **store.decided_by(config, benchmark, *([source] if source else []), told, *DECIDES),
    }


def variants(config: AgentConfig, benchmark: Any) -> dict[str, Any]:
    """name -> settings, in the order of the table."""
    answers: dict[str, Answers] = {AS_IT_IS: "true", PERMUTED: "permuted", INVERTED: "inverted"}
    found: dict[str, Any] = {
        name: Misled(config, benchmark, heard) for name, heard in answers.items()
    }
    if isinstance(config, Trained) and config.checkpoint:
        # What a learner of its own tables is trained on; others begin on any benchmark.
        own = getattr(config.learner, "usual", {}).get("benchmark")
        found[TWIN] = Untrained(config, bench.load(own) if own else benchmark)
    if getattr(config, "revisit", None) is False:
        # Settings of an agent are a dataclass.
        freed: Any = dataclasses.replace(config, revisit=True)  # type: ignore[type-var]
        found[FREED] = Misled(freed, benchmark, "true")
    return found | {CHANCE: RandomSearch()}


@dataclass(frozen=True)
class Misled:
    """An agent that is told `answers` of `benchmark`. What it hears is traced: itself, permuted and
    inverted are one program."""

    config: AgentConfig
    benchmark: Any
    answers: Answers

    def identity(self) -> dict[str, Any]:
        return {"of": identity_of(self.config), "answers": self.answers}

    def parts(self) -> tuple[Any, Any]:
        own = self.config.parts() if isinstance(self.config, Parametrised) else (self.config, None)
        answers = jnp.int32(ANSWERS.index(self.answers))
        return MisledProgram(own[0]), (own[1], self.benchmark, answers)

    def build(self, space: SearchSpace) -> Agent:
        program, params = self.parts()
        agent: Agent = program.build(space, params)
        return agent


@dataclass(frozen=True)
class MisledProgram:
    """What is compiled of it."""

    program: Any

    def build(self, space: SearchSpace, params: Any) -> Agent:
        own, benchmark, answers = params
        agent = self.program.build(space) if own is None else self.program.build(space, own)
        return told(agent, benchmark, answers)


@dataclass(frozen=True)
class Untrained:
    """A trained agent with the parameters that a training begins with, fresh ones for each run."""

    config: Trained
    benchmark: Any

    def identity(self) -> dict[str, Any]:
        return {"untrained": self.config.identity()}

    def parts(self) -> tuple[Any, Any]:
        program, _ = self.config.parts()
        return UntrainedProgram(program, self.config.saved().settings), self.benchmark

    def build(self, space: SearchSpace) -> Agent:
        program, params = self.parts()
        agent: Agent = program.build(space, params)
        return agent


@dataclass(frozen=True)
class UntrainedProgram:
    """What is compiled of it. program: builds the agent with parameters; learner: its settings."""

    program: Any
    learner: Any

    def build(self, space: SearchSpace, benchmark: Any) -> Agent:
        def agent(params: Any) -> Agent:
            found: Agent = self.program.build(space, params)
            return found

        def init(key: Key[Array, ""]) -> Any:
            fresh_key, key = jax.random.split(key)
            begun = self.learner.init(self.learner.mdp(benchmark), fresh_key)
            params = begun.learner.params
            return params, agent(params).init(key)

        def ask(key: Key[Array, ""], state: Any) -> tuple[Arch, Any]:
            params, own = state
            arch, own = agent(params).ask(key, own)
            return arch, (params, own)

        def tell(state: Any, arch: Arch, result: QueryResult) -> Any:
            params, own = state
            return params, agent(params).tell(own, arch, result)

        return Agent(init, ask, tell)
