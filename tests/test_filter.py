"""The wrapper `filter`: what it parses, what it asks, whose state it keeps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.filter import Filter, model_of
from rlnas.agents.protocol import Agent, run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.spec import parse
from rlnas.bench.errors import UserError
from tables import small_benchmark


@dataclass(frozen=True)
class Counting:
    """Random draws; the state is the number of the one that was asked, and how often it was."""

    def build(self, space: Any) -> Agent:
        def ask(key: Any, state: Any) -> Any:
            arch = space.sample(key)
            return arch, (arch, state[1] + 1)

        return Agent(
            lambda key: (jnp.int32(-1), jnp.int32(0)), ask, lambda state, arch, result: state
        )


def test_words() -> None:
    found = parse("filter:evolution:population=5,tournament=3,predictor=ensemble,tries=4")[1]
    assert isinstance(found, Filter)
    assert found.agent == parse("evolution:population=5,tournament=3")[1]
    assert (found.predictor, found.tries, found.threshold) == ("ensemble", 4, 0.0)
    assert parse("filter")[1] == parse("filter:random_search,predictor=gp")[1]
    evolution = parse("filter:evolution")[1]
    assert evolution.identity() != parse("filter:random_search")[1].identity()  # type: ignore[attr-defined]
    assert evolution.parts() == (evolution, None)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("filter:nobody", "unknown agent 'nobody'"),
        ("filter:random_search,predictor=oracle", "found predictor='oracle'; expected one of gp"),
        ("filter:random_search,tries=0", "tries is 0; expected at least 1"),
        ("filter:bridge:outside_searchers:Draws", "filter takes no agent that searches outside"),
        ("filter:random_search,depth=1", "unknown option 'depth'"),
    ],
)
def test_words_that_are_none(word: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        parse(word)
    assert message in str(error.value)


def run(config: Any, budget: int = 45, seeds: int = 6) -> Any:
    found = run_seeds(config, small_benchmark(), budget, seed_keys(0, seeds))
    return jax.tree.map(np.asarray, found)


def test_what_was_asked_is_passed_over() -> None:
    """Of 91 cells 45 are asked: with 16 proposals none of them twice, without it some are."""
    assert run(Filter(Counting(), predictor="none")).is_new.all()
    assert not run(Counting()).is_new.all()


def test_the_state_is_that_of_the_proposal_that_is_asked() -> None:
    space = small_benchmark().space
    agent = Filter(Counting(), predictor="none").build(space)
    state = agent.init(jax.random.key(0))
    for i in range(3):
        arch, state = jax.jit(agent.ask)(jax.random.key(i), state)
        assert state.inner == (arch, i + 1)
        state = agent.tell(state, arch, small_benchmark().query(arch, jax.random.key(0)))


@pytest.mark.long
@pytest.mark.parametrize(
    ("agent", "table"),
    [("blockqnn", ""), ("reinforce", ""), ("blockqnn", "synthetic-tnb101-0")],
)
def test_agents_that_build_step_by_step(agent: str, table: str) -> None:
    """Before the predictor has a say all are as under `none`, then not; an option that the agent
    has, too (Faster BlockQNN's predictor), is the filter's."""
    there = bench.load(table) if table else small_benchmark()

    def searched(predictor: str) -> Any:
        config: Any = parse(f"filter:{agent},predictor={predictor},warm_up=12,tries=8")[1]
        assert config.agent == parse(agent)[1] and config.predictor == predictor
        found = run_seeds(config, there, 30, seed_keys(0, 4))
        return jax.tree.map(np.asarray, found)

    gp, none = searched("gp"), searched("none")
    assert gp.valid.all()
    np.testing.assert_array_equal(gp.arch[:, :12], none.arch[:, :12])
    assert (gp.arch[:, 12:] != none.arch[:, 12:]).any(1).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_above_the_threshold_else_the_highest(sign: int) -> None:
    """Of values that are all in the parameters: above the middle passes, behind the warm-up, and
    above a threshold that none reaches the highest of all proposals."""
    there = small_benchmark()
    archs = jnp.arange(there.space.size, dtype=jnp.int32)
    sizes = model_of(there.space, "params").see(archs)
    there = replace(there, mean_val=0.5 + sign * sizes / 20)

    def late(threshold: float) -> Any:
        config = Filter(RandomSearch(), "params", tries=8, threshold=threshold, warm_up=10)
        found = run_seeds(config, there, 30, seed_keys(0, 8))
        return np.asarray(found.val)[:, 10:].mean(), np.asarray(found.val)[:, :10].mean()

    (passed, before), (highest, same) = late(0.0), late(9.0)
    assert before == same
    assert passed > before + 0.01
    assert highest > passed


def test_a_trained_agent_keeps_its_parameters_and_what_it_looked_up() -> None:
    """They are traced, as without the filter."""
    word = "filter:gp:prior=nb101-digits,initial=3,predictor=none"
    found: Any = parse(word)[1]
    assert found.agent == parse("gp:prior=nb101-digits,initial=3")[1]
    program, params = found.parts()
    assert params is not None and program.agent.prior == ""
    assert found.pretraining == found.agent.pretraining != None  # noqa: E711
