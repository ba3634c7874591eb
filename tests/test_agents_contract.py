"""What every registered agent promises; a new one is tested by being registered. And that the
contract finds what is broken, with one line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar

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

WORDS = {
    "bananas": "bananas:steps=10,ensemble=2,width=8",
    "bridge": "bridge:outside_searchers:Draws:workers=0",
    "dqn": "dqn:neighbours=4,updates=1",
    "enas_controller": "enas_controller:units=8",
    "gp": "gp:points=48,fresh=32",
    "incontext": "incontext:points=48,memory=64,fresh=32",
    "ppo": "ppo:units=8,embedding=4,epochs=2",
}
"""Settings that take less of a test's time; the bridge is nobody by itself."""
REGISTERED = {name: WORDS.get(name, name) for name in agents.names()}


@pytest.mark.parametrize("name", REGISTERED)
class TestRegistered(AgentContract):
    benchmarks = AgentContract.benchmarks | {"vectors": invented_benchmark}  # pairs of cells
    new_on_islands = 0.6
    test_process = None  # below, one other process for all

    @pytest.fixture(autouse=True)
    def named(self, name: str) -> None:
        self.agent = REGISTERED[name]


@pytest.mark.long
def test_the_same_bytes_in_another_process() -> None:
    here = {agent: fingerprint(agent) for agent in REGISTERED.values()}
    assert fingerprints_elsewhere(here) == here


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
    """Another salt whenever it is built, and in every process."""

    def build(self, space: Any) -> Agent:
        salt = next(CALLS) + os.getpid()
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
        "trace": "other keys gave the same search",
        "seeds": "6 keys gave 1 different searches",
        "blind": "",
    },
    "Undocumented": {"settings": "no docstring below the field size"},
    "Thawed": {"settings": "Thawed is not frozen; expected @dataclass(frozen=True)"},
    "Peeking": {"blind": "architectures under other test values: ", "seeds": ""},
    "Outside": {"history": "rows: ", "settings": ""},
    "Impure": {"loop": "arch: ", "process": "another process gave another search"},
    "Poisoned": {"missing": " new architectures in the last 20 queries", "seeds": ""},
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_contract_finds(name: str) -> None:
    contract = Some()
    contract.agent = f"{__name__}:{name}"
    contract.names = [f"test_{test}" for test in FAULTS[name]]
    found = [why for _, why in run_checks(contract)]
    assert len(found) == len(FAULTS[name])
    for (test, reason), why in zip(sorted(FAULTS[name].items()), found, strict=True):
        assert (reason in why) if reason else why == "", (test, why)
        assert "\n" not in why


class Some(AgentContract):
    """Some of the tests: all of seven agents would take a minute."""

    names: ClassVar[list[str]] = []

    def __dir__(self) -> list[str]:
        return sorted(self.names)


def test_a_search_of_the_contract_is_one_of_the_runner() -> None:
    assert fingerprint("random_search") != fingerprint("random_walk")
    assert np.asarray(AgentContract.benchmarks["vectors"]().space.size) == 81
