"""Paired differences and what they prove: by hand, against scipy, and by how often they err."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from rlnas.analysis import paired


def one(values: np.ndarray) -> list[np.ndarray]:
    """Of one benchmark and one training."""
    return [values[None]]


def test_the_difference_is_over_pairs() -> None:
    """What both runs of a pair share does not widen the interval."""
    rng = np.random.default_rng(0)
    shared = rng.normal(size=60)
    x, y = shared + 0.5 + 0.1 * rng.normal(size=60), shared + 0.1 * rng.normal(size=60)
    found, p = paired.difference(one(x), one(y))
    assert found.value == pytest.approx((x - y).mean())
    theirs = scipy.stats.bootstrap(
        (x - y,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)
    assert p == pytest.approx(1 / (1 + paired.REPLICATES))
    assert found.high - found.low < 0.1


def test_the_sign_flip_test_by_hand() -> None:
    """All 2^8 signs, counted."""
    d = np.array([0.5, -0.1, 0.3, 0.2, 0.0, 0.4, -0.2, 0.6])
    means = [np.mean(d * signs) for signs in itertools.product([-1, 1], repeat=8)]
    exact = np.mean(np.abs(means) >= abs(d.mean()) - 1e-12)
    _, p = paired.difference(one(d), one(np.zeros(8)))
    assert p == pytest.approx(exact, abs=0.01)
    theirs = scipy.stats.permutation_test(
        (d, np.zeros(8)), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=1000
    )
    assert p == pytest.approx(theirs.pvalue, abs=0.01)


def test_runs_that_are_alike_prove_nothing() -> None:
    x = np.random.default_rng(1).normal(size=20)
    found, p = paired.difference(one(x), one(x))
    assert found.value == 0 and np.isnan(found.low) and p == 1
    undefined, p = paired.difference(one(np.array([1.0, np.nan])), one(np.zeros(2)))
    assert np.isnan([*undefined, p]).all()


def test_points_and_seeds_that_only_one_has() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(3, 1, 9)), rng.normal(size=(3, 1, 7))
    found, p = paired.difference([x], [y])
    assert found.value.shape == found.low.shape == p.shape == (3,)
    np.testing.assert_allclose(found.value, (x[:, 0, :7] - y[:, 0]).mean(axis=1))


@pytest.mark.parametrize("trainings", [1, 5])
def test_the_test_errs_as_often_as_it_says(trainings: int) -> None:
    """Without a difference 5 % of the p-values are below .05: of searches, and of trainings that
    scatter far more than their searches do."""
    rng = np.random.default_rng(3)
    tests = 300
    x = rng.normal(size=(tests, trainings, 12))
    if trainings > 1:
        x = 0.1 * x + rng.normal(size=(tests, trainings, 1))
    y = 0.1 * rng.normal(size=(tests, 1, 12))
    _, p = paired.difference([x], [y], replicates=999)
    assert 0.02 < (p < 0.05).mean() < 0.08
    if trainings > 1:  # as if searches were the unit, nearly everything would be a discovery
        _, naive = paired.difference([x.reshape(tests, 1, -1)], [np.tile(y, (1, 1, 5))])
        assert (naive < 0.05).mean() > 0.4


def test_trainings_are_the_unit() -> None:
    """The interval of crossed trainings and seeds, against a loop."""
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(4, 6)), rng.normal(size=(1, 6))
    found, p = paired.difference([x], [y], replicates=400, seed=9)
    seeds = np.random.default_rng(9).integers(6, size=(400, 1, 6))[:, 0]
    (t,) = paired.drawn(((4, 1),), 400, 10)
    means = [
        np.mean([times[i] * (x[i, draw] - y[0, draw]).mean() for i in range(4)])
        for times, draw in zip(t.T, seeds, strict=True)
    ]
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=1e-9)
    error = np.std(means) * np.sqrt(4 / 3)
    assert p == pytest.approx(2 * scipy.stats.t.sf(abs(found.value) / error, 3))


def test_benchmarks_count_the_same() -> None:
    rng = np.random.default_rng(5)
    x, y = [rng.normal(size=(1, n)) for n in (5, 40)], [rng.normal(size=(1, n)) for n in (5, 40)]
    found, p = paired.difference(x, y)
    apart = [(a - b).mean() for a, b in zip(x, y, strict=True)]
    assert found.value == pytest.approx(np.mean(apart))
    assert found.low < found.value < found.high and 0 < p <= 1


def test_holm_by_hand() -> None:
    """n = 4: .005 x 4, .01 x 3, .03 x 2, .04 x 1 is below the one before."""
    adjusted = paired.holm(np.array([0.04, 0.005, np.nan, 0.03, 0.01]))
    np.testing.assert_allclose(adjusted, [0.06, 0.02, np.nan, 0.06, 0.03])
    assert paired.holm(np.array([0.9, 0.8])).tolist() == [1, 1]
