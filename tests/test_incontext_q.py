"""Double Q-learning of candidates, by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.incontext_q import Targets, action_values, double_q_returns, loss, targets
from rlnas.agents.networks import MASKED

Q_ONLINE = jnp.array([[9.0, 9.0, 9.0], [1.0, 3.0, MASKED], [5.0, MASKED, 2.0]])
Q_TARGET = jnp.array([[7.0, 7.0, 7.0], [40.0, 20.0, MASKED], [0.5, MASKED, 60.0]])
REWARDS = jnp.array([1.0, 2.0, 4.0])


def test_values_rank_as_scores_and_average_to_the_state_s_value():
    scores, allowed = jnp.log(jnp.array([1.0, 4.0, 2.0])), jnp.array([True, True, False])
    q = action_values(scores, jnp.float32(10.0), allowed)
    np.testing.assert_allclose(q, [10 + 1 - 2.5, 10 + 4 - 2.5, MASKED])


def test_targets_select_by_the_online_network_and_value_by_the_target_network():
    found = double_q_returns(REWARDS, Q_TARGET, Q_ONLINE, 0.5, 1)
    np.testing.assert_allclose(found, [1 + 0.5 * 20, 2 + 0.5 * 0.5, 4.0])


def test_masked_candidates_are_never_chosen_nor_is_anything_where_all_are():
    none = jnp.full(3, MASKED)
    online = Q_ONLINE.at[2].set(none)
    found = double_q_returns(REWARDS, Q_TARGET.at[2].set(none), online, 0.5, 1)
    np.testing.assert_allclose(found, [1 + 0.5 * 20, 2.0, 4.0])
    below = jnp.where(Q_ONLINE > MASKED / 2, Q_ONLINE - 100, MASKED)
    found = double_q_returns(REWARDS, Q_TARGET, below, 0.5, 1)
    np.testing.assert_allclose(found, [1 + 0.5 * 20, 2 + 0.5 * 0.5, 4.0])


def test_the_end_of_an_episode_cuts_the_bootstrap_of_n_steps():
    found = double_q_returns(REWARDS, Q_TARGET, Q_ONLINE, 0.5, 2)
    np.testing.assert_allclose(found, [1 + 0.5 * 2 + 0.25 * 0.5, 2 + 0.5 * 4, 4.0])


def test_what_is_known_of_an_action_not_taken_is_its_reward_and_the_average_after():
    rises = jnp.array([[[1.0, 0.0, 3.0], [2.0, 0.0, 0.0], [0.0, 0.0, 4.0]]])
    chances = jnp.array([[[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.5, 0.0, 0.5]]])
    wanted = targets(REWARDS[None], rises, chances, Q_ONLINE[None], Q_TARGET[None], 0.5, 1)
    after = 0.5 * 6 + 0.25 * 7 + 0.25 * 4
    np.testing.assert_allclose(wanted.known[0, 0], [1 + after, after, 3 + after])
    last = 0.5 * 0.5 + 0.5 * 56
    np.testing.assert_allclose(wanted.known[0, 2], [last, last, 4 + last])
    np.testing.assert_allclose(wanted.taken[0], [11, 2.25, 4])
    apart = (11 - 1 - after) ** 2 + np.var([1, 0, 3])
    np.testing.assert_allclose(wanted.spread[0, 0], np.sqrt(apart), rtol=1e-6)


def some_targets(taken: float) -> Targets:
    return Targets(
        jnp.float32(taken), jnp.array([1.0, 0.0, 9.0]), jnp.array([0.75, 0.25, 0.0]),
        jnp.float32(2.0),
    )  # fmt: skip


def test_the_loss_is_huber_s_with_the_known_part_of_all_actions():
    q = jnp.array([0.0, 1.0, MASKED])
    near, far = 0.5 * 0.5**2, 2.0 - 0.5  # errors of 1 / 2 and 4 / 2
    found = loss(q, jnp.int32(0), some_targets(4.0))
    np.testing.assert_allclose(found, far - near + 0.75 * near + 0.25 * near, rtol=1e-6)
    slope = jax.grad(lambda q: loss(q, jnp.int32(0), some_targets(4.0)))(q)
    expected = [(-1 + 0.5 - 0.75 * 0.5) / 2, 0.25 * 0.5 / 2, 0]
    np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_on_average_over_the_behaviour_it_is_the_loss_of_the_full_targets():
    q, full = jnp.array([0.2, 0.7, MASKED]), (3.0, -0.4)
    found = sum(
        chance * loss(q, jnp.int32(a), some_targets(full[a]))
        for a, chance in ((0, 0.75), (1, 0.25))
    )
    huber = [abs(2.8 / 2) - 0.5, 0.5 * (1.1 / 2) ** 2]
    np.testing.assert_allclose(found, 0.75 * huber[0] + 0.25 * huber[1], rtol=1e-6)


def test_nothing_is_learnt_where_nothing_may_be_asked():
    wanted = some_targets(1e9)._replace(chances=jnp.zeros(3))
    assert loss(jnp.full(3, MASKED), jnp.int32(0), wanted) == 0
