"""What every registered agent promises; a new one is tested by being registered. And that the
contract finds what is broken, with one line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import agents
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.testing import AgentContract, fingerprint, fingerprints_elsewhere
from rlnas.bench.testing import run_checks
from surrogates import invented_benchmark
from tables import small_benchmark


@pytest.mark.parametrize("agent", agents.names())
class TestRegistered(AgentContract):
    benchmarks = AgentContract.benchmarks | {
        "cells": partial(small_benchmark, max_vertices=4, noise="sample"),
        "cell pairs": invented_benchmark,
    }
    test_process = None  # below, one other process for all

    @pytest.fixture(autouse=True)
    def named(self, agent: str) -> None:
        self.agent = agent


def test_the_same_bytes_in_another_process() -> None:
    assert fingerprints_elsewhere(agents.names()) == {n: fingerprint(n) for n in agents.names()}


# Agents with one fault each. Those that keep the contract otherwise draw at random.


@dataclass(frozen=True)
class FirstRow:
    """Ask one row for ever."""

    row: int = 0
    """Which."""

    def build(self, space: Any) -> Agent:
        return Agent(
            lambda key: (), lambda key, state: (jnp.int32(self.row), state), lambda s, a, r: s
        )


@dataclass(frozen=True)
class Undocumented(RandomSearch):
    """Random search."""

    size: int = 1


@dataclass
class Thawed:
    """Random search."""

    def build(self, space: Any) -> Agent:
        return RandomSearch().build(space)


@dataclass(frozen=True)
class Peeking:
    """A step from the best by test accuracy."""

    def build(self, space: Any) -> Agent:
        def init(key: Any) -> Any:
            return space.sample(key), jnp.float32(-1)

        def ask(key: Any, state: Any) -> Any:
            return jnp.where(jax.random.bernoulli(key), space.sample(key), state[0]), state

        def tell(state: Any, arch: Any, result: Any) -> Any:
            better = result.test > state[1]
            return jnp.where(better, arch, state[0]), jnp.where(better, result.test, state[1])

        return Agent(init, ask, tell)


@dataclass(frozen=True)
class Outside(RandomSearch):
    """A row that is one too far."""

    def build(self, space: Any) -> Agent:
        ask = RandomSearch().build(space).ask
        return Agent(lambda key: (), lambda key, state: (ask(key, state)[0] - 1, state), tell)


def tell(state: Any, arch: Any, result: Any) -> Any:
    return state


CALLS = iter(range(10**6))


@dataclass(frozen=True)
class Impure:
    """Another salt whenever it is traced."""

    def build(self, space: Any) -> Agent:
        salt = next(CALLS)
        return Agent(
            lambda key: (),
            lambda key, state: (space.sample(jax.random.fold_in(key, salt)), state),
            tell,
        )


@dataclass(frozen=True)
class Poisoned:
    """Its best is NaN after the first answer without a value, and then it stands still."""

    def build(self, space: Any) -> Agent:
        def ask(key: Any, state: Any) -> Any:
            return jnp.where(
                jnp.isnan(state), jnp.zeros_like(space.sample(key)), space.sample(key)
            ), state

        return Agent(lambda key: jnp.float32(0), ask, lambda s, arch, result: s + result.val)


FAULTS = {
    "FirstRow": {
        "New keys": "other keys gave the same search",
        "Searches with": "6 keys gave 1 different searches",
        "It never": "",
    },
    "Undocumented": {"Its settings": "no docstring below the field size", "A batch": ""},
    "Thawed": {"Its settings": "Thawed is not frozen; expected @dataclass(frozen=True)"},
    "Peeking": {"It never": "architectures under other test values: ", "A search is": ""},
    "Outside": {"It makes": "rows: ", "Its settings": ""},
    "Impure": {"A batch": "arch: ", "A search is": "another process gave another search"},
    "Poisoned": {"Answers": " new architectures in the last 20 queries", "Searches with": ""},
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_contract_finds(name: str) -> None:
    contract = AgentContract()
    contract.agent = f"{__name__}:{name}"
    found = dict(run_checks(contract))
    assert len(found) == 9
    for said, reason in FAULTS[name].items():
        (why,) = [why for what, why in found.items() if what.startswith(said)]
        assert (reason in why) if reason else why == "", (said, why)
        assert "\n" not in why


def test_a_search_of_the_contract_is_one_of_the_runner() -> None:
    assert fingerprint("random_search") != fingerprint("random_walk")
    assert np.asarray(AgentContract.benchmarks["vectors"]().space.size) == 81
