"""agents/protocol.py: the runner equals a plain Python loop, and its bookkeeping is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.agents.evolution import Evolution
from rlnas.agents.protocol import (
    Agent,
    History,
    best_so_far,
    first_seen,
    run_search,
    run_seeds,
    seed_keys,
)
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.testing import python_search
from rlnas.bench.memory import same_arch
from rlnas.bench.stand_ins import GridBenchmark, ListBenchmark, ring, scrambled


@dataclass(frozen=True)
class Script:
    """Asks a fixed list of rows, whatever it is told."""

    rows: tuple[int, ...]

    def build(self, space: Any) -> Agent:
        return Agent(
            init=lambda key: jnp.int32(0),
            ask=lambda key, t: (jnp.asarray(self.rows, jnp.int32)[t], t + 1),
            tell=lambda t, arch, result: t,
        )


def run_script(benchmark: ListBenchmark, rows: list[int]) -> History:
    history = run_seeds(Script(tuple(rows)), benchmark, len(rows), seed_keys(0, 1))
    return jax.tree.map(lambda x: np.asarray(x[0]), history)


@pytest.mark.parametrize(
    "benchmark", [scrambled(60, 6, missing=0.3), GridBenchmark()], ids=["rows with gaps", "vectors"]
)
def test_run_search_equals_a_python_loop(benchmark):
    agent, key = Evolution(population=5, tournament=2).build(benchmark.space), jax.random.key(4)
    fast = jax.jit(lambda key: run_search(agent, benchmark, 40, key))(key)
    slow = python_search(agent, benchmark, 40, key)
    for name in History._fields:
        np.testing.assert_array_equal(getattr(fast, name), np.stack(slow[name]), err_msg=name)


def test_incumbent_is_the_earliest_best_and_is_new_the_first_look():
    val = np.array([0.5, 0.7, 0.7, 0.6, 0.9], np.float32)
    history = run_script(ring(val), [0, 2, 1, 3, 2, 0, 4, 4])
    assert history.arch.tolist() == [0, 2, 1, 3, 2, 0, 4, 4]
    np.testing.assert_array_equal(history.val, val[history.arch])
    assert history.incumbent.tolist() == [0, 1, 1, 1, 1, 1, 6, 6]
    assert history.is_new.tolist() == [True, True, True, True, False, False, True, False]
    assert history.sim_seconds.tolist() == [2.0] * 8
    np.testing.assert_array_equal(history.reported, (1 - val)[history.arch])


def test_answers_without_a_value_never_become_the_incumbent():
    val = np.array([np.nan, 0.5, np.nan, 0.4], np.float32)
    history = run_script(ring(val), [0, 2, 3, 0, 1, 2])
    assert history.valid.tolist() == [False, False, True, False, True, False]
    assert np.isnan(history.val).tolist() == [True, True, False, True, False, True]
    assert history.incumbent.tolist() == [-1, -1, 2, 2, 4, 4]
    assert history.is_new.tolist() == [True, True, True, False, True, False]


def test_a_nan_that_claims_to_be_valid_is_not():
    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Liar(ListBenchmark):
        def query(self, arch, key):
            return super().query(arch, key)._replace(valid=jnp.array(True))

    honest = ring(np.array([np.nan, 0.5, 0.6]))
    history = run_script(Liar(honest.space, honest.val, honest.test), [0, 1, 2])
    assert history.valid.tolist() == [False, True, True]
    assert history.incumbent.tolist() == [-1, 1, 2]


def test_rows_outside_the_space_are_counted_and_invalid():
    history = run_script(ring(np.array([0.5, 0.6, 0.7])), [-1, 3, 1])
    assert history.valid.tolist() == [False, False, True]
    assert history.incumbent.tolist() == [-1, -1, 2]


def test_the_benchmark_is_asked_exactly_budget_times():
    asked: list[int] = []

    @jax.tree_util.register_dataclass
    @dataclass(frozen=True)
    class Counting(ListBenchmark):
        def query(self, arch, key):
            jax.debug.callback(lambda row: asked.append(int(row)), arch)
            return super().query(arch, key)

    plain = scrambled(50, 4)
    benchmark = Counting(plain.space, plain.val, plain.test)
    history = run_seeds(RandomSearch(), benchmark, 17, seed_keys(0, 3))
    jax.block_until_ready(history)
    jax.effects_barrier()
    assert len(asked) == 3 * 17
    assert sorted(asked) == sorted(np.asarray(history.arch).ravel().tolist())


def lists(elements: st.SearchStrategy) -> st.SearchStrategy[list]:
    """Of two lengths only: every new one is compiled."""
    return st.sampled_from([1, 12]).flatmap(lambda n: st.lists(elements, min_size=n, max_size=n))


@pytest.mark.long
@settings(max_examples=60, deadline=None, derandomize=True)
@given(lists(st.integers(0, 6)))
def test_first_seen_equals_a_set(rows):
    seen: set[int] = set()
    expected = [not (row in seen or seen.add(row)) for row in rows]  # type: ignore[func-returns-value]
    numbered = ring(np.ones(6)).space  # number 6 is outside: one more to be seen
    assert first_seen(numbered, jnp.asarray(rows, jnp.int32)).tolist() == expected
    digits = np.array([[row // 4, row // 2 % 2, row % 2] for row in rows], np.int8)
    assert first_seen(GridBenchmark().space, jnp.asarray(digits)).tolist() == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, np.nan]), st.booleans())))
def test_best_so_far_equals_a_loop(answers):
    best, incumbent, expected = -np.inf, -1, []
    for t, (val, valid) in enumerate(answers):
        valid = valid and not np.isnan(val)
        if valid and val > best:
            best, incumbent = val, t
        expected.append(incumbent)
    val, valid = np.array([v for v, _ in answers], np.float32), np.array([v for _, v in answers])
    assert best_so_far(jnp.asarray(val), jnp.asarray(valid & ~np.isnan(val))).tolist() == expected


def test_same_arch_reduces_all_but_the_batch():
    rows = jnp.array([3, 1, 3])
    assert same_arch(rows, jnp.int32(3), 1).tolist() == [True, False, True]
    vectors = jnp.array([[1, 2], [1, 3]])
    assert same_arch(vectors, jnp.array([1, 3]), 1).tolist() == [False, True]


def test_seed_keys_do_not_depend_on_how_many_there_are():
    few, many = (jax.random.key_data(seed_keys(5, n)).tolist() for n in (3, 10))
    assert few == many[:3]
    assert len({tuple(key) for key in many}) == 10
    assert many != jax.random.key_data(seed_keys(6, 10)).tolist()
