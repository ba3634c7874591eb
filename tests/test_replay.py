"""Prioritised replay: a ring, drawn in proportion to priority, weighted as Schaul et al. say."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.agents import replay
from rlnas.agents.dqn import DQNLearner, Transition
from rlnas.agents.learner import View
from rlnas.bench.errors import UserError


def filled(priorities: list[float], capacity: int = 512) -> replay.Replay:
    buffer = replay.create(jnp.int32(0), capacity)
    buffer = replay.add(buffer, jnp.arange(len(priorities), dtype=jnp.int32))
    return replay.update(
        buffer, jnp.arange(len(priorities), dtype=jnp.int32), jnp.array(priorities), 1.0
    )


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([1, 7, 100, 200]), min_size=1, max_size=8))
def test_it_keeps_the_latest_items_whatever_the_batches(sizes):
    add = jax.jit(replay.add)
    buffer = replay.create(jnp.int32(0), 256)
    added = 0
    for n in sizes:
        buffer = add(buffer, jnp.arange(added, added + n, dtype=jnp.int32))
        added += n
    held = min(added, 256)
    assert int(replay.size(buffer)) == held
    values = np.asarray(buffer.items)[np.asarray(buffer.priorities).ravel() > 0]
    assert sorted(values) == list(range(added - held, added))


def test_items_are_drawn_as_often_as_their_priority_says():
    priorities = np.concatenate([np.arange(1, 301), np.zeros(0)]).astype(float)
    buffer = filled(list(priorities))
    keys = jax.random.split(jax.random.key(0), 400)
    drawn = jax.vmap(lambda key: replay.sample(buffer, key, 64, 0.4).items)(keys)
    found = np.bincount(np.asarray(drawn).ravel(), minlength=300) / drawn.size
    expected = priorities / priorities.sum()
    # Stratified draws vary less than independent ones, whose chi-square this would be.
    assert ((found - expected) ** 2 / expected).sum() * drawn.size < 300 + 4 * np.sqrt(600)
    assert abs(found[200:].sum() - expected[200:].sum()) < 0.005


def test_nothing_that_is_not_there_is_ever_drawn():
    buffer = filled([1e-6, 1e3, 1e-6])
    items = jax.vmap(lambda key: replay.sample(buffer, key, 32, 0.4))(
        jax.random.split(jax.random.key(1), 50)
    )
    assert set(np.asarray(items.items).ravel()) <= {0, 1, 2}
    assert set(np.asarray(items.at).ravel()) <= {0, 1, 2}
    assert np.isfinite(items.weights).all()


def test_weights_are_one_over_n_p_to_the_beta_over_the_largest():
    buffer = filled([1.0, 3.0])
    sample = replay.sample(buffer, jax.random.key(0), 64, 0.5)
    p = np.array([1, 3]) / 4
    expected = (2 * p) ** -0.5
    np.testing.assert_allclose(
        sample.weights, expected[np.asarray(sample.items)] / expected.max(), rtol=1e-4
    )


def test_new_items_get_the_largest_priority_so_far_and_alpha_is_applied():
    buffer = replay.update(filled([1.0, 1.0]), jnp.array([0]), jnp.array([-16.0]), 0.5)
    assert float(buffer.priorities[0, 0]) == pytest.approx(4.0, rel=1e-4)
    buffer = replay.add(buffer, jnp.array([9], jnp.int32))
    assert float(buffer.priorities[0, 2]) == pytest.approx(4.0, rel=1e-4)


def test_a_million_transitions_need_little():
    view = View(jnp.zeros(26, jnp.int32), jnp.zeros(26, bool))
    example = Transition(view, jnp.int32(0), jnp.float32(0), jnp.float32(0), view)
    shapes = jax.eval_shape(lambda: replay.create(example, 1_000_192))
    assert sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(shapes)) < 300e6
    assert DQNLearner().capacity % replay.BLOCK == 0


def test_capacities_are_checked():
    with pytest.raises(UserError, match="expected a multiple of 256"):
        replay.create(jnp.int32(0), 1000)
