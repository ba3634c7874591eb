"""The agent that reads the answers: its tokens, its learning, and that it does read them."""

from __future__ import annotations

import copy
import dataclasses
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import beliefs
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.evaluate import evaluate
from rlnas.agents.incontext import InContext
from rlnas.agents.incontext_learner import InContextLearner, Tables
from rlnas.agents.learner import View
from rlnas.agents.losses import future
from rlnas.agents.networks import NetworkConfig
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.agents.spec import parse
from rlnas.agents.tokens import CONTEXT, FLAGS, HISTORY, Tokens
from rlnas.analysis.training.blind import same_queries
from rlnas.bench import load, memory
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.files import embedded_dir
from rlnas.bench.stand_ins import scrambled
from rlnas.bench.synthetic.tables import Inventor, coded

SMALL = InContextLearner(
    network=NetworkConfig(width=16, feed_forward=16), read=8, fresh=16, parents=2, near=4,
    current=2, horizon=8, actors=8, steps=64 * 24, batches=4, learning_rate=3e-3,
)  # fmt: skip
iterate = jax.jit(SMALL.iterate, static_argnums=2)  # one program for all that train
DOUBLE_Q = dataclasses.replace(SMALL, algorithm="double_q")


@cache
def asked(answers: int = 7) -> Any:
    """A few answers of a real space: (coded, memory of them, what the processes know)."""
    known = coded("tnb101")
    places = memory.empty(known.space, 16)
    for i in range(answers):
        arch = known.space.at(jnp.int32(37 * i + 5))
        val = jnp.float32(0.5 + 0.1 * np.sin(i))
        result = QueryResult(val, val, val, jnp.bool_(True))
        places = memory.remember(places, arch, result)
    return known, places, jax.jit(beliefs.of_memory)(known, places)


def test_the_processes_are_those_fitted_at_once():
    known, _, seen = asked()
    both, _ = beliefs.correlations(
        known.weights, (seen.codes, seen.traits), (seen.codes, seen.traits)
    )
    n = int(seen.used)
    for process, inverse in zip(both, seen.inverse, strict=True):
        covariance = np.asarray(process)[:n, :n] + beliefs.NOISE * np.eye(n)
        np.testing.assert_allclose(
            np.asarray(inverse)[:n, :n] @ np.linalg.cholesky(covariance), np.eye(n), atol=2e-3
        )
        assert not np.asarray(inverse)[n:].any()


def test_correlations_are_those_of_their_formulas():
    known, _, seen = asked()
    found, near = beliefs.correlations(
        known.weights, (seen.codes[:3], seen.traits[:3]), (seen.codes[:3], seen.traits[:3])
    )
    x = np.asarray(seen.codes[:3], float) * np.sqrt(np.asarray(known.weights))
    far = np.linalg.norm(x[:, None] - x, axis=-1)
    cosine = x @ x.T / np.outer(*(np.linalg.norm(x, axis=1),) * 2)
    np.testing.assert_allclose(near, np.exp(-far / beliefs.LENGTH), atol=1e-3)
    np.testing.assert_allclose(found[0], (np.exp(-far / beliefs.LENGTH) + cosine) / 2, atol=1e-3)
    ones = np.c_[np.asarray(seen.traits[:3]), np.ones(3)]
    ones /= np.linalg.norm(ones, axis=1)[:, None]
    np.testing.assert_allclose(found[2], ones @ ones.T, atol=1e-5)


def test_full_processes_keep_the_latest_and_the_best():
    known = coded("tnb101")
    seen, add = beliefs.nothing(known, 8), jax.jit(beliefs.with_answer)
    vals = [0.9, 0.1, 0.2, 0.8, 0.3, 0.4, 0.5, 0.6, 0.7]
    for i, val in enumerate(vals):
        arch = known.space.at(jnp.int32(11 * i + 300))  # 0 is empty: like nothing
        seen = add(known, seen, arch, jnp.float32(val), jnp.bool_(True))
    assert int(seen.used) == 5
    np.testing.assert_allclose(seen.vals[:5], [0.9, 0.8, 0.5, 0.6, 0.7])
    both, _ = beliefs.correlations(
        known.weights, (seen.codes, seen.traits), (seen.codes, seen.traits)
    )
    covariance = np.asarray(both)[0, :5, :5] + beliefs.NOISE * np.eye(5)
    np.testing.assert_allclose(
        np.asarray(seen.inverse)[0, :5, :5] @ np.linalg.cholesky(covariance), np.eye(5), atol=2e-3
    )


def some_tokens(learner: InContextLearner, key: Any) -> Tokens:
    items = learner.read + 2 * HISTORY
    a, b, c = jax.random.split(key, 3)
    return Tokens(
        jax.random.normal(a, (CONTEXT,)), jax.random.normal(b, (items, beliefs.WIDTH + FLAGS)),
        jnp.ones(items, bool), jax.random.normal(c, (learner.read,)),
        jnp.arange(learner.read, dtype=jnp.int32),
    )  # fmt: skip


def shaken(params: Any) -> Any:
    """Parameters none of which is zero."""
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    return jax.tree.unflatten(
        tree,
        [x + 0.3 * jax.random.normal(key, x.shape) for x, key in zip(leaves, keys, strict=True)],
    )


def test_it_begins_at_the_level_of_expected_improvement():
    tokens = some_tokens(SMALL, jax.random.key(0))
    scores, value = SMALL.logits(SMALL.fresh_params(jax.random.key(2)), tokens)
    np.testing.assert_allclose(scores, SMALL.sharpness * tokens.gain, rtol=1e-6)
    assert value == 0


def test_candidates_are_a_set():
    tokens, params = (
        some_tokens(SMALL, jax.random.key(0)),
        shaken(SMALL.fresh_params(jax.random.key(2))),
    )
    order = jax.random.permutation(jax.random.key(3), SMALL.read)
    items = jnp.concatenate([tokens.items[: SMALL.read][order], tokens.items[SMALL.read :]])
    mixed = tokens._replace(items=items, gain=tokens.gain[order])
    scores, value = SMALL.logits(params, tokens)
    again, same = SMALL.logits(params, mixed)
    np.testing.assert_allclose(again, scores[order], atol=1e-5)
    np.testing.assert_allclose(same, value, atol=1e-5)
    assert np.ptp(np.asarray(scores / SMALL.sharpness - tokens.gain)) > 0.01


def test_what_may_not_be_asked_counts_for_nothing():
    tokens, params = (
        some_tokens(SMALL, jax.random.key(0)),
        shaken(SMALL.fresh_params(jax.random.key(2))),
    )
    masked = tokens._replace(mask=tokens.mask.at[3].set(False))
    other = masked._replace(items=masked.items.at[3].set(5.0))
    a, b = (SMALL.logits(params, x)[0] for x in (masked, other))
    np.testing.assert_allclose(a, b, atol=1e-5)
    assert a[3] < -1e8


def test_advantages_are_those_computed_by_hand():
    rewards = jnp.array([[1.0, 2.0, 0.5]])
    values = jnp.array([[0.3, 0.2, 0.7]])
    later, advantage = future(rewards, values, 0.5)
    errors = [2.0 + 0.2 - 0.3, 0.5 + 0.7 - 0.2, 0.0 - 0.7]
    third = errors[2]
    second = errors[1] + 0.5 * third
    first = errors[0] + 0.5 * second
    np.testing.assert_allclose(advantage, [[first, second, third]], rtol=1e-6)
    np.testing.assert_allclose(later, advantage + values, rtol=1e-6)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rising(Inventor):
    """Its tables all are the same: the more operations, the better (or the worse)."""

    sign: Any = 1.0

    def draw(self, key: Any) -> Any:
        table = super().draw(key)
        truth = 0.5 + 0.05 * self.sign * self.coded.measured[:, 0]
        return dataclasses.replace(
            table, val=truth[:, None], test=truth[:, None], mean_val=truth, mean_test=truth,
            optimum=truth.max(),
        )  # fmt: skip


def rising(sign: float) -> Tables:
    return Tables((Rising(coded("tnb101"), sign=jnp.float32(sign)),), SMALL.alpha)


@pytest.mark.long
@pytest.mark.parametrize(
    ("learner", "iterate", "sign"),
    [
        (SMALL, iterate, 1.0),
        (SMALL, iterate, -1.0),
        (DOUBLE_Q, jax.jit(DOUBLE_Q.iterate, static_argnums=2), -1.0),
    ],
    ids=["ppo, large", "ppo, small", "double_q, small"],
)
def test_it_learns_what_its_tables_have_in_common(learner, iterate, sign):
    """The known answer: the first query, with nothing seen, is of the largest (or smallest)
    candidate; before training it is any."""
    known = coded("tnb101")
    tables = rising(sign)
    state = learner.init(tables, jax.random.key(0))
    before = state.learner.params
    for _ in range(24):
        state, _ = iterate(tables, state, True)

    table = tables.inventors[0].draw(jax.random.key(0))

    def first(params: Any) -> float:
        agent = learner.agent(known.space, params)

        def one(key: Any) -> Any:
            arch, _ = agent.ask(key, agent.init(key))
            return table.reported(arch)

        return float(jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(9), 64)).mean())

    typical = float(table.mean_test.mean())
    assert abs(first(before) - typical) < 0.02
    assert first(state.learner.params) > typical + 0.03


@pytest.mark.long
def test_the_same_key_trains_the_same_and_learning_can_be_left():
    tables = rising(1.0)
    one, two = (iterate(tables, SMALL.init(tables, jax.random.key(0)), True)[0] for _ in range(2))
    left = iterate(tables, SMALL.init(tables, jax.random.key(0)), False)[0]
    for a, b in zip(*(jax.tree.leaves(s.learner) for s in (one, two)), strict=True):
        np.testing.assert_array_equal(a, b)
    fresh = SMALL.init(tables, jax.random.key(0)).learner.params
    for a, b in zip(*(jax.tree.leaves(p) for p in (left.learner.params, fresh)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(one.lookups) == 0


def test_it_is_trained_on_invented_tables_alone():
    with pytest.raises(UserError, match="--benchmark synthetic"):
        SMALL.mdp(load("nb101-digits"))


def test_it_reads_the_answers():
    config = parse("incontext")[1]
    saved = Checkpoint.load(embedded_dir() / "incontext")
    assert config.pretraining["lookups"] == 0
    assert config.pretraining["trained_on"] == "invented tables"
    searches = saved.settings, saved.params, load("nb101-digits"), seed_keys(0, 4), (20,)
    assert same_queries(*searches, evaluate(*searches, False)[1]) < 0.5


@pytest.mark.long
def test_scores_of_a_view_are_those_of_the_candidates():
    known, places, _ = asked()
    space = known.space
    params = shaken(SMALL.fresh_params(jax.random.key(2)))
    near, real = space.neighbours(jax.random.key(0), places.archs[0], 12)
    view = View(jnp.concatenate([places.archs[:1], near]), jnp.append(True, real), places)
    scores = SMALL.score(space, params, view)
    assert scores.shape == (12,) and (np.asarray(scores) > -1e8).sum() == SMALL.read


def test_searches_longer_than_its_budget_and_its_room_go_on():
    config = dataclasses.replace(parse("incontext")[1], points=32, memory=64)
    history = run_seeds(config, scrambled(120, 6), 60, seed_keys(0, 2))
    assert np.asarray(history.is_new).mean() > 0.9


def test_bad_options_are_one_line():
    with pytest.raises(UserError, match="points"):
        InContext(points=3)
    with pytest.raises(UserError, match="fresh"):
        InContextLearner(fresh=8)
    other = copy.copy(SMALL)
    object.__setattr__(other, "algorithm", "dqn")  # a checkpoint's; the types are checked here
    with pytest.raises(UserError, match="expected ppo or double_q"):
        other.__post_init__()
    for changes in ({"gamma": 1.5}, {"target_rate": 0.0}, {"n_step": 0}, {"n_step": 51}):
        with pytest.raises(UserError, match=next(iter(changes))):
            InContextLearner(**changes)


@pytest.mark.long
def test_a_table_that_is_known_is_searched_at_once():
    name = "synthetic-tnb101-1"
    config = parse(f"incontext:prior={name}")[1]
    assert config.pretraining["lookups"] == 4096
    assert config.pretraining["trained_on"].endswith(f"knows {name}")
    assert [source["name"] for source in config.identity()["sources"]] == [name]
    table = load(name)
    history = run_seeds(config, table, 6, seed_keys(0, 4))
    assert (np.asarray(history.val).max(1) >= float(table.mean_val.max()) - 1e-6).all()
