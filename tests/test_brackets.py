"""Brackets of successive halving: HpBandSter's and the paper's, by hand; and who goes on."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import agents
from rlnas.agents.brackets import Bracket, bracket, hyperband, plan, racing, rungs, uniform
from rlnas.agents.fidelity import Choice
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from tables import small_benchmark

NB101 = Budgets((4, 12, 36, 108))
NB301 = Budgets(tuple(range(1, 99)), continues=True)
DIGITS = Budgets((2, 5, 10, 20), continues=True)


def test_hpbandsters_brackets() -> None:
    found = hyperband(rungs(NB101, 3.0), 3.0)
    assert [one.counts for one in found] == [(27, 9, 3, 1), (9, 3, 1), (6, 2), (4,)]
    assert [one.fidelities for one in found] == [(0, 1, 2, 3), (1, 2, 3), (2, 3), (3,)]


def test_the_papers_brackets() -> None:
    found = hyperband(rungs(NB101, 3.0), 3.0, "paper")
    assert [one.counts for one in found] == [(27, 9, 3, 1), (12, 4, 1), (6, 2), (4,)]


@pytest.mark.parametrize(
    ("budgets", "eta", "least", "epochs"),
    [
        (NB101, 3.0, 0, (4, 12, 36, 108)),
        (NB101, 3.0, 10, (12, 36, 108)),
        (NB301, 3.0, 0, (1, 3, 10, 32, 98)),
        (NB301, 4.0, 0, (1, 6, 24, 98)),
        (DIGITS, 3.0, 0, (2, 5, 20)),
        (DIGITS, 2.0, 0, (2, 5, 10, 20)),
        (Budgets((7,)), 3.0, 0, (7,)),
        (NB101, 3.0, 1000, (108,)),
    ],
)
def test_rungs(budgets: Budgets, eta: float, least: int, epochs: tuple[int, ...]) -> None:
    assert tuple(budgets.epochs[i] for i in rungs(budgets, eta, least)) == epochs


def test_a_plan_by_hand() -> None:
    steps = plan([Bracket((3, 1), (0, 2)), Bracket((1,), (2,))])
    assert steps.fidelity.tolist() == [0, 0, 0, 2, 2]
    assert steps.place.tolist() == [0, 1, 2, 0, 0]
    assert steps.fresh.tolist() == [True, True, True, False, True]
    assert steps.last.tolist() == [False, False, True, True, True]
    assert bracket(9, 2, (0, 1, 2, 3), 3.0) == Bracket((9, 3, 1), (1, 2, 3))


def test_the_best_go_on_the_earlier_of_equals_first_and_no_answer_last() -> None:
    space = small_benchmark().space
    agent = racing(space, [Bracket((5, 3, 1), (0, 1, 2))], uniform(space))
    first = {0: 0.3, 1: np.nan, 2: 0.9, 3: 0.9, 4: 0.5}
    second = {0: 0.1, 1: 0.2, 2: 0.15}
    state, asked = agent.init(jax.random.key(0)), []
    for t, val in enumerate([*first.values(), *second.values(), 0.4]):
        choice, state = agent.ask(jax.random.key(t), state)
        asked.append((int(choice.arch), int(choice.fidelity)))
        answer = QueryResult(*map(jnp.float32, (val, val, 1.0)), jnp.bool_(not np.isnan(val)))
        state = agent.tell(state, choice, answer)
    new = [arch for arch, _ in asked[:5]]
    assert [fidelity for _, fidelity in asked] == [0] * 5 + [1] * 3 + [2]
    assert [arch for arch, _ in asked[5:8]] == [new[2], new[3], new[4]]
    assert asked[8] == (new[3], 2)


def test_with_one_budget_they_are_random_search() -> None:
    space = small_benchmark().space
    for name in ("hyperband", "successive_halving"):
        agent, plain = agents.config(name)().build(space), RandomSearch().build(space)
        one = agents.config(name)().build_for(space, Budgets((108,)))
        for key in jax.random.split(jax.random.key(0), 3):
            wanted = plain.ask(key, ())[0]
            assert agent.ask(key, agent.init(key))[0] == wanted
            assert one.ask(key, one.init(key))[0] == Choice(wanted, 0)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("hyperband:eta=1", "expected more than 1"),
        ("hyperband:brackets=mine", "hpbandster, paper"),
        ("successive_halving:n=-1", "expected 0 to 4,096"),
        ("bohb:top=100", "expected 1 to 99"),
        ("bohb:random=2", "expected 0 to 1"),
        ("early_stopping:first=14", "expected 3 to 13"),
        ("early_stopping:propose=gp", "random_search, evolution, local_search"),
        ("reinforce_fidelity:price=-1", "expected 0 to 1"),
    ],
)
def test_settings_that_mean_nothing(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        agents.parse(word)
