"""Predictors: that each learns, what those that are compiled make of gaps, what is refused."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.predictors import boosting, outside, registry
from rlnas.agents.predictors.graph_network import Network
from rlnas.agents.predictors.line import Line
from rlnas.analysis.predict import programs
from rlnas.bench.benchmark import Graph
from rlnas.bench.errors import UserError
from rlnas.bench.rank import spearman
from rlnas.bench.stand_ins import scrambled
from tables import small_benchmark

WORDS = {
    "ensemble": "ensemble:members=2,steps=60",
    "gp": "gp",
    "gp, paths": "gp:kernel=paths",
    "gp, subtrees": "gp:kernel=wl",
    "graph_network": "graph_network:layers=2,width=16,hidden=16,steps=80",
    "random_forest": "random_forest:trees=20",
    "boosting": "boosting:rounds=20",
    "boosting of sklearn": "boosting:library=sklearn,rounds=20",
}
KEY = jax.random.key(0)


@cache
def world() -> Any:
    """The 91 cells with at most 4 vertices; values that rise with their 3 x 3 convolutions; an
    order of the cells."""
    space = small_benchmark().space
    archs = jnp.arange(space.size, dtype=jnp.int32)
    graph = jax.vmap(space.graph)(archs)
    good = np.asarray((graph.labels == 0).sum((-1, -2)) + graph.edges.sum((-1, -2, -3)) / 20)
    return space, archs, 0.8 + good / 50, np.random.default_rng(0).permutation(space.size)


def learnt(word: str, vals: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Scores of all cells by a predictor that learns of some."""
    space, archs, *_ = world()
    config = registry.parse(word)
    codes = programs.see(config, space, archs)
    shown = jax.tree.map(lambda x: x[places], codes)
    return programs.predict(
        config, space, programs.fit(config, space, shown, vals, KEY), codes
    )  # fmt: skip


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_each_learns(word: str) -> None:
    """More is better, on architectures that it has not seen; and gaps are as good as nothing."""
    if find_spec("sklearn") is None and ("forest" in word or "sklearn" in word):
        pytest.skip("the extra `predictors` is not installed")
    _, _, vals, order = world()
    shown = order[:40]
    said = learnt(word, vals[shown], shown)
    assert spearman(said[order[40:]], vals[order[40:]]) > 0.8
    gaps = np.where(np.arange(40) < 25, vals[shown], np.nan)
    if not registry.parse(word).pure:
        fewer = learnt(word, vals[shown[:25]], shown[:25])
        np.testing.assert_allclose(learnt(word, gaps, shown), fewer, rtol=1e-6)
    else:  # what is not known is nothing, whatever its code is
        others = np.concatenate([shown[:25], order[50:65]])
        a, b = learnt(word, gaps, shown), learnt(word, gaps, others)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.long
def test_what_needs_no_training() -> None:
    space, archs, vals, _ = world()
    found = {word: programs.see(registry.parse(word), space, archs) for word in ("params", "flops")}
    assert found["params"].tolist() == space.trainable_parameters().tolist()
    assert found["flops"][7] == pytest.approx(float(space.flops(archs[7])))
    with pytest.raises(UserError, match="does not know FLOPs; choose another predictor"):
        programs.see(registry.parse("flops"), scrambled(8, 2).space, archs[:8])
    line = Line().build(space)
    sizes = line.see(archs)
    rises, falls = (
        line.predict(line.fit(sizes, jnp.asarray(x, jnp.float32), KEY), sizes)
        for x in (vals, 1 - vals)
    )
    assert spearman(np.asarray(rises), vals) > 0.5
    np.testing.assert_allclose(rises, -falls, atol=1e-4)


def test_a_graph_network_sees_no_order_of_vertices() -> None:
    space, archs, *_ = world()
    graph = space.graph(archs[80])
    order = np.array([0, 2, 1, 3, 6, 4, 5])
    other = Graph(graph.labels[:, order], graph.edges[:, order][:, :, order])
    network = Network(2, 8, 8, 5)
    params = network.init(KEY, graph)
    assert not np.array_equal(graph.labels, other.labels)
    same = network.apply(params, other)
    assert float(network.apply(params, graph)) == pytest.approx(float(same), abs=1e-6)
    backwards = graph._replace(edges=jnp.swapaxes(graph.edges, -1, -2))
    assert abs(float(network.apply(params, backwards) - same)) > 1e-3


def test_what_is_missing_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    space, archs, *_ = world()
    monkeypatch.setattr(outside, "find_spec", lambda name: None)
    monkeypatch.setattr(boosting, "find_spec", lambda name: None)
    assert registry.parse("boosting").resolved == "sklearn"  # type: ignore[attr-defined]
    for word in ("random_forest", "boosting", "boosting:library=xgboost"):
        with pytest.raises(UserError, match=r"is not installed.*pip install 'rlnas\[predictors\]'"):
            programs.see(registry.parse(word), space, archs)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("oracle", "unknown predictor 'oracle'; expected one of ensemble, gp, "),
        ("gp:kernel=rbf", "predictor 'gp:kernel=rbf': found kernel='rbf'; expected one of traits"),
        ("ensemble:members=0", "expected at least 1"),
        ("params:a=1", "it has no options"),
    ],
)
def test_words_that_are_none(word: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        registry.parse(word)
    assert message in str(error.value)


def test_graphs_are_needed_for_a_graph_network() -> None:
    with pytest.raises(UserError, match="graph_network needs graphs, and ListSpace shows none"):
        programs.see(registry.parse("graph_network"), scrambled(8, 2).space, jnp.arange(8))
