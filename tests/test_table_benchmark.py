"""Query semantics of a table: noise policies, budgets, missing values, what is reported."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench.benchmark import Benchmark, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.stand_ins import neighbour_lists
from tables import small_benchmark, small_table

ROW = jnp.int32(40)


@pytest.fixture(scope="module")
def table():
    return small_table()


def test_it_is_a_benchmark(table):
    assert isinstance(from_table(table), Benchmark)


def test_the_largest_budget_is_the_default_and_others_are_named(table):
    assert from_table(table).epochs == 12
    low = from_table(table, epochs=4)
    assert float(low.query(ROW, jax.random.key(0)).val) == pytest.approx(
        table.val[40, 0].mean(), abs=1e-6
    )
    with pytest.raises(
        UserError, match=r"no budget of 5 epochs in small; expected one of \[4, 12\]"
    ):
        from_table(table, epochs=5)


def test_mean_is_over_the_repeats(table):
    result = from_table(table).query(ROW, jax.random.key(0))
    for measure in ("val", "test"):
        assert float(getattr(result, measure)) == pytest.approx(
            getattr(table, measure)[40, 1].mean(), abs=1e-6
        )
    assert float(result.sim_seconds) == 3 * 120.0 and bool(result.valid)


def test_a_look_up_costs_the_trainings_it_answers_with(table):
    """Under `mean` all that have a value: three, two, or three of which one's seconds are unknown
    and taken to be as the others."""
    table.seconds[40, 1] = 100, 120, 170
    table.seconds[41, 1] = table.seconds[42, 1] = 100, 120, np.nan
    table.val[41, 1, 2] = np.nan
    table.seconds[43, 1] = np.nan
    policies = {"mean": (390, 220, 330, np.nan), "repeat=1": (120, 120, 120, np.nan)}
    for noise, expected in policies.items():
        benchmark = from_table(table, noise=noise)
        asked = jax.vmap(benchmark.query, (0, None))(jnp.arange(40, 44), jax.random.key(0))
        np.testing.assert_allclose(asked.sim_seconds, expected)
    benchmark = from_table(table, noise="sample")
    keys = jax.random.split(jax.random.key(0), 50)
    costs = jax.vmap(lambda key: benchmark.query(ROW, key).sim_seconds)(keys)
    assert set(np.asarray(costs).tolist()) == {100, 120, 170}


def test_repeat_i_is_that_repeat(table):
    for i in range(3):
        result = from_table(table, noise=f"repeat={i}").query(ROW, jax.random.key(0))
        assert (float(result.val), float(result.test)) == (
            table.val[40, 1, i],
            table.test[40, 1, i],
        )


def test_sample_draws_each_repeat_equally_often_and_val_and_test_of_the_same_one(table):
    benchmark = from_table(table, noise="sample")
    results = jax.vmap(lambda key: benchmark.query(ROW, key))(
        jax.random.split(jax.random.key(0), 3000)
    )
    pairs = set(
        zip(np.asarray(results.val).tolist(), np.asarray(results.test).tolist(), strict=True)
    )
    assert pairs == set(zip(table.val[40, 1].tolist(), table.test[40, 1].tolist(), strict=True))
    counts = [(np.asarray(results.val) == value).sum() for value in table.val[40, 1]]
    assert max(abs(count - 1000) for count in counts) < 5 * np.sqrt(3000 * 2 / 9)


@pytest.mark.parametrize("noise", ["average", "repeat=", "repeat=-1", "repeat=x"])
def test_an_unknown_noise_policy_is_refused(table, noise):
    with pytest.raises(
        UserError, match=f"unknown noise policy '{noise}'; expected mean, sample or repeat=i"
    ):
        from_table(table, noise=noise)
    with pytest.raises(UserError, match="small has 3 repeats; expected i below 3"):
        from_table(table, noise="repeat=3")


def test_outside_the_table_is_invalid_and_nan_never_a_number(table):
    benchmark = from_table(table)
    for row in (-1, 91, 10**6):
        result = benchmark.query(jnp.int32(row), jax.random.key(0))
        assert not bool(result.valid)
        assert np.isnan([result.val, result.test, result.sim_seconds]).all()
        assert np.isnan(benchmark.reported(jnp.int32(row)))


def test_missing_repeats_are_left_out_of_means_and_draws():
    table = small_table()
    table.val[40, 1, 0] = np.nan
    table.val[41, 1] = np.nan
    mean = from_table(table)
    assert float(mean.query(ROW, jax.random.key(0)).val) == pytest.approx(
        table.val[40, 1, 1:].mean(), abs=1e-6
    )
    assert not bool(mean.query(jnp.int32(41), jax.random.key(0)).valid)
    sample = from_table(table, noise="sample")
    keys = jax.random.split(jax.random.key(1), 200)
    assert jax.vmap(lambda key: sample.query(ROW, key).valid)(keys).all()
    assert not jax.vmap(lambda key: sample.query(jnp.int32(41), key).valid)(keys).any()
    assert not bool(from_table(table, noise="repeat=0").query(ROW, jax.random.key(0)).valid)


def test_what_is_reported_is_the_mean_test_accuracy_whatever_the_noise(table):
    for noise in ("mean", "sample", "repeat=1"):
        benchmark = from_table(table, noise=noise)
        assert float(benchmark.reported(ROW)) == pytest.approx(table.test[40, 1].mean(), abs=1e-6)
        assert float(benchmark.optimum) == pytest.approx(table.test[:, 1].mean(1).max(), abs=1e-6)
        assert benchmark.describe()["reports"] == "test accuracy"


def test_without_test_accuracies_validation_is_reported_and_said_so():
    table = small_table()
    table.test[:] = np.nan
    benchmark = from_table(table)
    assert benchmark.reports == "validation accuracy"
    assert float(benchmark.reported(ROW)) == pytest.approx(table.val[40, 1].mean(), abs=1e-6)


def test_queries_batch(table):
    benchmark = small_benchmark(4)
    keys = jax.random.split(jax.random.key(0), 91)
    batch = jax.vmap(benchmark.query)(jnp.arange(91, dtype=jnp.int32), keys)
    np.testing.assert_array_equal(batch.val, benchmark.mean_val)


@pytest.mark.parametrize("with_test", [True, False])
def test_a_part_has_its_own_optimum_and_the_ways_within_it(with_test):
    table = small_table()
    if not with_test:
        table.test[:] = np.nan
    whole = from_table(table, noise="repeat=1")
    measured = table.test if with_test else table.val
    means = measured[:, 1].mean(1)
    places = np.sort(np.argsort(means)[:60])  # without the best
    part = whole.restrict(places)
    assert part.space.size == 60 and part.noise == whole.noise and part.reports == whole.reports
    assert float(part.optimum) == pytest.approx(means[places].max(), abs=1e-6)
    assert float(part.optimum) < float(whole.optimum)
    keys = jax.random.split(jax.random.key(0), 60)
    found = jax.vmap(part.query)(jnp.arange(60, dtype=jnp.int32), keys)
    np.testing.assert_array_equal(found.val, table.val[places, 1, 1])
    near = neighbour_lists(whole)
    for i, neighbours in enumerate(neighbour_lists(part)):
        assert {places[j] for j in neighbours} == near[places[i]] & set(places.tolist())
    assert part.space.whole == 91 and numbers_of(part.space).tolist() == places.tolist()
