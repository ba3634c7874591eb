"""Learning curves and what they are extrapolated to; when a training is given up."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.early_stopping import EarlyStopping
from rlnas.agents.extrapolation import (
    FAMILIES,
    START,
    Extrapolation,
    curves,
    extrapolate,
    fit,
    solved,
)
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from tables import small_benchmark

X = np.arange(7, 99, 7, dtype=np.float32)
EXTRAPOLATE = jax.jit(
    lambda key, y, n: extrapolate(key, jnp.asarray(X), y, jnp.arange(len(X)) < n, 98.0, 8)
)


def test_the_nine_families_by_their_formulas() -> None:
    theta = np.array(
        [[0.9, 0.5, -0.3, 0], [0.9, 0.2, 0.1, -0.5], [0.9, -0.4, -0.8, -0.7], [0.9, 1.0, 0.2, 0],
         [0.9, 0.2, -2.0, -0.1], [0.9, 0.2, -2.0, 0.1], [0.9, 0.2, -1.0, -0.5],
         [0.9, 0.3, 1.0, 0], [0.05, 2.0, 0, 0]], np.float64
    )  # fmt: skip
    e, x = np.exp, X.astype(np.float64)
    t = theta
    expected = [
        t[0, 0] - t[0, 1] * x ** -e(t[0, 2]),
        t[1, 0] - (e(t[1, 1]) * x + e(t[1, 2])) ** -e(t[1, 3]),
        t[2, 0] - e(-e(t[2, 1]) * x ** e(t[2, 3]) + t[2, 2]),
        t[3, 0] / (1 + (x / e(t[3, 1])) ** -e(t[3, 2])),
        t[4, 0] - (t[4, 0] - t[4, 1]) * e(-((e(t[4, 2]) * x) ** e(t[4, 3]))),
        t[5, 0] - (t[5, 0] - t[5, 1]) / (1 + (e(t[5, 2]) * x) ** e(t[5, 3])),
        t[6, 0] - (t[6, 0] - t[6, 1]) * e(-e(t[6, 2]) * x ** e(t[6, 3])),
        t[7, 0] * x ** e(t[7, 1]) / (e(t[7, 2]) ** e(t[7, 1]) + x ** e(t[7, 1])),
        np.log(t[8, 0] * np.log(x) + t[8, 1]),
    ]
    assert len(FAMILIES) == len(expected) == len(START)
    found = curves(jnp.asarray(theta, jnp.float32), jnp.asarray(X))
    np.testing.assert_allclose(found, np.array(expected), rtol=2e-5)


def test_small_systems() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    matrix, right = root @ root.T + np.eye(4), rng.normal(size=4)
    found = solved(jnp.asarray(matrix, jnp.float32), jnp.asarray(right, jnp.float32))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-4)


def test_a_fit_finds_the_parameters_of_its_family() -> None:
    y = 0.94 - 0.5 * X**-0.8
    weights = jnp.ones(len(X), jnp.float32)
    theta, squares = jax.jit(lambda y: fit(jnp.asarray(START), jnp.asarray(X), y, weights, 40))(y)
    np.testing.assert_allclose(theta[0, :3], [0.94, 0.5, np.log(0.8)], rtol=0.02)
    assert float(squares[0]) < 1e-8


@pytest.mark.parametrize(
    ("curve", "points", "within"),
    [
        (lambda x: 0.94 - 0.5 * x**-0.8, 6, 0.003),
        (lambda x: 0.9 - 0.6 * np.exp(-0.05 * x), 10, 0.01),
    ],
)
def test_the_end_of_a_known_curve_is_recovered(curve: Any, points: int, within: float) -> None:
    end = float(curve(np.float64(98.0)))
    found = EXTRAPOLATE(jax.random.key(0), jnp.asarray(curve(X), jnp.float32), points)
    assert float(found.mean) == pytest.approx(end, abs=within)
    assert float(found.weights.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float(found.above(jnp.float32(end - 0.03))) > 0.95
    assert float(found.above(jnp.float32(end + 0.03))) < 0.05


def test_the_probability_of_more_by_hand() -> None:
    found = Extrapolation(
        values=jnp.array([[0.5, 0.7]]), weights=jnp.array([[0.25, 0.75]]),
        sigma=jnp.array([[0.1, 0.1]]),
    )  # fmt: skip
    assert float(found.mean) == pytest.approx(0.65)
    assert float(found.above(jnp.float32(0.6))) == pytest.approx(
        0.25 * 0.158655 + 0.75 * 0.841345, abs=1e-5
    )


BUDGETS = Budgets(tuple(range(1, 99)), continues=True)


def test_a_hopeless_training_is_given_up_and_a_good_one_is_not() -> None:
    """The first training has to go to its end; the second, 20 points worse, stops at the first
    look that may; the third, 3 points better, goes through."""
    space = small_benchmark().space
    agent = EarlyStopping(propose="evolution", correct=False).build_for(space, BUDGETS)
    tell, ask = jax.jit(agent.tell), jax.jit(agent.ask)
    state, looks = agent.init(jax.random.key(0)), []
    tops = iter((0.9, 0.7, 0.93))
    for t in range(14 + 5 + 14):
        choice, state = ask(jax.random.key(t), state)
        epoch = BUDGETS.epochs[int(choice.fidelity)]
        if epoch == 7:
            top = next(tops)
        looks.append(epoch)
        # A value on the way that is higher than any end is no best.
        val = jnp.float32(0.99 if t == 14 + 5 + 6 else top - 0.5 * epoch**-0.8)
        state = tell(state, choice, QueryResult(val, val, jnp.float32(1), jnp.bool_(True)))
    every = list(range(7, 99, 7))
    assert looks == [*every, *every[:5], *every]
    assert int(state.whole) == 2
    # Its proposer is told the ends of whole trainings, and of the other what it was taken for.
    ends = [top - 0.5 * 98**-0.8 for top in (0.9, 0.7, 0.93)]
    np.testing.assert_allclose(state.inner.vals[:3], ends, atol=0.006)
    assert float(state.best) == pytest.approx(0.93 - 0.5 * 98**-0.8, abs=1e-5)


def test_it_needs_curves() -> None:
    space = small_benchmark().space
    for budgets in (Budgets((4, 12, 36, 108)), Budgets((2, 5, 10, 20), continues=True)):
        with pytest.raises(UserError, match="more than 5 checkpoints of one training; found"):
            EarlyStopping().build_for(space, budgets)
