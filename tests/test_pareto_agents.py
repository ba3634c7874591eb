"""Ranks and crowding by hand; NSGA-II and weighted agents find more of a front than chance."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.nsga2 import NSGA2
from rlnas.agents.pareto import crowding, dominates, objectives_of, ranks
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.reward_words import asked_for
from rlnas.agents.spec import parse
from rlnas.agents.weighted import Weighted
from rlnas.analysis.comparison.sweep import identity_of
from rlnas.analysis.fronts.data import ground_of
from rlnas.analysis.fronts.measures import ratio_of
from rlnas.bench import load
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError

POINTS = jnp.array([[0, 4], [1, 1], [4, 0], [2, 2], [3, 3], [1, 1], [jnp.inf, 0]], jnp.float32)


def test_ranks_peel_one_front_after_the_other() -> None:
    assert ranks(POINTS).tolist() == [0, 0, 0, 1, 2, 0, 1]
    assert dominates(POINTS)[1, 3] and not dominates(POINTS)[1, 5] and not dominates(POINTS)[0, 1]


def test_crowding_is_the_room_between_neighbours() -> None:
    points = jnp.array([[0, 4], [1, 2], [3, 1], [4, 0], [5, 5]], jnp.float32)
    found = crowding(points, jnp.array([0, 0, 0, 0, 1]))
    assert jnp.isinf(found[jnp.array([0, 3])]).all()
    assert found[1:3].tolist() == pytest.approx([3 / 4 + 3 / 4, 3 / 4 + 2 / 4])
    constant = jnp.concatenate([points, jnp.full((5, 1), 7.0)], axis=1)
    assert crowding(constant, jnp.array([0, 0, 0, 0, 1]))[1] == pytest.approx(found[1])


def test_an_answer_without_objectives_is_its_value() -> None:
    nan, yes = jnp.float32(jnp.nan), jnp.bool_(True)
    plain = QueryResult(jnp.float32(0.9), nan, nan, yes)
    assert objectives_of(plain)[:2].tolist() == pytest.approx([-0.9, 0])
    both = QueryResult(jnp.float32(0.9), nan, nan, yes, jnp.array([0.2, jnp.nan], jnp.float32))
    assert objectives_of(both)[:3].tolist() == pytest.approx([0.2, np.inf, 0])
    assert jnp.isinf(objectives_of(plain._replace(valid=jnp.bool_(False)))).all()


BENCHMARK = asked_for(load("nb101-digits"), ["accuracy", "params"])
GROUND = ground_of(BENCHMARK, [])


def reached(config: object, budget: int = 120, seeds: int = 16) -> float:
    history = run_seeds(config, BENCHMARK, budget, seed_keys(0, seeds))
    return float(ratio_of(GROUND, np.asarray(history.objectives), np.array([budget])).mean())


def test_they_find_more_of_the_front_than_chance() -> None:
    by_chance = reached(RandomSearch())
    found = [reached(NSGA2(population=10)), reached(Weighted(every=20))]
    assert found[0] > by_chance + 0.002 and found[1] > by_chance, (by_chance, found)


def test_nsga2_keeps_the_best_half_of_parents_and_children() -> None:
    agent = NSGA2(population=2).build(BENCHMARK.space)
    nan, yes = jnp.float32(jnp.nan), jnp.bool_(True)
    state = agent.init(jax.random.key(0))
    answers = [[0.5, 0.5], [0.9, 0.9], [0.1, 0.6], [0.6, 0.1]]
    for arch, answer in enumerate(answers):
        result = QueryResult(nan, nan, nan, yes, jnp.array(answer, jnp.float32))
        state = agent.tell(state, jnp.int32(arch), result)
    assert sorted(state.archs[:2].tolist()) == [2, 3]  # the ends, less crowded than [.5, .5]
    assert state.rank.tolist() == [0, 0] and jnp.isinf(state.points[2:]).all()


def test_a_weighted_agent_begins_anew_with_other_weights() -> None:
    how = Weighted("random_search", every=3, draw="even", initial=2)
    agent = how.build(BENCHMARK.space)
    nan, yes = jnp.float32(jnp.nan), jnp.bool_(True)
    state = agent.init(jax.random.key(0))
    weights = []
    for t in range(9):
        arch, state = agent.ask(jax.random.key(t), state)
        weights.append(state.weights[:3].tolist())
        answer = jnp.array([0.1 * t, 5.0 - t], jnp.float32)
        state = agent.tell(state, arch, QueryResult(nan, nan, nan, yes, answer))
    even = [[0.9, 0.1, 0]] * 3 + [[0.7, 0.3, 0]] * 3 + [[0.5, 0.5, 0]]
    np.testing.assert_allclose(weights[2:], even, atol=1e-6)
    assert state.start[:2].tolist() == pytest.approx([0.0, -2.0])  # seen before the third phase
    assert state.width[:2].tolist() == pytest.approx([0.7, 7.0])


@pytest.mark.long
def test_what_a_weighted_agent_is() -> None:
    plain, fast = (parse(f"weighted:agent=reinforce:lr={lr}")[1] for lr in (0.1, 0.5))
    assert identity_of(plain) != identity_of(fast)
    assert identity_of(plain)["settings"]["lr"] == 0.1
    for word in ("weighted:agent=weighted", "weighted:every=0", "weighted:agent=nobody"):
        with pytest.raises(UserError):
            parse(word)
    assert parse("weighted:agent=incontext")[1].pretraining["lookups"] == 0
    assert parse("weighted")[1].pretraining is None
