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
def test_one_missing_seed_leaves_the_point_undefined(statistic: stats.Ordered) -> None:
    values = np.array([[1.0, 2, 3, 4], [1, np.nan, 3, 4]])
    assert statistic(values).tolist()[0] == 2.5
    assert np.isnan(statistic(values)[1])
    estimate = stats.bootstrap([values[:, None]], statistic)
    assert np.isnan(estimate.low).tolist() == [False, True]
    assert np.isnan(estimate.high).tolist() == [False, True]


def resampled(strata: list[np.ndarray], replicates: int, seed: int) -> np.ndarray:
    """The slow, readable reference: for each replicate, which runs are drawn, as (stratum,
    training, seed); [replicates, runs of all strata, 3]."""
    rng = np.random.default_rng(seed)
    trainings, seeds = {x.shape[-2] for x in strata}, [x.shape[-1] for x in strata]
    assert len(trainings) == 1
    (n,) = trainings
    picked = rng.integers(n, size=(replicates, n)) if n > 1 else np.zeros((replicates, 1), int)
    draws: list[list[tuple[int, int, int]]] = [[] for _ in range(replicates)]
    for number, m in enumerate(seeds):
        places = rng.integers(m, size=(replicates, n, m))
        for replicate, drawn in enumerate(draws):
            for slot in range(n):
                training = picked[replicate, slot]
                drawn += [(number, training, place) for place in places[replicate, slot]]
    return np.array(draws)


@pytest.mark.parametrize("shapes", [[(1, 9)], [(5, 1)], [(4, 6)], [(1, 7), (1, 4)], [(3, 5)] * 2])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_bootstrap_is_the_plain_loop(shapes: list[tuple[int, int]], share: float) -> None:
    """Of seeds, of trainings, of both, of seeds in strata, of the same trainings in strata; with
    and without ties. Where all runs are drawn alike, draws are of ranks."""
    rng = np.random.default_rng(11)
    strata = [rng.normal(size=(3, *shape)) for shape in shapes]
    strata[0][1] = strata[0][1].round()
    if len(shapes) == 1 and 1 in shapes[0]:
        strata = [np.sort(strata[0].reshape(3, -1)).reshape(strata[0].shape)]
    low, high = [], []
    for point in range(3):
        found = [
            scipy.stats.trim_mean([strata[i][point, t, s] for i, t, s in draw], share)
            for draw in resampled(strata, 40, seed=5)
        ]
        low.append(np.quantile(found, 0.025))
        high.append(np.quantile(found, 0.975))
    statistic = stats.iqm if share else stats.mean
    estimate = stats.bootstrap(strata, statistic, replicates=40, seed=5)
    np.testing.assert_allclose(estimate.low, low, rtol=1e-9)
    np.testing.assert_allclose(estimate.high, high, rtol=1e-9)
    everything = np.concatenate([x.reshape(3, -1) for x in strata], axis=1)
    np.testing.assert_allclose(estimate.value, statistic(everything))


def test_bootstrap_agrees_with_scipy() -> None:
    values = RNG.exponential(size=60)
    ours = stats.bootstrap([values[None]], replicates=20_000)
    theirs = scipy.stats.bootstrap(
        (values,), stats.iqm, method="percentile", n_resamples=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(scipy.stats.trim_mean(values, 0.25))
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_bootstrap_keeps_the_strata_apart() -> None:
    """Each stratum keeps its share in every replicate: between near constants there is next to
    nothing left to vary."""
    low, high = np.array([[0.0, 0.01] * 3]), np.array([[1.0, 1.01] * 3])
    estimate = stats.bootstrap([low, high], stats.mean)
    assert 0.5 < estimate.low < estimate.high < 0.51
    pooled = stats.bootstrap([np.concatenate([low, high], axis=1)], stats.mean)
    assert pooled.low < 0.4 and pooled.high > 0.6


def test_trainings_that_differ_widen_the_interval() -> None:
    """200 searches of each of five trainings are five trainings, not 1,000 searches."""
    rng = np.random.default_rng(2)
    between = rng.normal(size=(5, 1))
    values = between + 0.01 * rng.normal(size=(5, 200))
    two_level = stats.bootstrap([values], stats.mean)
    of_trainings = stats.bootstrap([between], stats.mean)
    assert two_level.high - two_level.low == pytest.approx(
        of_trainings.high - of_trainings.low, rel=0.1
    )
    as_if = stats.bootstrap([values.reshape(1, -1)], stats.mean)
    assert two_level.high - two_level.low > 5 * (as_if.high - as_if.low)


@pytest.mark.parametrize("values", [[3.0] * 8, [3.0] * 199 + [7.0], [3.0]])
def test_no_interval_has_no_width(values: list[float]) -> None:
    """Where all runs, or nearly all, end alike, the bootstrap has nothing to vary."""
    for shape in ((1, -1), (-1, 1)):
        estimate = stats.bootstrap([np.reshape(values, shape)])
        assert estimate.value == 3
        assert np.isnan([estimate.low, estimate.high]).all()
    assert np.isnan(stats.interval(0.7, np.full(50, 0.7)).low)


def test_the_interval_covers_what_it_says() -> None:
    samples = np.random.default_rng(3).normal(size=(400, 40))
    estimate = stats.bootstrap([samples[:, None]], replicates=500)
    covered = ((estimate.low <= 0) & (estimate.high >= 0)).mean()
    assert 0.90 <= covered <= 0.98


def improvement(x: np.ndarray, y: np.ndarray, **kwargs: int) -> stats.Improvement:
    return stats.probability_of_improvement([x[None]], [y[None]], **kwargs)


def test_improvement_by_hand() -> None:
    x, y = np.array([1.0, 2, 3]), np.array([2.0, 2])
    found = improvement(x, y)
    assert (found.above.value, found.equal) == (0.5, pytest.approx(1 / 3))
    sure = improvement(y + 5, x)
    assert (sure.above.value, sure.equal) == (1, 0)
    same = improvement(np.ones(4), np.ones(6))
    assert (same.above.value, same.equal) == (0.5, 1)
    for alike in (sure, same):  # no interval of no width
        assert np.isnan([alike.above.low, alike.above.high]).all()
    undefined = improvement(x, np.array([np.nan, 1]))
    assert np.isnan([*undefined.above, undefined.equal]).all()


def test_improvement_is_the_mean_over_benchmarks_with_trainings_drawn() -> None:
    rng = np.random.default_rng(4)
    x, y = [rng.normal(size=(3, 5)) for _ in range(2)], [rng.normal(size=(1, 4)) for _ in range(2)]
    found = stats.probability_of_improvement(x, y, replicates=30, seed=6).above
    by_hand = [improvement(a.ravel(), b.ravel()).above.value for a, b in zip(x, y, strict=True)]
    assert found.value == pytest.approx(np.mean(by_hand))
    replicates = [
        np.mean(
            [
                np.mean(
                    [x[i][t, s] > y[i][v, w] for j, t, s in a if j == i for k, v, w in b if k == i]
                )
                for i in range(2)
            ]
        )
        for a, b in zip(resampled(x, 30, 6), resampled(y, 30, 7), strict=True)
    ]
    assert (found.low, found.high) == pytest.approx(np.quantile(replicates, [0.025, 0.975]))


def test_improvement_agrees_with_scipy() -> None:
    x, y = RNG.integers(0, 12, 40) * 1.0, RNG.integers(0, 10, 30) * 1.0
    ours = improvement(x, y, replicates=8000).above
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
    reverse = improvement(y, x).above
    assert ours.value + reverse.value == pytest.approx(1)


def test_statistics_leave_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    stats.bootstrap([RNG.normal(size=(2, 10))])
    improvement(RNG.normal(size=5), RNG.normal(size=5))
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
        objectives=np.array([[[0.5, 3.0]] * 4, [[nan, 2.0]] * 4], np.float32),
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


def test_an_unknown_time_is_not_none() -> None:
    """Where an answer's seconds are unknown, so is the time from there on."""
    known = history()
    assert curves.timed(known)
    seconds = np.array(known.sim_seconds)
    seconds[0, 2] = np.nan
    some = known._replace(sim_seconds=seconds)
    np.testing.assert_array_equal(curves.elapsed(some)[0], [1, 3, np.nan, np.nan])
    assert not curves.timed(some)
    assert not curves.timed(known._replace(sim_seconds=seconds * np.nan))


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
