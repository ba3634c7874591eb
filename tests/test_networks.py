"""The network: neighbours are a set, padding does not matter, dueling heads by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlnas.agents.networks import MASKED, DuelingTransformer, NetworkConfig, dueling
from rlnas.bench.errors import UserError

SMALL = NetworkConfig(width=16, layers=2, heads=2, feed_forward=32)
FEATURES, SLOTS = 10, 7


@pytest.fixture(scope="module", params=[False, True], ids=["move", "stay"])
def network(request):
    module = DuelingTransformer(SMALL, request.param)
    params = module.init(
        jax.random.key(0), jnp.zeros((SLOTS, FEATURES), jnp.int8), jnp.ones(SLOTS, bool)
    )
    return module, params, jax.jit(module.apply)


def inputs(seed: int, real: int) -> tuple[jnp.ndarray, jnp.ndarray]:
    encoding = jax.random.bernoulli(jax.random.key(seed), 0.4, (SLOTS, FEATURES)).astype(jnp.int8)
    return encoding, jnp.arange(SLOTS) <= real


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(1, SLOTS)))
def test_the_order_of_the_neighbours_does_not_matter(network, seed, order):
    _, params, apply = network
    encoding, mask = inputs(seed, SLOTS - 1)
    places = jnp.array([0, *order])
    straight, permuted = apply(params, encoding, mask), apply(params, encoding[places], mask)
    np.testing.assert_allclose(permuted[: SLOTS - 1], straight[places[1:] - 1], atol=1e-5)
    np.testing.assert_allclose(permuted[SLOTS - 1 :], straight[SLOTS - 1 :], atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), real=st.integers(1, SLOTS - 1))
def test_what_stands_in_masked_places_does_not_matter(network, seed, real):
    _, params, apply = network
    encoding, mask = inputs(seed, real)
    other = jnp.where(mask[:, None], encoding, 1 - encoding)
    first, second = apply(params, encoding, mask), apply(params, other, mask)
    np.testing.assert_allclose(first, second, atol=1e-6)
    assert (first[real : SLOTS - 1] == MASKED).all() and (first[:real] > MASKED / 2).all()


def test_the_current_architecture_is_told_from_a_neighbour(network):
    _, params, apply = network
    encoding, mask = inputs(3, SLOTS - 1)
    swapped = encoding.at[jnp.array([0, 1])].set(encoding[jnp.array([1, 0])])
    assert not np.allclose(
        apply(params, encoding, mask)[1:6], apply(params, swapped, mask)[1:6], atol=1e-5
    )


def test_dueling_subtracts_the_mean_over_real_neighbours():
    q = dueling(jnp.array([2.0]), jnp.array([1.0, 3.0, 100.0]), jnp.array([True, True, False]))
    np.testing.assert_allclose(q, [2 + 1 - 2, 2 + 3 - 2, MASKED])


def test_batches_equal_singles(network):
    _, params, apply = network
    pairs = [inputs(seed, 1 + seed % 6) for seed in range(4)]
    batch = apply(params, jnp.stack([e for e, _ in pairs]), jnp.stack([m for _, m in pairs]))
    np.testing.assert_allclose(
        batch, jnp.stack([apply(params, *pair) for pair in pairs]), rtol=1e-4, atol=1e-5
    )


def test_sizes_are_checked():
    with pytest.raises(UserError, match="width = 10 with 4 heads; expected a multiple"):
        NetworkConfig(width=10, heads=4)
