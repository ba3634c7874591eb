"""bench/draw.py: distinct, in range, masked; and uniform in elements, places and pairs."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from rlnas.bench.draw import below, draw, one_of

jitted = jax.jit(draw, static_argnums=2)
DRAWS = 40_000
UNLIKELY = 1e-3  # keys are fixed: a test that passes once passes always


@partial(jax.jit, static_argnums=(0, 1))
def many(size: int, n: int):
    """[DRAWS, n] draws with different keys."""
    keys = jax.random.split(jax.random.key(7), DRAWS)
    return jax.vmap(lambda key: draw(key, jnp.int32(size), n)[0])(keys)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.one_of(st.integers(0, 130), st.integers(0, 2**16 - 1)),
    n=st.sampled_from([1, 2, 7, 25, 110]),
)
def test_distinct_in_range_and_masked(seed, size, n):
    index, mask = map(np.asarray, jitted(jax.random.key(seed), jnp.int32(size), n))
    real = min(n, size)
    assert index.shape == mask.shape == (n,)
    assert index.dtype == np.int32
    assert mask.tolist() == [True] * real + [False] * (n - real)
    assert len(set(index[:real].tolist())) == real
    assert ((index >= 0) & (index < max(size, 1))).all()
    assert (index[real:] == 0).all()


@pytest.mark.parametrize("size", [1, 2, 24, 25])
def test_all_elements_when_there_are_at_most_n(size):
    index, _ = jitted(jax.random.key(3), jnp.int32(size), 25)
    assert sorted(index[:size].tolist()) == list(range(size))


def test_an_empty_range_is_all_mask():
    index, mask = jitted(jax.random.key(0), jnp.int32(0), 5)
    assert not mask.any()
    assert (index == 0).all()


def test_the_first_draws_do_not_depend_on_n():
    few, _ = jitted(jax.random.key(5), jnp.int32(60), 7)
    more, _ = jitted(jax.random.key(5), jnp.int32(60), 25)
    assert few.tolist() == more[:7].tolist()


def test_vmap_equals_singles():
    keys, sizes = jax.random.split(jax.random.key(1), 20), jnp.arange(20)
    together, masks = jax.vmap(lambda key, size: draw(key, size, 7))(keys, sizes)
    for i in range(20):
        alone, mask = jitted(keys[i], sizes[i], 7)
        assert together[i].tolist() == alone.tolist()
        assert masks[i].tolist() == mask.tolist()


@pytest.mark.parametrize(("size", "n"), [(2, 2), (7, 3), (12, 12), (41, 25)])
def test_every_element_is_as_likely_in_every_place(size, n):
    draws = np.asarray(many(size, n))
    for place in range(n):
        counts = np.bincount(draws[:, place], minlength=size)
        assert chisquare(counts).pvalue > UNLIKELY / n


@pytest.mark.parametrize(("size", "n"), [(7, 3), (41, 25)])
def test_every_element_is_as_likely_to_be_drawn(size, n):
    """Inclusions of one draw exclude each other; chi-square, scaled for it, has size - 1 degrees of
    freedom."""
    counts = np.bincount(np.asarray(many(size, n)).ravel(), minlength=size)
    share = n / size
    statistic = (
        ((counts - DRAWS * share) ** 2).sum() / (DRAWS * share * (1 - share)) * (size - 1) / size
    )
    assert chi2.sf(statistic, size - 1) > UNLIKELY
    assert chi2.cdf(statistic, size - 1) > UNLIKELY


@pytest.mark.parametrize(
    ("size", "places"), [(3, (0, 1)), (7, (0, 1)), (7, (1, 4)), (12, (3, 11)), (12, (0, 6))]
)
def test_pairs_are_uniform(size, places):
    """To about 2^-8, as documented, which 40,000 draws cannot tell from uniform."""
    draws = np.asarray(many(size, max(places) + 1))
    a, b = draws[:, places[0]], draws[:, places[1]]
    counts = np.bincount(a * size + b, minlength=size * size).reshape(size, size)
    assert (np.diag(counts) == 0).all()
    assert chisquare(counts[~np.eye(size, dtype=bool)]).pvalue > UNLIKELY


def test_orders_of_a_small_range_are_uniform():
    draws = np.asarray(many(4, 4))
    _, counts = np.unique(draws @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24
    deviation = np.abs(counts / DRAWS - 1 / 24).max()
    assert (
        deviation < 0.01
    )  # triples are less uniform than pairs; all orders occur, none much more often


def words() -> jax.Array:
    return jax.random.bits(jax.random.key(11), (DRAWS,), jnp.uint32)


@pytest.mark.parametrize("size", [1, 3, 65_536, 423_624, 2**31 - 1])
def test_below_is_the_high_half_of_the_product(size):
    edges = jnp.asarray([0, 1, 0xFFFF, 0x10000, 0xFFFFFFFF], jnp.uint32)
    word = jnp.concatenate([edges, words()[:500]])
    expected = np.asarray(word, np.uint64) * np.uint64(size) >> np.uint64(32)
    found = jax.vmap(lambda word: below(word, size))(word)
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(np.asarray(found), expected)


@pytest.mark.parametrize("places", [[0], [2, 3, 29], list(range(1, 30, 2)), list(range(30))])
def test_one_of_takes_every_place_alike(places):
    mask = jnp.zeros(30, bool).at[jnp.array(places)].set(True)
    found = np.bincount(jax.vmap(lambda word: one_of(word, mask))(words()), minlength=30)
    assert np.flatnonzero(found).tolist() == places
    if len(places) > 1:
        assert chisquare(found[places]).pvalue > UNLIKELY
    assert int(one_of(jnp.uint32(7), jnp.zeros(30, bool))) == 0
