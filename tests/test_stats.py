"""Statistics and curves: by hand, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from rlnas.agents.protocol import History
from rlnas.analysis import stats
from rlnas.analysis.comparison import curves

RNG = np.random.default_rng(7)


def test_iqm_by_hand() -> None:
    assert stats.iqm(np.array([100.0, 0, 1, 5, 2, 4, 3, 6])) == (2 + 3 + 4 + 5) / 4
    assert stats.iqm(np.array([9.0, 1, 2, 3, -50])) == 2  # floor(5 / 4) = 1 off either end
    assert stats.iqm(np.array([1.0, 2, 6])) == 3  # too few to cut


@pytest.mark.parametrize("seeds", [1, 3, 4, 7, 8, 50, 201])
def test_iqm_is_scipys_trimmed_mean(seeds: int) -> None:
    values = RNG.normal(size=(6, seeds))
    np.testing.assert_allclose(
        stats.iqm(values), scipy.stats.trim_mean(values, 0.25, axis=1), rtol=1e-12
    )


@pytest.mark.parametrize("statistic", [stats.iqm, stats.mean, stats.median])
def test_one_missing_seed_leaves_the_point_undefined(statistic: stats.Statistic) -> None:
    values = np.array([[1.0, 2, 3, 4], [1, np.nan, 3, 4]])
    assert statistic(values).tolist()[0] == 2.5
    assert np.isnan(statistic(values)[1])
    estimate = stats.bootstrap([values], statistic)
    assert np.isnan(estimate.low).tolist() == [False, True]
    assert np.isnan(estimate.high).tolist() == [False, True]


def test_bootstrap_is_the_plain_loop() -> None:
    """The vectorised resampling against a loop over the same draws."""
    values = RNG.normal(size=(3, 9))
    draws = np.random.default_rng(5).integers(9, size=(40, 9))
    by_hand = np.array(
        [[scipy.stats.trim_mean(row[draw], 0.25) for draw in draws] for row in values]
    )
    estimate = stats.bootstrap([values], replicates=40, seed=5)
    np.testing.assert_allclose(estimate.low, np.quantile(by_hand, 0.025, axis=1))
    np.testing.assert_allclose(estimate.high, np.quantile(by_hand, 0.975, axis=1))


def test_bootstrap_agrees_with_scipy() -> None:
    values = RNG.exponential(size=60)
    ours = stats.bootstrap([values], replicates=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), stats.iqm, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(scipy.stats.trim_mean(values, 0.25))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_bootstrap_keeps_the_strata_apart() -> None:
    """Each stratum keeps its share in every replicate: between constants there is nothing left to
    vary."""
    estimate = stats.bootstrap([np.zeros(6), np.ones(6)], stats.mean)
    assert tuple(estimate) == (0.5, 0.5, 0.5)
    pooled = stats.bootstrap([np.repeat([0.0, 1.0], 6)], stats.mean)
    assert pooled.low < 0.4 and pooled.high > 0.6


def test_bootstrap_draws_whole_curves_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = RNG.normal(size=(1, 20)) + np.arange(5)[:, None]
    whole = stats.bootstrap([curve])
    np.testing.assert_allclose(whole.low, whole.low[0] + np.arange(5))
    monkeypatch.setattr(stats, "BLOCK", 1)
    for ours, theirs in zip(stats.bootstrap([curve]), whole, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_interval_covers_what_it_says() -> None:
    samples = np.random.default_rng(3).normal(size=(400, 40))
    estimate = stats.bootstrap([samples], replicates=500)
    covered = ((estimate.low <= 0) & (estimate.high >= 0)).mean()
    assert 0.90 <= covered <= 0.98


def test_improvement_by_hand() -> None:
    x, y = np.array([1.0, 2, 3]), np.array([2.0, 2])
    found = stats.probability_of_improvement(x, y)
    assert (found.above.value, found.equal) == (0.5, pytest.approx(1 / 3))
    sure = stats.probability_of_improvement(y + 5, x)
    assert (*sure.above, sure.equal) == (1, 1, 1, 0)
    same = stats.probability_of_improvement(np.ones(4), np.ones(6))
    assert (*same.above, same.equal) == (0.5, 0.5, 0.5, 1)
    undefined = stats.probability_of_improvement(x, np.array([np.nan, 1]))
    assert np.isnan([*undefined.above, undefined.equal]).all()


def test_improvement_agrees_with_scipy() -> None:
    x, y = RNG.integers(0, 12, 40) * 1.0, RNG.integers(0, 10, 30) * 1.0
    ours = stats.probability_of_improvement(x, y, replicates=8000).above
    assert ours.value == pytest.approx(scipy.stats.mannwhitneyu(x, y).statistic / (40 * 30))

    def statistic(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        x, y = x[..., :, None], y[..., None, :]
        return ((x > y) + 0.5 * (x == y)).mean(axis=(-1, -2))

    theirs = scipy.stats.bootstrap(
        (x, y),
        statistic,
        method="percentile",
        n_resamples=8000,
        batch=500,
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)
    reverse = stats.probability_of_improvement(y, x).above
    assert ours.value + reverse.value == pytest.approx(1)


def test_statistics_leave_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stats.bootstrap([RNG.normal(size=10)])
    stats.probability_of_improvement(RNG.normal(size=5), RNG.normal(size=5))
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def history() -> History:
    """Two runs of four queries; the second starts with one that has no answer."""
    nan = np.nan
    return History(
        arch=np.array([[5, 6, 5, 7], [1, 2, 3, 2]], np.int32),
        val=np.array([[0.5, 0.4, 0.5, 0.9], [nan, 0.2, 0.6, 0.2]], np.float32),
        reported=np.array([[0.25, 0.75, 0.25, 0.5], [0.125, 0.375, 0.625, 0.375]], np.float32),
        sim_seconds=np.array([[1, 2, 1, 4], [nan, 3, 3, 3]], np.float32),
        valid=np.array([[1, 1, 1, 1], [0, 1, 1, 1]], bool),
        is_new=np.array([[1, 1, 0, 1], [1, 1, 1, 0]], bool),
        incumbent=np.array([[0, 0, 0, 3], [-1, 1, 2, 2]], np.int32),
    )


def test_curves_by_hand() -> None:
    nan = np.nan
    values = curves.incumbent_values(history())
    np.testing.assert_array_equal(values, [[0.25, 0.25, 0.25, 0.5], [nan, 0.375, 0.625, 0.625]])
    validation = curves.incumbent_values(history(), of=np.asarray(history().val))
    np.testing.assert_allclose(validation, [[0.5, 0.5, 0.5, 0.9], [nan, 0.2, 0.6, 0.6]], rtol=1e-6)
    np.testing.assert_array_equal(curves.regret(values, 0.75)[0], [0.5, 0.5, 0.5, 0.25])
    np.testing.assert_array_equal(curves.distinct(history()), [[1, 2, 2, 3], [1, 2, 3, 3]])
    np.testing.assert_array_equal(curves.elapsed(history()), [[1, 3, 4, 8], [0, 3, 6, 9]])


def test_step_functions_of_time() -> None:
    nan = np.nan
    times, values = curves.elapsed(history()), curves.incumbent_values(history())
    grid = np.array([0.5, 1, 2.9, 3, 7.9, 8, 8.5, 9, 9.5])
    expected = [
        [nan, 0.25, 0.25, 0.25, 0.25, 0.5, nan, nan, nan],  # spent at 8 s
        [nan, nan, nan, 0.375, 0.625, 0.625, 0.625, 0.625, nan],  # no answer before 3 s
    ]
    np.testing.assert_array_equal(curves.on_grid(times, values, grid), expected)


def test_time_grid_spans_where_all_seeds_are_at_work() -> None:
    a, b = np.array([[1.0, 5, 20], [2, 4, 30]]), np.array([[3.0, 9, 12], [4, 9, 11]])
    grid = curves.time_grid([a, b])
    assert (grid[0], grid[-1]) == (2, 20)
    assert len(curves.time_grid([np.zeros((3, 4))])) == 0


@pytest.mark.parametrize("budget", [1, 7, 160, 161, 5000])
def test_thinning_keeps_both_ends(budget: int) -> None:
    places = curves.thin(budget)
    assert (places[0], places[-1]) == (0, budget - 1)
    assert (np.diff(places) > 0).all()
    assert len(places) == min(budget, len(places)) <= 320
