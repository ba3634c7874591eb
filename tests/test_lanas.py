"""LaNAS: its splits against scikit-learn's ridge regression, its walk against plain Python, and the
agent on problems whose answer is known."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.lanas import LaNAS, Tree, rescaled
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.nb201.space import CellSpace
from rlnas.bench.table_benchmark import TableBenchmark

RNG = np.random.default_rng(0)
MANY, WIDE = 40, 6
CODES = RNG.integers(0, 2, (MANY, WIDE)).astype(np.int8)
VALS = (CODES @ np.array([3, 2, 1, 0, 0, 0]) / 6 + 0.1 * RNG.random(MANY)).astype(np.float32)
THERE = np.arange(MANY) < 33


def grown(config: LaNAS) -> tuple[Tree, np.ndarray]:
    nodes = 2**config.levels - 1
    blank = Tree(jnp.zeros((nodes, WIDE)), jnp.zeros(nodes)), jnp.zeros(MANY, jnp.int32)
    told = jnp.asarray(CODES), jnp.asarray(VALS), jnp.asarray(THERE)
    tree, leaves = jax.jit(config.grown)(blank, told)
    return tree, np.asarray(leaves)


def test_a_split_is_ridge_regression_at_its_mean_prediction() -> None:
    ridge = pytest.importorskip("sklearn.linear_model", reason="needs scikit-learn").Ridge
    fitted = ridge(alpha=0.5).fit(CODES[THERE].astype(float), VALS[THERE])
    tree, leaves = grown(LaNAS(levels=1, ridge=0.5))
    np.testing.assert_allclose(tree.weights[0], fitted.coef_, atol=1e-4)
    predicted = fitted.predict(CODES[THERE].astype(float))
    np.testing.assert_array_equal(leaves[THERE] == 0, predicted >= predicted.mean())


def test_each_level_splits_what_reached_it() -> None:
    config = LaNAS(levels=3)
    tree, leaves = grown(config)
    found = jax.vmap(lambda code: config.leaf(tree, code))(jnp.asarray(CODES, jnp.float32))
    np.testing.assert_array_equal(leaves[THERE], np.asarray(found)[THERE])
    means = [VALS[THERE & (leaves // 4 == half)].mean() for half in (0, 1)]
    assert means[0] > means[1]
    good = THERE & (leaves < 4)  # the tree of the good half alone
    blank = Tree(jnp.zeros((3, WIDE)), jnp.zeros(3)), jnp.zeros(MANY, jnp.int32)
    told = jnp.asarray(CODES), jnp.asarray(VALS), jnp.asarray(good)
    alone, _ = LaNAS(levels=2).grown(blank, told)
    np.testing.assert_allclose(tree.weights[1], alone.weights[0], atol=1e-5)


@pytest.mark.parametrize("cp", [0.0, 0.1, 2.0])
def test_the_walk_is_that_of_plain_python(cp: float) -> None:
    config = LaNAS(levels=3, cp=cp)
    leaves = RNG.integers(0, 7, MANY).astype(np.int32)  # nothing in the last leaf
    vals = RNG.random(MANY).astype(np.float32)
    nodes, good = config.path(jnp.asarray(leaves), jnp.asarray(vals), jnp.asarray(THERE))
    node, expected = 0, []
    for level in range(3):

        def of(child: int, level: int = level) -> np.ndarray:
            return vals[THERE & (leaves >> (2 - level) == child)]

        pair = [of(2 * node), of(2 * node + 1)]
        total = sum(map(len, pair))
        scores = [
            x.mean() + 2 * cp * math.sqrt(2 * math.log(total) / len(x)) if len(x) else math.inf
            for x in pair
        ]
        bad = int(np.argmax(scores))
        expected.append((2**level - 1 + node, bad == 0))
        node = 2 * node + bad
    assert list(zip(nodes.tolist(), good.tolist(), strict=True)) == expected


def test_a_new_answer_lies_in_its_leaf_and_queries_go_the_way_down() -> None:
    """Between two trees. Of few draws the one that goes the chosen way furthest is asked, the first
    of equals; agreeing below where it has left the way counts nothing."""
    config, space = LaNAS(initial=8, every=100, levels=3, draws=6), CellSpace(4)
    agent = config.build(space)
    ask, tell = jax.jit(agent.ask), jax.jit(agent.tell)
    state = agent.init(jax.random.key(0))
    for i, arch in enumerate(jax.vmap(space.sample)(jax.random.split(jax.random.key(1), 14))):
        val = jnp.float32(RNG.random())
        state = tell(state, arch, QueryResult(val, val, val, jnp.array(True)))
        if i >= 8:
            code = space.encode(arch).astype(jnp.float32)
            assert state.leaves[i] == config.leaf(state.tree, code)
    assert len(set(state.leaves[8:14].tolist())) > 1
    there = jnp.arange(config.memory) < 14
    way = config.path(state.leaves, rescaled(state.asked.vals, there), there)
    weights, offsets = (np.asarray(x) for x in state.tree)
    differ = 0
    for key in jax.random.split(jax.random.key(2), 30):
        archs = jax.vmap(space.sample)(jax.random.split(key, config.draws))
        lengths, agreed = [], []
        for arch in archs:
            code = np.asarray(space.encode(arch), np.float32)
            agrees = [
                bool(weights[node] @ code >= offsets[node]) == bool(good)
                for node, good in zip(*way, strict=True)
            ]
            lengths.append([*agrees, False].index(False))
            agreed.append(sum(agrees))
        asked, _ = ask(key, state)
        np.testing.assert_array_equal(asked, archs[int(np.argmax(lengths))])
        differ += int(np.argmax(lengths)) != int(np.argmax(agreed))
    assert differ


def test_values_are_rescaled_and_failures_count_as_the_worst() -> None:
    vals = jnp.array([0.5, 0.9, -jnp.inf, 0.7, 5.0])
    found = rescaled(vals, jnp.array([True, True, True, True, False]))
    np.testing.assert_allclose(found, [0, 1, 0, 0.5, 0], atol=1e-6)


def linear_table() -> Any:
    """Edges with operation 3 are good, each a little more than the one before."""
    space = CellSpace(4)
    digits = np.asarray(jax.vmap(space.at)(jnp.arange(space.size)))
    worth = (digits == 3) @ np.arange(1, 7) + 0.2 * (digits == 2).sum(1)
    val = (0.4 + 0.02 * worth).astype(np.float32)[:, None]
    return TableBenchmark.of(
        space, val, val, np.ones_like(val), name="linear", family="x", epochs=1
    )


@pytest.mark.long
def test_it_finds_what_linear_splits_lead_to() -> None:
    table = linear_table()
    best = {}
    for config in (LaNAS(), RandomSearch()):
        history = run_seeds(config, table, 100, seed_keys(0, 24))
        best[type(config)] = np.asarray(history.val)
    top = float(table.optimum)
    found = (best[LaNAS].max(1) >= top - 0.021).mean()
    assert found > 0.6 > (best[RandomSearch].max(1) >= top - 0.021).mean() + 0.3
    # It asks better ones, the more it knows.
    assert best[LaNAS][:, 60:].mean() > best[LaNAS][:, 10:30].mean() + 0.02


def test_no_architecture_is_asked_twice_before_the_draws_run_out() -> None:
    history = run_seeds(LaNAS(), linear_table(), 60, seed_keys(1, 4))
    assert np.asarray(history.is_new).all()


@pytest.mark.parametrize(
    "options", [{"initial": 0}, {"levels": 9}, {"cp": -1.0}, {"ridge": 0.0}, {"draws": 0}]
)
def test_settings_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="lanas has"):
        LaNAS(**options)
