"""BOHB's densities, by hand."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents import kde
from rlnas.agents.bohb import BOHB, mended
from rlnas.agents.fidelity import Choice
from rlnas.bench.benchmark import QueryResult
from tables import small_benchmark

SIZES = np.array([3, 2], np.float32)


def test_good_and_bad_by_hand() -> None:
    """Two variables: of 20 points the best max(3, 15 % of 20) = 3 are good, and the 17 others,
    85 %, are bad."""
    vals = jnp.asarray(np.random.default_rng(0).permutation(20), jnp.float32)
    found = kde.split(vals, jnp.ones(20, bool), 2, 15)
    assert np.asarray(vals)[np.asarray(found.good)].tolist() == sorted(
        [17.0, 18.0, 19.0], key=lambda v: vals.tolist().index(v)
    )
    assert int(found.bad.sum()) == 17 and bool(found.there)
    assert np.asarray(vals)[np.asarray(found.order)].tolist() == list(range(19, -1, -1))
    many = kde.split(jnp.arange(100.0), jnp.ones(100, bool), 2, 15)
    assert (int(many.good.sum()), int(many.bad.sum())) == (15, 85)


def test_a_model_takes_more_than_as_many_of_either_as_variables() -> None:
    vals = jnp.array([5.0, 4, 3, 2, 1, 0, 9, 9])
    for n, there in ((5, False), (6, True)):
        found = kde.split(vals, jnp.arange(8) < n, 2, 15)
        assert bool(found.there) is there
        assert np.asarray(found.good).tolist() == [True] * 3 + [False] * 5
        assert int(found.bad.sum()) == n - 3


def test_bandwidths_by_hand() -> None:
    codes = jnp.array([[0, 0], [1, 0], [2, 0], [2, 1]], jnp.int8)
    which = jnp.array([True, True, True, False])
    found = kde.bandwidths(codes, which, SIZES, 0.3)
    rule = 1.06 * np.std([0, 1, 2]) * 3 ** (-1 / 6)
    # The rule's .72 is wider than flat for three choices, 2/3; no spread at all is the least.
    assert rule > 2 / 3
    np.testing.assert_allclose(found, [2 / 3, 0.3], rtol=1e-6)


def test_densities_by_hand() -> None:
    codes = jnp.array([[0, 0], [1, 1], [2, 1]], jnp.int8)
    which = jnp.array([True, True, False])
    found = kde.log_density(
        jnp.array([[0, 0], [2, 1]], jnp.int32), codes, which, jnp.array([0.4, 0.3]), SIZES
    )
    same = (0.6, 0.7)
    other = (0.4 / 2, 0.3 / 1)
    first = (same[0] * same[1] + other[0] * other[1]) / 2
    second = (other[0] * other[1] + other[0] * same[1]) / 2
    np.testing.assert_allclose(np.exp(found), [first, second], rtol=1e-5)


def test_candidates_keep_choices_or_draw_them() -> None:
    code, width = jnp.array([2, 1], jnp.int8), jnp.array([0.4, 0.3])
    word = jnp.array([0.59, 0.71]), jnp.array([0.99, 0.2])
    assert kde.perturbed(word, code, width, SIZES).tolist() == [2, 0]
    word = jnp.array([0.61, 0.69]), jnp.array([0.5, 0.2])
    assert kde.perturbed(word, code, width, SIZES).tolist() == [1, 1]


def test_what_may_not_follow_is_replaced() -> None:
    space = small_benchmark().space
    decisions = space.decisions
    width = max(decisions.sizes)
    ranks = jax.random.uniform(jax.random.key(0), (40, len(decisions.sizes), width))
    wanted = jnp.full(len(decisions.sizes), width - 1, jnp.int32)
    mend = jax.jit(jax.vmap(lambda wanted, rank: mended(decisions, wanted, rank), (None, 0)))
    built = jax.jit(jax.vmap(lambda taken: space.index(decisions.build(taken))))
    assert int(built(mend(wanted, ranks)).min()) >= 0
    own = decisions.sequence(jnp.int32(5))
    assert mend(own, ranks)[0].tolist() == own.tolist()


def test_it_proposes_what_is_like_the_good() -> None:
    """Taught that cells with many 3x3 convolutions are good, it asks more of them than chance."""
    space = small_benchmark().space
    config = BOHB(random=0.0, points=64)
    proposer = config.proposer(space, (0, 1))
    key = jax.random.key(0)
    worth = jax.jit(lambda arch: (space.graph(arch).labels == 0).sum() / 2.0)
    learn = jax.jit(proposer.learn)
    points = proposer.init(key)
    draws = jax.vmap(space.sample)(jax.random.split(key, 60))
    for arch in draws:
        val = worth(arch).astype(jnp.float32)
        answer = QueryResult(val, val, jnp.float32(1), jnp.bool_(True))
        points = learn(points, Choice(arch, jnp.int32(0)), answer)
    assert points.total.tolist() == [60, 0]
    propose = jax.jit(jax.vmap(lambda key: proposer.propose(key, points, space)))
    asked = propose(jax.random.split(jax.random.key(1), 200))
    # Cells that the densities know are replaced by draws, and they know most of 91.
    mean = float(jax.vmap(worth)(asked).mean())
    chance = float(jax.vmap(worth)(draws).mean())
    assert mean > chance + 0.1
