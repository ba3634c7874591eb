"""Value learning, by hand."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.losses import (
    double_q_target,
    epsilon_ladder,
    n_step_bootstrapped_returns,
    take,
)

NO = [False] * 3


def test_double_q_selects_by_the_online_network_and_values_by_the_target():
    online, target = jnp.array([[1.0, 3.0, 2.0]]), jnp.array([[10.0, 20.0, 30.0]])
    found = double_q_target(jnp.array([0.5]), jnp.array([0.9]), target, online)
    np.testing.assert_allclose(found, [0.5 + 0.9 * 20.0])
    np.testing.assert_allclose(take(target, jnp.array([2])), [30.0])


@pytest.mark.parametrize(
    ("truncated", "reward", "discount", "last"),
    [
        (NO, 1 + 0.5 * 2 + 0.25 * 4, 0.125, 2),
        (
            [False, True, False],
            1 + 0.5 * 2,
            0.25,
            1,
        ),  # the sum ends, the value goes on from the real last observation
        ([True, False, True], 1.0, 0.5, 0),
        ([False, False, True], 1 + 0.5 * 2 + 0.25 * 4, 0.125, 2),
    ],
)
def test_n_step_returns_end_at_a_truncation_and_bootstrap_behind_it(
    truncated, reward, discount, last
):
    found = n_step_bootstrapped_returns(jnp.array([1.0, 2.0, 4.0]), jnp.array(truncated), 0.5)
    assert (float(found.reward), float(found.discount), int(found.last)) == (reward, discount, last)


def test_the_epsilon_ladder_is_ape_x():
    np.testing.assert_allclose(epsilon_ladder(3), [0.4, 0.4**4.5, 0.4**8], rtol=1e-5)
    np.testing.assert_allclose(epsilon_ladder(1), [0.4], rtol=1e-5)
