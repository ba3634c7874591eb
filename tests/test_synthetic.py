"""Invented tables: what is promised of them, and that they are of the kind that real ones are."""

from __future__ import annotations

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.protocol import seed_keys
from rlnas.bench import rank
from rlnas.bench.benchmark import Graph, Weighed
from rlnas.bench.coded import TRAITS, Coded, traits
from rlnas.bench.errors import UserError
from rlnas.bench.family import families
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.synthetic import landscape
from rlnas.bench.synthetic.landscape import Prior, invent
from rlnas.bench.synthetic.summary import beside, summary
from rlnas.bench.synthetic.tables import Inventor, coded, is_inventive, tables_for


def spearman(x, y):
    return rank.spearman(np.asarray(x), np.asarray(y))


@cache
def tables(number: int = 24):
    known = coded("tnb101")
    return jax.jit(lambda keys: jax.vmap(lambda key: invent(key, known))(keys))(
        jax.random.split(jax.random.key(0), number)
    )


def test_a_name_is_a_table_and_another_number_another():
    first, again, other = (
        bench.load(f"synthetic-tnb101-{number}", noise="repeat=0") for number in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.val, again.val)
    assert abs(spearman(first.val[:, 0], other.val[:, 0])) < 0.9
    assert first.name == "synthetic-tnb101-3" and not is_inventive(first)


@pytest.mark.long
def test_only_the_supply_draws_others():
    supply, digits = bench.load("synthetic-tnb101"), bench.load("nb101-digits")
    assert is_inventive(supply) and not is_inventive(digits)
    keys = seed_keys(0, 2)
    assert tables_for(digits, keys) is digits
    drawn = tables_for(supply, keys)
    assert not np.array_equal(*drawn.val)
    np.testing.assert_array_equal(drawn.truth.max(1), 1)
    np.testing.assert_allclose(jnp.median(drawn.truth, axis=1), 0, atol=1e-4)
    alone = supply.judging(keys[1])
    np.testing.assert_allclose(drawn.val[1], alone.mean_val, atol=1e-4)
    np.testing.assert_allclose(drawn.truth[1], alone.mean_test, atol=1e-4)
    assert float(alone.optimum) == 1


@pytest.mark.long
def test_pairs_correlate_as_they_are_asked_to():
    known, prior = coded("tnb101"), Prior(skew=(0.01, 0.02), failing=0.0)
    draw = jax.jit(lambda key, rho: invent(key, known, prior, rho))
    for rho in (-0.3, 0.0, 0.5, 1.0):
        pairs = [draw(jax.random.key(i), rho) for i in range(3)]
        found = [np.corrcoef(a.truth, b.truth)[0, 1] for a, b in pairs]
        np.testing.assert_allclose(found, rho, atol=0.05)


def test_a_partner_is_loaded_by_its_correlation():
    own = bench.load("synthetic-tnb101-1").mean_test
    like, same = (bench.load("synthetic-tnb101-1", rho=rho).mean_test for rho in (0.9, 1.0))
    np.testing.assert_array_equal(own, same)
    assert 0.6 < spearman(own, like) < 0.99
    with pytest.raises(UserError, match="rho"):
        bench.load("synthetic-tnb101-1", rho=2)


def test_longer_budgets_are_more_like_the_longest():
    longest = bench.load("synthetic-tnb101-2").mean_test
    like = [
        spearman(bench.load("synthetic-tnb101-2", epochs=e).mean_test, longest) for e in (4, 12, 36)
    ]
    assert like == sorted(like) and like[0] > 0.2 and like[-1] < 0.999


def test_shorter_budgets_are_fidelities():
    found = bench.load_fidelities("synthetic-tnb101-2", epochs=36)
    assert found.budgets.epochs == (4, 12, 36) and not found.budgets.continues
    for place, epochs in enumerate(found.budgets.epochs):
        alone = bench.load("synthetic-tnb101-2", epochs=epochs)
        said = found.query(found.benchmark.space.at(7), jnp.int32(place), jax.random.key(0))
        expected = alone.query(alone.space.at(7), jax.random.key(0))
        assert (said.val, said.sim_seconds) == (expected.val, expected.sim_seconds)
    facts = dict(families()["synthetic"].facts("synthetic-tnb101-2"))
    assert facts["fidelities"].startswith("4, 12, 36, 108 epochs, each a training of its own")


@pytest.mark.long
def test_accuracies_are_fractions_and_noise_grows_away_from_the_top():
    found = tables()
    assert not np.isnan(found.truth).any()
    assert found.truth.min() >= 0 and found.truth.max() <= 1
    assert (found.unit > 0).all() and (found.deviation > 0).all()
    best, worst = found.truth.argmax(1), found.truth.argmin(1)
    rows = np.arange(len(best))
    assert (found.deviation[rows, best] <= found.deviation[rows, worst]).all()


def test_trends_in_size_go_either_way_mostly_up():
    sizes = np.asarray(coded("tnb101").measured[:, TRAITS.index("weights")])
    with_size = np.array([spearman(sizes, truth) for truth in np.asarray(tables().truth)])
    assert (with_size > 0.1).any() and (with_size < -0.1).any()
    assert (with_size > 0).mean() > 0.5


def test_a_trend_alone_ranks_by_what_is_measured():
    """A known answer: with nothing but linear effects of the traits, neighbours are alike."""
    known = coded("tnb101")
    prior = Prior(failing=0.0)
    traits = (known.measured - known.centre) / known.spread
    u = landscape.trend(jax.random.key(0), jax.random.key(1), traits, prior)
    same = (np.asarray(known.measured) == np.asarray(known.measured)[17]).all(1)
    assert same.sum() > 1 and np.ptp(np.asarray(u)[same]) < 1e-5


def test_draws_answer_with_noise_and_report_the_truth():
    table = jax.jit(Inventor(coded("tnb101")).draw)(jax.random.key(5))
    assert np.isfinite(table.val).all() and not np.array_equal(table.mean_val, table.mean_test)
    assert float(table.optimum) == float(table.mean_test.max())
    arch = table.space.at(jnp.int32(7))
    assert float(table.reported(arch)) == float(table.mean_test[7])
    assert float(table.query(arch, jax.random.key(0)).val) == float(table.mean_val[7])


def test_traits_are_those_counted_by_hand():
    space = bench.load("nb101-digits").space
    known = coded("nb101")
    arch = space.parse("110101 input,maxpool3x3,conv3x3-bn-relu,output")  # a chain with a bypass
    raw = known.traits(arch) * known.spread + known.centre
    assert len(raw) == len(TRAITS)
    graph = space.graph(arch)
    assert int(graph.edges.sum()) == round(float(raw[1]))
    assert [round(float(raw[TRAITS.index(name)])) for name in ("operations", "longest path")] == [
        2,
        2,
    ]
    assert float(raw[TRAITS.index("kinds of operations")]) == pytest.approx(2)


def test_weights_are_those_of_the_convolutions_and_depth_is_of_the_heaviest_path():
    space = coded("nb101").space
    # A pooling, then a 3x3 convolution; beside them a 1x1 convolution.
    arch = space.parse("1100101011 input,maxpool3x3,conv3x3-bn-relu,conv1x1-bn-relu,output")
    graph = space.graph(arch)
    known = traits(graph, 3, space.graph_weights)
    found = dict(zip(TRAITS, np.asarray(known), strict=True))
    labels = np.asarray(graph.labels)[0]
    assert found["weights"] == pytest.approx((labels == 0).sum() + (labels == 1).sum() / 9)
    assert found["depth of weights"] == pytest.approx(heaviest(graph, {0: 1.0, 1: 1 / 3, 2: 0.0}))
    unknown = traits(graph, 3)
    for name in ("weights", "depth of weights"):
        assert unknown[TRAITS.index(name)] == 0


def heaviest(graph, sides):
    """By walking every path."""
    labels, edges = np.asarray(graph.labels)[0], np.asarray(graph.edges)[0]

    def below(vertex):
        after = np.flatnonzero(edges[vertex])
        mine = sides.get(int(labels[vertex]), 0.0)
        return mine + max((below(other) for other in after), default=0.0)

    return below(int(np.flatnonzero(labels == 4)[0]))


def test_spaces_say_a_weight_for_each_of_their_operations():
    for space in (coded("nb101").space, coded("nb201").space, coded("tnb101").space, DartsSpace()):
        assert isinstance(space, Weighed)
        assert len(space.graph_weights) == space.graph_operations
        assert max(space.graph_weights) > 0 == min(space.graph_weights)


def test_a_graph_network_says_the_same_of_isomorphic_graphs_and_tells_others_apart():
    known = coded("tnb101")
    order = np.random.default_rng(0).permutation(known.graphs.labels.shape[-1])
    other = Graph(known.graphs.labels[..., order], known.graphs.edges[..., order, :][..., order])
    say = jax.jit(lambda graph: landscape.messages(jax.random.key(3), graph, 3))
    mine, theirs = (np.asarray(say(graph)) for graph in (known.graphs, other))
    np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-4)
    assert len(np.unique(mine.round(3))) > 500


@pytest.mark.long
def test_a_trend_may_be_all_there_is():
    """At the end of its range it decides; at zero it is not there."""
    known = coded("tnb101")
    sizes = np.asarray(known.measured[:, TRAITS.index("weights")])
    keys = jax.random.split(jax.random.key(4), 8)

    @partial(jax.jit, static_argnums=0)
    def drawn(share):
        prior = Prior(trend=(share, share), kernels=1e3, rising=1.0, failing=0.0)
        return jax.vmap(lambda key: invent(key, known, prior).truth)(keys)

    def with_size(share):
        return [spearman(sizes, truth) for truth in np.asarray(drawn(share))]

    assert min(with_size(0.999)) > 0.7 and abs(np.mean(with_size(0.0))) < 0.4


def test_worked_out_once_or_when_asked_for_they_are_the_same():
    known = coded("tnb101")
    lazily = Coded(known.space, (), (), known.weights, known.centre, known.spread, known.ends)
    for number in (0, 77, 4095):
        arch = known.space.at(jnp.int32(number))
        np.testing.assert_array_equal(known.code(arch), lazily.code(arch))
        np.testing.assert_allclose(known.traits(arch), lazily.traits(arch), rtol=1e-6)


@pytest.mark.long
def test_they_are_like_real_tables_in_numbers():
    """No statistic of nb101-digits is far from those of invented tables."""
    said = beside(["nb101-digits"], 32, 0).splitlines()
    real, low, middle, high = (np.array(line.split()[-6:], float) for line in said[1:])
    assert (np.abs(real - middle) <= 2 * (high - low)).all(), "\n".join(said)


def test_summary_of_a_table_whose_numbers_are_known():
    digits = bench.load("nb101-digits")
    found = summary(digits)
    assert found.repeats == pytest.approx(0.79, abs=0.03)  # data/README.md
    assert np.isnan(found.size) and 0.4 < found.walk < 0.8
