"""What an agent is told in place of the true answers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.local_search import LocalSearch
from rlnas.agents.protocol import Agent, run_search, run_seeds, seed_keys
from rlnas.agents.told import ANSWERS, told
from rlnas.bench.jax_setup import pinned
from surrogates import invented_benchmark
from tables import small_benchmark

LISTENER = Agent(
    init=lambda key: jnp.float32(jnp.nan),
    ask=lambda key, state: (jnp.int32(0), state),
    tell=lambda state, arch, result: result.val,
)
"""Its state is what it heard last."""


def heard(benchmark: Any, archs: Any, answers: str, run: int) -> np.ndarray:
    """[n], after one look-up of each of `archs`, by run number `run`."""
    agent = told(LISTENER, benchmark, jnp.int32(ANSWERS.index(answers)))
    key = seed_keys(0, 9)[run]

    def one(arch: Any) -> Any:
        result = benchmark.query(arch, jax.random.key(1))
        return agent.tell(agent.init(key), arch, result).state

    return np.asarray(jax.jit(jax.vmap(one))(archs))


def test_permuted_answers_are_a_permutation_of_each_run_that_leaves_none_in_its_place():
    benchmark, archs = small_benchmark(4), jnp.arange(91, dtype=jnp.int32)
    val = np.asarray(benchmark.mean_val)
    assert len(set(val.tolist())) == 91
    runs = [heard(benchmark, archs, "permuted", run) for run in range(3)]
    for run in runs:
        assert sorted(run.tolist()) == sorted(val.tolist())
        assert not (run == val).any()
    assert (runs[0] == runs[1]).mean() < 0.1 and (runs[1] == runs[2]).mean() < 0.1
    assert (heard(benchmark, archs, "permuted", 1) == runs[1]).all()


def test_inverted_answers_are_inverted_and_true_ones_are_true():
    benchmark, archs = small_benchmark(4), jnp.arange(91, dtype=jnp.int32)
    val = np.asarray(benchmark.mean_val)
    np.testing.assert_array_equal(heard(benchmark, archs, "true", 0), val)
    np.testing.assert_allclose(heard(benchmark, archs, "inverted", 0), 1 - val, rtol=1e-6)


def test_without_numbers_each_architecture_has_another_one_by_a_hash_of_it():
    benchmark = invented_benchmark()
    archs = jax.vmap(benchmark.space.sample)(jax.random.split(jax.random.key(3), 40))
    true = heard(benchmark, archs, "true", 0)
    first, again, other = (heard(benchmark, archs, "permuted", run) for run in (1, 1, 2))
    assert (first == again).all()
    assert len(set(first.tolist())) > 35
    assert (first == true).mean() < 0.1 and (first == other).mean() < 0.1


def test_what_has_no_answer_is_told_as_such():
    """Of a table with holes the permuted answers have as many."""
    benchmark, archs = small_benchmark(4), jnp.arange(91, dtype=jnp.int32)
    holes = jnp.where(archs % 5 == 0, jnp.nan, benchmark.mean_val)
    told_of = heard(type(benchmark)(**vars(benchmark) | {"mean_val": holes}), archs, "permuted", 0)
    assert np.isnan(told_of).sum() == 19 and not np.isnan(told_of[::5]).all()


@pinned()
@pytest.mark.parametrize("answers", ANSWERS)
def test_what_is_looked_up_and_counted_stays_true(answers):
    benchmark, keys = small_benchmark(4), seed_keys(0, 4)

    @jax.jit
    def searched(benchmark: Any, answers: Any) -> Any:
        agent = told(LocalSearch().build(benchmark.space), benchmark, answers)
        return jax.vmap(lambda key: run_search(agent, benchmark, 30, key))(keys)

    found = jax.device_get(searched(benchmark, jnp.int32(ANSWERS.index(answers))))
    np.testing.assert_array_equal(found.val, np.asarray(benchmark.mean_val)[found.arch])
    best = np.take_along_axis(found.val, found.incumbent, axis=1)
    np.testing.assert_array_equal(best, np.maximum.accumulate(found.val, axis=1))
    plain = jax.device_get(run_seeds(LocalSearch(), benchmark, 30, keys))
    same = (found.arch == plain.arch).all()
    assert same == (answers == "true")
