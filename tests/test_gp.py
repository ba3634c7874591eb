"""The Gaussian process against plain numpy, and the agent on problems whose answer is known."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm, rankdata

from rlnas.agents import gp
from rlnas.agents.gaussian_process import (
    expected_improvement,
    inverse_factor,
    normal_scores,
    predict,
    process,
    smoothed,
    with_row,
)
from rlnas.agents.gp import GP
from rlnas.agents.occasional import when
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.bench import memory
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.candidates import candidates
from rlnas.bench.coded import Coded
from rlnas.bench.errors import UserError
from rlnas.bench.nb201.space import CellSpace
from rlnas.bench.stand_ins import GridBenchmark, scrambled

ROOM, POINTS = 9, 6
RNG = np.random.default_rng(0)
PLACES = RNG.normal(size=(POINTS + 4, 3))
VALUES = np.append(RNG.normal(size=POINTS), [7.0] * (ROOM - POINTS)).astype(np.float32)
USED = jnp.arange(ROOM) < POINTS
NOISE = 0.1


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.exp(-np.linalg.norm(a[:, None] - b, axis=-1))


COVARIANCE = correlation(PLACES[:POINTS], PLACES[:POINTS]) + NOISE * np.eye(POINTS)


def padded(matrix: np.ndarray) -> jax.Array:
    """Rows and columns of the places that are not used hold anything."""
    out = np.full((ROOM, matrix.shape[1] if matrix.shape[1] != POINTS else ROOM), 3.0)
    out[: matrix.shape[0], : matrix.shape[1]] = matrix
    return jnp.asarray(out, jnp.float32)


def test_a_factor_made_row_by_row_is_the_factor_of_all() -> None:
    inverse = jnp.zeros((ROOM, ROOM), jnp.float32)
    for at in range(POINTS):
        row = jnp.zeros(ROOM).at[:at].set(COVARIANCE[at, :at])
        inverse = with_row(inverse, row, jnp.float32(1 + NOISE), jnp.int32(at))
    expected = np.zeros((ROOM, ROOM))
    expected[:POINTS, :POINTS] = np.linalg.inv(np.linalg.cholesky(COVARIANCE))
    np.testing.assert_allclose(inverse, expected, atol=1e-5)
    np.testing.assert_allclose(inverse_factor(padded(COVARIANCE), USED), expected, atol=1e-5)


def test_the_posterior_is_that_of_plain_linear_algebra() -> None:
    """Mean of the process by generalised least squares, its variance by the whitened residuals,
    then the two formulas that everyone knows."""
    inverse = inverse_factor(padded(COVARIANCE), USED)
    found, evidence = process(inverse, jnp.asarray(VALUES), USED)
    precision, ones, y = np.linalg.inv(COVARIANCE), np.ones(POINTS), VALUES[:POINTS]
    mean = ones @ precision @ y / (ones @ precision @ ones)
    left = y - mean
    variance = (left @ precision @ left + 1) / (POINTS + 1)
    assert float(found.mean) == pytest.approx(mean, abs=1e-5)
    assert float(found.variance) == pytest.approx(variance, rel=1e-5)
    log_det = np.linalg.slogdet(COVARIANCE)[1]
    expected = -log_det / 2 - (POINTS + 1) / 2 * np.log(variance)
    assert float(evidence) == pytest.approx(expected, rel=1e-4)
    across = correlation(PLACES[:POINTS], PLACES[POINTS:])
    at_places, deviation = predict(inverse, found, jnp.where(USED[:, None], padded(across), 0.0))
    np.testing.assert_allclose(at_places, mean + across.T @ precision @ left, atol=1e-5)
    means = smoothed(inverse, found, jnp.where(USED, VALUES, 0.0), jnp.float32(NOISE))
    within = COVARIANCE - NOISE * np.eye(POINTS)
    np.testing.assert_allclose(means[:POINTS], mean + within @ precision @ left, atol=1e-5)
    prior = variance * (1 - np.einsum("ip,ij,jp->p", across, precision, across))
    np.testing.assert_allclose(deviation, np.sqrt(prior), atol=1e-5)


def test_expected_improvement_is_the_mean_of_what_is_above() -> None:
    mean, deviation = jnp.array([0.0, 1.0, -2.0]), jnp.array([1.0, 0.5, 0.1])
    found = expected_improvement(mean, deviation, jnp.float32(0.8))
    draws = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    expected = [
        np.maximum(m + s * draws - 0.8, 0).mean() for m, s in zip(mean, deviation, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_values_count_by_their_rank() -> None:
    values = jnp.array([0.7, 0.1, 0.9, 0.7, 0.5, 0.0])
    scores = normal_scores(values, jnp.arange(6) < 5)
    expected = norm.ppf((rankdata([0.7, 0.1, 0.9, 0.7, 0.5]) - 0.5) / 5)
    np.testing.assert_allclose(scores, [*expected, 0], atol=1e-5)


# The agent


SPACE = CellSpace(4)
KERNEL = gp.kernel_of(SPACE, "paths")


def points_of(archs: Any, vals: list[float], room: int) -> gp.Points:
    """Told one after the other."""
    agent = GP(points=room, memory=20).build(SPACE)
    state = agent.init(jax.random.key(0))
    tell = jax.jit(agent.tell)
    for arch, val in zip(archs, vals, strict=True):
        x = jnp.float32(val)
        state = tell(state, arch, QueryResult(x, x, x, ~jnp.isnan(x)))
    return state.points


@pytest.fixture(scope="module")
def archs() -> Any:
    return jax.vmap(SPACE.sample)(jax.random.split(jax.random.key(0), 8))


@pytest.mark.parametrize("name", ["paths", "traits", "wl"])
def test_kernels_are_correlations(name: Any, archs: Any) -> None:
    kernel = gp.kernel_of(SPACE, name)
    codes = jax.vmap(kernel.code)(archs)
    for settings in kernel.settings:
        found = np.asarray(kernel.correlation(codes, codes, settings))
        np.testing.assert_allclose(np.diag(found), 1, atol=2e-3)
        np.testing.assert_allclose(found, found.T, atol=1e-6)
        assert np.linalg.eigvalsh(found).min() > -2e-3
        assert (-1 if name == "traits" else 0) <= found.min() < 0.9


def test_half_of_a_kernel_is_linear_in_traits(archs: Any) -> None:
    whole, half = (gp.kernel_of(SPACE, name) for name in ("traits", "paths"))  # type: ignore[arg-type]
    (settings,) = whole.settings
    assert (settings == half.settings[0].at[-2].set(0.7)).all()
    found, paths = (
        np.asarray(kernel.correlation(codes, codes, settings))
        for kernel in (whole, half)
        for codes in [jax.vmap(kernel.code)(archs)]
    )
    traits = np.asarray(jax.vmap(Coded.of(SPACE).traits)(archs))
    ones = np.hstack([traits, np.ones((len(traits), 1))])
    ones /= np.linalg.norm(ones, axis=1, keepdims=True)
    np.testing.assert_allclose(found, (paths + ones @ ones.T) / 2, atol=1e-5)


def test_settings_are_those_of_the_largest_evidence(archs: Any) -> None:
    vals = [0.1, 0.5, 0.3, 0.9, 0.8, 0.2]
    points = gp.fitted(KERNEL, points_of(archs[:6], vals, 8))
    codes, scores = points.codes[:6], norm.ppf((rankdata(vals) - 0.5) / 6)
    evidences = []
    for settings in KERNEL.settings:
        covariance = np.asarray(KERNEL.correlation(codes, codes, settings), np.float64)
        np.fill_diagonal(covariance, 1 + settings[-1])
        precision, ones = np.linalg.inv(covariance), np.ones(6)
        left = scores - ones @ precision @ scores / precision.sum()
        variance = (left @ precision @ left + 1) / 7
        evidences.append(-np.linalg.slogdet(covariance)[1] / 2 - 3.5 * np.log(variance))
    assert (points.settings == KERNEL.settings[int(np.argmax(evidences))]).all()


def test_settings_are_chosen_anew_every_few_queries() -> None:
    """Answers without a trend make the linear share, with which it begins, unlikely."""
    space, vals = GridBenchmark().space, np.random.default_rng(1).random(20)
    agent = GP(initial=2, refit=6, points=32).build(space)
    ask, tell = jax.jit(agent.ask), jax.jit(agent.tell)
    state, seen = agent.init(jax.random.key(0)), []
    for i, val in enumerate(vals):
        arch, state = ask(jax.random.key(i), state)
        seen.append(float(state.points.settings[-2]))
        value = jnp.float32(val)
        state = tell(state, arch, QueryResult(value, value, value, jnp.array(True)))
    changes = {i for i in range(1, 20) if seen[i] != seen[i - 1]}
    assert changes and changes <= {2, 8, 14}


def test_an_answer_without_a_value_is_no_point(archs: Any) -> None:
    with_gap = points_of(archs[:4], [0.5, float("nan"), 0.7, 0.2], 8)
    without = points_of(archs[jnp.array([0, 2, 3])], [0.5, 0.7, 0.2], 8)
    assert int(with_gap.used) == 3
    for a, b in zip(with_gap, without, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_where_there_is_no_room_the_latest_and_the_best_stay(archs: Any) -> None:
    vals = [0.1, 0.9, 0.3, 0.2, 0.8, 0.4, 0.0, 0.5]
    full = points_of(archs, vals, 8)
    half = gp.fitted(KERNEL, gp.halved_if_full(full))
    assert int(half.used) == 4
    np.testing.assert_allclose(half.vals[:4], [0.9, 0.8, 0.0, 0.5])
    again = gp.fitted(KERNEL, points_of(archs[jnp.array([1, 4, 6, 7])], [0.9, 0.8, 0.0, 0.5], 8))
    np.testing.assert_allclose(half.inverse, again.inverse, atol=1e-5)
    few = points_of(archs[:3], vals[:3], 8)
    assert int(gp.halved_if_full(few).used) == 3


@pytest.mark.parametrize("room", [40, 16])
def test_it_finds_the_best_of_a_smooth_landscape(room: int) -> None:
    """81 vectors, each digit counts on its own; also where it has to forget."""
    history = run_seeds(GP(fresh=20, points=room, memory=64), GridBenchmark(), 40, seed_keys(0, 20))
    assert (np.asarray(history.val).max(axis=1) == 80 / 128).mean() > 0.9
    assert np.asarray(history.is_new)[:, 2:].all()


def test_what_had_no_answer_is_not_asked_again() -> None:
    there = scrambled(120, 6, missing=0.5)
    history = run_seeds(GP(fresh=40, points=40), there, 40, seed_keys(0, 10))
    assert np.asarray(history.is_new)[:, 2:].all()
    assert not np.asarray(history.valid).all()


def test_candidates_are_fresh_or_near_the_best_and_not_asked(archs: Any) -> None:
    asked = memory.empty(SPACE, 8)
    for arch, val in zip(archs[:5], [0.1, 0.9, 0.3, 0.8, jnp.nan], strict=True):
        x = jnp.float32(val)
        asked = memory.remember(asked, arch, QueryResult(x, x, x, ~jnp.isnan(x)))
    found, allowed = jax.jit(lambda key: candidates(key, SPACE, asked, 6, 18, 30))(
        jax.random.key(0)
    )
    assert found.shape == (30 + 6 * 18, 6)
    near, may = found[30:].reshape(6, 18, 6), allowed[30:].reshape(6, 18)
    for i, parent in enumerate((1, 3, 2, 0)):
        assert ((near[i] != archs[parent]).sum(-1) == 1).all()
    assert not may[4:].any() and may[:4].mean() > 0.9
    known = {np.asarray(arch).tobytes() for arch in archs[:5]}
    told = [np.asarray(arch).tobytes() not in known for arch in found[:30]]
    assert np.asarray(allowed[:30]).tolist() == told


def test_occasional_work_is_done_when_it_is_due_and_once_for_all() -> None:
    table = jnp.arange(3.0)

    def search(start: Any) -> Any:
        def step(state: Any, t: Any) -> Any:
            due = (t + start.astype(int) // 4) % 3 == 2
            state = when(due, lambda s, shared: jnp.sort(s) + shared[1], state, table)
            return state - 0.25, state

        return jax.lax.scan(step, jnp.array([2.0, 0.0, 1.0]) * start, jnp.arange(7))[1]

    starts = jnp.array([1.0, 2.0, 3.0, 4.0])  # the last is due at other times
    together = jax.jit(jax.vmap(search))(starts)
    np.testing.assert_array_equal(together, jnp.stack([search(start) for start in starts]))
    nested = jax.vmap(jax.vmap(search))(starts.reshape(2, 2)).reshape(4, 7, 3)
    np.testing.assert_array_equal(together, nested)
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(search))(starts))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"initial": 0}, "initial=0; expected at least 1"),
        ({"points": 4}, "points=4; expected at least 8"),
        ({"parents": 600}, "parents=600; expected at most memory=512"),
    ],
)
def test_bad_settings_are_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        GP(**options)
