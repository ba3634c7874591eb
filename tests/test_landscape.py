"""Landscapes worked out by hand, walks against plain loops and exact chains."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.analysis.landscape.text import spelled
from rlnas.bench import landscape
from rlnas.bench.errors import UserError
from rlnas.bench.rewards import Exponential, Linear
from rlnas.bench.stand_ins import GridBenchmark, ListBenchmark, make, ring, scrambled

KEY = jax.random.key(0)


def listed(benchmark: ListBenchmark) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(values, offsets, flat)."""
    lists = landscape.lists_of(benchmark)
    assert lists is not None
    return np.asarray(landscape.values_of(benchmark)[0]), *lists


def complete(val: list[float]) -> ListBenchmark:
    return make([[j for j in range(len(val)) if j != i] for i in range(len(val))], np.array(val))


# Two hills on a ring of eight: rows 2 and 6 are the tops, 0 and 4 the valleys.
HILLS = [0.1, 0.5, 0.9, 0.5, 0.2, 0.6, 0.8, 0.3]


def test_two_basins_on_a_ring() -> None:
    values, *lists = listed(ring(np.array(HILLS)))
    ascent = landscape.steepest_ascent(values, *lists)
    assert ascent.end.tolist() == [2, 2, 2, 2, 6, 6, 6, 6]  # 4 prefers .6 to .5
    assert ascent.steps.tolist() == [2, 1, 0, 1, 2, 1, 0, 1]
    optima = landscape.local_optima(values, *lists, ascent)
    assert optima.row.tolist() == [2, 6]
    assert optima.rank.tolist() == [1, 2]
    assert optima.basin.tolist() == [4, 4]
    assert optima.strict.all() and (optima.degree == 2).all()


def test_a_complete_graph_has_one_optimum() -> None:
    values, *lists = listed(complete([0.3, 0.9, 0.1, 0.5]))
    optima = landscape.local_optima(values, *lists)
    assert (optima.row.tolist(), optima.basin.tolist()) == ([1], [4])
    assert landscape.steepest_ascent(values, *lists).steps.tolist() == [1, 0, 1, 1]


def test_plateaus_are_not_crossed_and_not_strict() -> None:
    """A path 0-1-2-3 with a plateau in 1, 2 below the top 3; equal best neighbours: the lowest
    row."""
    values, *lists = listed(make([[1], [0, 2], [1, 3], [2]], np.array([0.2, 0.5, 0.5, 0.9])))
    optima = landscape.local_optima(values, *lists)
    assert optima.row.tolist() == [3, 1]
    assert optima.basin.tolist() == [2, 2]
    assert optima.strict.tolist() == [True, False]
    values, *lists = listed(make([[2, 1], [0], [0]], np.array([0.1, 0.5, 0.5])))
    assert landscape.steepest_ascent(values, *lists).end.tolist() == [1, 1, 2]


def test_missing_values_and_missing_neighbours() -> None:
    """0 -> 1 (no value) -> 2; 3 has no neighbours at all: an optimum, but not a strict one."""
    values, *lists = listed(make([[1], [0, 2], [1], []], np.array([0.3, np.nan, 0.9, 0.4])))
    ascent = landscape.steepest_ascent(values, *lists)
    assert ascent.end.tolist() == [0, -1, 2, 3]
    assert ascent.steps.tolist() == [0, -1, 0, 0]
    optima = landscape.local_optima(values, *lists)
    assert optima.row.tolist() == [2, 3, 0]
    assert not optima.strict.any() and not optima.degree.any()
    assert landscape.ranks(values).tolist() == [3, -1, 1, 2]
    assert not len(landscape.all_moves(values, *lists).weight)
    with pytest.raises(UserError, match="no move joins"):
        landscape.reward_profile(landscape.all_moves(values, *lists), Linear())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(2, 40),
    missing=st.sampled_from([0.0, 0.3]),
    levels=st.integers(2, 9),
)
def test_optima_are_those_of_a_plain_climb(
    seed: int, rows: int, missing: float, levels: int
) -> None:
    """Few levels: many plateaus. Directed lists: a neighbour need not be one back."""
    benchmark = scrambled(rows, min(4, (rows - 1) // 2), seed, missing)
    values = np.round(np.asarray(benchmark.val, np.float64) * levels) / levels
    offsets, flat = (
        np.asarray(benchmark.space.offsets),
        np.asarray(benchmark.space.flat)[: benchmark.space.offsets[-1]],
    )

    def climb(row: int) -> tuple[int, int]:
        steps = 0
        while True:
            around = [
                r for r in sorted(flat[offsets[row] : offsets[row + 1]]) if values[r] > values[row]
            ]
            if not around:
                return row, steps
            row, steps = max(around, key=lambda r: values[r]), steps + 1  # the first of the best

    ascent = landscape.steepest_ascent(values, offsets, flat)
    found = list(zip(ascent.end.tolist(), ascent.steps.tolist(), strict=True))
    assert found == [(-1, -1) if np.isnan(values[row]) else climb(row) for row in range(rows)]
    optima = landscape.local_optima(values, offsets, flat, ascent)
    assert optima.basin.sum() == (~np.isnan(values)).sum()
    for row, strict, degree in zip(optima.row, optima.strict, optima.degree, strict=True):
        around = values[flat[offsets[row] : offsets[row + 1]]]
        around = around[~np.isnan(around)]
        assert degree == len(around)
        assert strict == (len(around) > 0 and (around < values[row]).all())


def test_ranks_by_hand() -> None:
    values = np.array([0.5, 0.9, np.nan, 0.5, 0.1])
    assert landscape.ranks(values).tolist() == [2, 1, -1, 2, 4]


def test_rank_profile_by_hand() -> None:
    """A star: the middle is the best; two groups of two."""
    values, *lists = listed(make([[1, 2, 3], [0], [0], [0]], np.array([0.9, 0.5, 0.25, 0.125])))
    profile = landscape.rank_profile(values, *lists, groups=2)
    assert profile.share.tolist() == [0.25, 0.75]
    assert profile.degree.tolist() == [2.0, 1.0]
    np.testing.assert_allclose(profile.value, [0.7, 0.1875], rtol=1e-6)
    np.testing.assert_allclose(profile.gain, [0.0, (0.65 + 0.775) / 2], atol=1e-6)  # -.4 and .4
    assert profile.better.tolist() == [0.5, 1.0]
    assert profile.spearman == pytest.approx(6 / np.sqrt(5 * 12))


# Random walks


def test_autocorrelation_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(10, 40)).cumsum(axis=1)
    values[rng.random(values.shape) < 0.2] = np.nan
    found = landscape.autocorrelation(values, 5, resamples=50)
    for lag in range(6):
        pairs = [(row[t], row[t + lag]) for row in values for t in range(40 - lag)]
        x, y = np.array([pair for pair in pairs if not np.isnan(pair).any()]).T
        assert found.rho[lag] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
    assert (found.low <= found.rho + 1e-12).all() and (found.rho <= found.high + 1e-12).all()
    assert found.rho[0] == pytest.approx(1)
    assert found.length[0] == pytest.approx(-1 / np.log(found.rho[1]))
    assert found.decay[0] == pytest.approx(-1 / np.log(found.rho[2] / found.rho[1]))


def test_the_length_of_an_autoregressive_process_also_under_noise() -> None:
    """rho(lag) = .8^lag; noise of the signal's variance halves all but the first, which `decay`
    does not mind."""
    rng = np.random.default_rng(0)
    shocks = rng.normal(size=(300, 400))
    series = shocks.copy()
    for t in range(1, 400):
        series[:, t] = 0.8 * series[:, t - 1] + 0.6 * shocks[:, t]
    exact = -1 / np.log(0.8)
    clean = landscape.autocorrelation(series, 3)
    assert clean.length[1] < exact < clean.length[2]
    np.testing.assert_allclose(clean.rho, 0.8 ** np.arange(4), atol=0.01)
    noisy = landscape.autocorrelation(series + rng.normal(size=series.shape), 3)
    assert noisy.length[0] == pytest.approx(-1 / np.log(0.4), rel=0.05)
    assert noisy.decay[1] < exact < noisy.decay[2]


@pytest.mark.parametrize("kind", ["autoregressive ring", "wave on a ring", "complete"])
def test_walks_have_the_autocorrelation_of_their_chain(kind: str) -> None:
    """Exact: cov(lag) = sum_i pi_i f_i (P^lag f)_i, with pi uniform on a regular graph."""
    if kind == "complete":
        f = np.array([0.1, 0.9, 0.4, 0.35, 0.6])
        benchmark, step = complete(f.tolist()), (np.ones((5, 5)) - np.eye(5)) / 4
    else:
        m = 64
        f = 0.5 + 0.4 * np.cos(2 * np.pi * np.arange(m) / m)
        if kind != "wave on a ring":
            shocks = np.random.default_rng(3).normal(size=2 * m)
            f = np.convolve(shocks, 0.7 ** np.arange(m + 1), "valid") * 0.05 + 0.5
            f = f[:m]
        benchmark, step = ring(f), (np.roll(np.eye(m), 1, 0) + np.roll(np.eye(m), -1, 0)) / 2
    g = f - f.mean()
    exact = [g @ np.linalg.matrix_power(step, lag) @ g / (g @ g) for lag in range(5)]
    val, test = landscape.random_walks(benchmark, KEY, 2000, 100, burn_in=3)
    assert val.shape == test.shape == (2000, 100)
    found = landscape.autocorrelation(np.asarray(val), 4)
    np.testing.assert_allclose(found.rho, exact, atol=0.02)
    np.testing.assert_allclose(test, 1 - val, rtol=1e-6)
    if kind == "wave on a ring":
        assert exact[3] == pytest.approx(np.cos(2 * np.pi / m) ** 3)


def test_walks_go_through_cells_without_a_value_and_end_where_there_is_no_way() -> None:
    benchmark = make([[1], [2], [0]], np.array([0.1, np.nan, 0.3]))
    val = np.asarray(landscape.random_walks(benchmark, KEY, 20, 9)[0])
    assert (np.isnan(val).sum(axis=1) == 3).all()
    benchmark = make([[1], []], np.array([0.1, 0.2]))
    val = np.asarray(landscape.random_walks(benchmark, KEY, 20, 4)[0])
    assert {tuple(np.nan_to_num(row).round(1)) for row in val.tolist()} == {
        (0.1, 0.2, 0, 0),
        (0.2, 0, 0, 0),
    }


def test_walks_and_moves_on_a_space_of_vectors() -> None:
    benchmark = GridBenchmark()
    assert landscape.lists_of(benchmark) is None
    val = np.asarray(landscape.random_walks(benchmark, KEY, 30, 50)[0])
    steps = np.abs(np.diff(val)) * 128
    assert set(np.unique(steps)) <= {d * 3**i for d in (1, 2) for i in range(4)}
    moves = landscape.moves_of(benchmark, KEY, 500)
    assert len(moves.weight) == 500
    assert set(np.unique(np.abs(moves.after - moves.before) * 128)) <= {
        d * 3**i for d in (1, 2) for i in range(4)
    }


def test_too_many_lags_are_refused() -> None:
    with pytest.raises(UserError, match="found 9 lags for walks of 9 cells"):
        landscape.autocorrelation(np.zeros((2, 9)), 9)


@pytest.mark.parametrize(
    ("factor", "length"), [(np.exp(-0.5), 2.0), (0.0, 0.0), (-0.3, 0.0), (1.0, np.inf)]
)
def test_correlation_lengths_at_the_ends(factor: float, length: float) -> None:
    assert landscape.correlation_length(float(factor)) == pytest.approx(length)


def test_nothing_varies() -> None:
    found = landscape.autocorrelation(np.ones((3, 10)), 1, resamples=10)
    assert (
        np.isnan(found.rho).all() and np.isnan(found.length).all() and np.isnan(found.decay).all()
    )


def test_few_walks_have_no_interval() -> None:
    values = np.random.default_rng(0).normal(size=(10, 30)).cumsum(axis=1)
    for walks in (9, 10):
        found = landscape.autocorrelation(values[:walks], 3, resamples=50)
        assert np.isfinite([*found.rho, found.length[0], found.decay[0]]).all()
        ends = [*found.low[1:], *found.high[1:], *found.length[1:], *found.decay[1:]]
        assert np.isnan(ends).all() == np.isnan(ends).any() == (walks < 10)
        assert ("[-]" in spelled(found.length)) == (walks < 10)


def test_walks_that_turn_back_have_no_length_beyond_lag_1() -> None:
    """Each goes to and fro between two cells: they remember the last but one better."""
    first, noise = np.random.default_rng(0).normal(size=(2, 200))
    found = landscape.autocorrelation(np.tile(np.stack([first, first / 2 + noise], 1), 10), 4)
    assert found.rho[2] > found.rho[1] > 0.2
    assert np.isnan(found.decay).all() and np.isfinite(found.length).all()


# Shaped rewards


def test_rewards_by_hand() -> None:
    """A star: from the middle each ray with 1/3 of 1/4; from each ray the middle with 1/4."""
    values, *lists = listed(make([[1, 2, 3], [0], [0], [0]], np.array([0.5, 0.75, 0.5, 0.25])))
    moves = landscape.all_moves(values, *lists)
    np.testing.assert_allclose(moves.weight, [1 / 12] * 3 + [1 / 4] * 3)
    profile = landscape.reward_profile(moves, Linear(), np.array([-9.0, -0.5, 0.5, 9.0]))
    assert profile.mean == pytest.approx(0)
    assert profile.sd == pytest.approx(0.25 * np.sqrt(2 / 12 + 2 / 4))
    assert profile.positive == pytest.approx(1 / 12 + 1 / 4)
    assert profile.zero == pytest.approx(1 / 12 + 1 / 4)
    assert profile.largest == 0.25
    assert profile.peaked == pytest.approx(
        0.01 / (1 / 3)
    )  # all gains are alike, and a third of the moves gain
    np.testing.assert_allclose(profile.histogram, [1 / 3] * 3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), alpha=st.floats(0.5, 50))
def test_rewards_of_any_landscape(seed: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    before, after = rng.uniform(0.3, 1, (2, 200)).astype(np.float32)
    weight = rng.dirichlet(np.ones(200))
    moves = landscape.Moves(before, after, weight)
    profile = landscape.shaped_rewards(moves, [alpha])[alpha]
    reward = np.exp(alpha * (after.astype(float) - 1)) - np.exp(alpha * (before.astype(float) - 1))
    assert profile.mean == pytest.approx(weight @ reward, abs=1e-5)
    assert profile.largest == pytest.approx(reward.max(), abs=1e-5)
    assert profile.histogram.sum() == pytest.approx(1)
    assert profile.positive == pytest.approx(weight[reward > 0].sum())
    assert 0.01 <= profile.peaked <= 1
    back = landscape.reward_profile(landscape.Moves(after, before, weight), Exponential(alpha))
    assert back.mean == pytest.approx(-profile.mean) and back.sd == pytest.approx(profile.sd)


def test_drawn_moves_agree_with_all_moves() -> None:
    benchmark = scrambled(30, 4, missing=0.2)
    values, *lists = listed(benchmark)
    exact = landscape.reward_profile(landscape.all_moves(values, *lists), Exponential(6.0))
    moves = landscape.sampled_moves(benchmark, KEY, 40_000)
    assert 10_000 < len(moves.weight) < 40_000
    drawn = landscape.reward_profile(moves, Exponential(6.0))
    # Drawn starts whose neighbour lacks a value are lost, so cells weigh by their share of known
    # neighbours.
    assert drawn.sd == pytest.approx(exact.sd, rel=0.1)
    assert drawn.positive == pytest.approx(exact.positive, abs=0.05)


def test_principal_components_are_those_of_the_svd() -> None:
    points = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 0]
    found, shares = landscape.principal_components(points)
    centred = points - points.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(found), np.abs(u[:, :2] * s[:2]), atol=1e-10)
    np.testing.assert_allclose(shares, s[:2] ** 2 / (s**2).sum())
