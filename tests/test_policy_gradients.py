"""REINFORCE, PPO and the ENAS controller: updates by hand, bounds, and that each learns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import ppo
from rlnas.agents.controller import Lstm
from rlnas.agents.enas_controller import EnasController, advantages
from rlnas.agents.policy import Average, Factorised, draw, score
from rlnas.agents.ppo import PPO, averaged, clipped_gain
from rlnas.agents.protocol import run_search, run_seeds, seed_keys
from rlnas.agents.reinforce import Reinforce
from rlnas.agents.spec import parse
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.errors import UserError
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.stand_ins import BASE, DIGITS, GridBenchmark, GridSpace
from tables import small_benchmark

KEY = jax.random.key(0)
GRID = GridSpace()
NAN = float("nan")
SMALL = {"batch": 4, "units": 8}


def told(agent: Any, state: Any, key: Any, val: Any, valid: Any) -> Any:
    arch, state = agent.ask(key, state)
    return agent.tell(state, arch, QueryResult(val, jnp.float32(0), jnp.float32(1), valid))


def after(config: Any, vals: list[float]) -> tuple[Any, Any]:
    """(learner at the start, state after answers) on the grid."""
    agent = config.build(GRID)
    tell = jax.jit(lambda state, key, val, valid: told(agent, state, key, val, valid))
    state = start = agent.init(KEY)
    for key, val in zip(jax.random.split(KEY, len(vals)), vals, strict=True):
        state = tell(state, key, jnp.float32(val), jnp.array(val == val))
    return start.learner, state


# REINFORCE


def test_two_updates_by_hand() -> None:
    """The first advantage is 0; the second is taken from a baseline that has seen it."""
    _, state = after(Reinforce(), [0.5])
    np.testing.assert_array_equal(state.learner.params, np.zeros((DIGITS, BASE)))
    _, state = after(Reinforce(), [0.5, 0.9])
    baseline = (0.9 * 0.1 * 0.5 + 0.1 * 0.9) / (0.9 * 0.1 + 0.1)
    chosen = np.eye(BASE)[np.asarray(state.drawn.taken[0])]
    expected = 0.1 * (0.9 - baseline) * (chosen - 1 / BASE)
    np.testing.assert_allclose(state.learner.params, expected, rtol=1e-5)
    np.testing.assert_allclose(state.learner.baseline.mean, baseline, rtol=1e-6)


def test_percent_and_a_power_are_of_the_reward() -> None:
    _, state = after(Reinforce(scale=100.0, power=2.0), [0.5, 0.9])
    first, second = 50.0**2, 90.0**2
    baseline = (0.09 * first + 0.1 * second) / 0.19
    chosen = np.eye(BASE)[np.asarray(state.drawn.taken[0])]
    expected = 0.1 * (second - baseline) * (chosen - 1 / BASE)
    np.testing.assert_allclose(state.learner.params, expected, rtol=1e-5)


@pytest.mark.parametrize("config", [Reinforce(), EnasController(**SMALL), PPO(**SMALL)])
def test_what_has_no_answer_is_not_learned_from(config: Any) -> None:
    start, state = after(config, [NAN] * 4)
    jax.tree.map(np.testing.assert_array_equal, start.params, state.learner.params)
    assert int(state.queries) == 4 and np.isnan(np.asarray(state.rewards)).all()


def test_running_baselines_by_hand() -> None:
    average = Average(jnp.float32(0), jnp.float32(0))
    assert float(average.mean) == 0
    average = average.add(jnp.float32(0.4), 0.9)
    assert float(average.mean) == pytest.approx(0.4)
    average = average.add(jnp.float32(NAN), 0.9).add(jnp.float32(0.8), 0.9)
    assert float(average.mean) == pytest.approx((0.09 * 0.4 + 0.1 * 0.8) / 0.19)

    rewards = jnp.array([0.4, NAN, 0.8], jnp.float32)
    # PPO: starts at the first reward. ENAS: from 0, and each is compared after it moved it.
    assert float(averaged(jnp.float32(NAN), rewards, 0.95)) == pytest.approx(
        0.95 * 0.4 + 0.05 * 0.8
    )
    mean, advantage = advantages(jnp.float32(0), rewards, 0.99)
    assert float(mean) == pytest.approx(0.99 * 0.004 + 0.01 * 0.8, rel=1e-4)
    np.testing.assert_allclose(advantage, [0.396, NAN, 0.8 - float(mean)], rtol=1e-4)


# Policies


def test_enas_is_rewarded_for_entropy() -> None:
    """Answers are 0, so the rewards, and the baseline that follows the last, are entropies."""
    _, state = after(EnasController(**SMALL, entropy=1.0, momentum=0.0), [0.0] * 4)
    assert 0.9 < float(state.learner.baseline) / (DIGITS * log(BASE)) < 1.001


def test_a_drawn_sequence_scores_as_it_was_drawn() -> None:
    """And what is not allowed has no probability: the allowed sequences' add up to 1."""
    decisions = small_benchmark(3).space.decisions
    policy = Lstm(decisions, units=5, scale=1.0, anchors=True)
    params = policy.init(KEY)
    drawn = jax.jit(jax.vmap(lambda key: draw(policy, params, key)))(jax.random.split(KEY, 400))
    again = jax.jit(jax.vmap(lambda taken: score(policy, params, taken)))(drawn.taken)
    np.testing.assert_allclose(drawn.log_prob, again.log_prob, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(drawn.entropy, again.entropy, rtol=1e-5, atol=1e-6)
    different, first, counts = np.unique(drawn.taken, axis=0, return_index=True, return_counts=True)
    assert len(different) == len(decisions.space.forms.rows) == 7
    probability = np.exp(np.asarray(drawn.log_prob)[first].sum(1))
    assert probability.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(counts / 400, probability, atol=0.08)


def test_entropy_is_that_of_the_allowed() -> None:
    decisions = small_benchmark(3).space.decisions
    drawn = draw(Factorised(decisions), jnp.zeros((len(decisions.sizes), 4), jnp.float32), KEY)
    assert float(drawn.entropy[0]) == pytest.approx(log(4), rel=1e-5)
    assert float(drawn.entropy[1]) == pytest.approx(0, abs=1e-6)  # the one vertex has one input


def test_the_controllers_steps() -> None:
    """A step more for each vertex that is complete; it begins again with the start vector."""
    plan = Lstm(small_benchmark().space.decisions, 4, anchors=True).plan
    # Four vertices: the input, operation and 1 bit, operation and 2 bits, 3 bits of the output.
    assert plan.step.tolist() == [8, 0, 1, 8, 2, 3, 4, 8, 5, 6, 7]
    assert plan.vertex.tolist() == [0, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1]
    assert np.flatnonzero(plan.fresh).tolist() == [0, 1, 4, 8]
    assert np.flatnonzero(plan.given).tolist() == [0]
    assert plan.before.tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 4, 5, 6]
    darts = Lstm(DartsSpace().decisions, 4, anchors=True)
    assert darts.plan.vertex[darts.plan.vertex >= 0].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]
    inputs = darts.wiring.inputs
    # Node 3 of the normal cell, third decision: the pairs (0, 1), (0, 2), (1, 2).
    assert np.argwhere(inputs[2]).tolist() == [[0, 0], [0, 1], [1, 0], [1, 2], [2, 1], [2, 2]]
    assert inputs.any((1, 2)).sum() == 6 and inputs[13:].any((0, 1)).nonzero()[0].min() == 6
    assert Lstm(DartsSpace().decisions, 4).plan.step.tolist() == list(range(22))


def logits_of(policy: Lstm, params: Any, key: Any = KEY) -> tuple[np.ndarray, list[int]]:
    """[T, K] along one drawn sequence, and that."""
    step = jax.jit(policy.step)
    taken = draw(policy, params, key).taken
    memory, found = policy.begin(params), []
    for event, t in enumerate(policy.events.tolist()):
        logits, memory = step(params, memory, taken, jnp.int32(event))
        if t < len(taken):
            found.append(np.asarray(logits))
    return np.stack(found), taken.tolist()


def plain_logits(policy: Lstm, params: Any, taken: list[int]) -> list[np.ndarray]:
    """The same of a cell of four vertices, two of them operations, as ENAS tells it: a start
    vector, the operation, whether each vertex before is an input; then a step more, whose state is
    the vertex's anchor."""
    weights: dict[str, Any] = {
        k: np.asarray(x, np.float64) for k, x in params.items() if "lstm" not in k
    }
    gates = jax.tree.map(lambda x: np.asarray(x, np.float64), params["lstm_0"])
    most, state = max(policy.decisions.sizes), [np.zeros(policy.units), np.zeros(policy.units)]
    anchors: list[np.ndarray] = []
    keys: list[np.ndarray] = []
    found: list[np.ndarray] = []
    left = list(taken)

    def step(x: np.ndarray) -> np.ndarray:
        i, f, g, o = (
            x @ gates[f"i{name}"]["kernel"] + state[1] @ inner["kernel"] + inner["bias"]
            for name in "ifgo"
            for inner in [gates[f"h{name}"]]
        )
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        state[0] = f * state[0] + i * np.tanh(g)
        state[1] = o * np.tanh(state[0])
        return state[1]

    def bounded(logits: Any, bound: float) -> Any:
        return bound * np.tanh(logits / policy.temperature)

    assert policy.bound is not None
    keys.append(step(weights["start"]) @ weights["key"])  # of the input, whose anchor is zero
    anchors.append(np.zeros(policy.units))
    for vertex in (1, 2, 3):
        x = weights["start"]
        if vertex < 3:
            h = step(x)
            logits = h @ weights["readout"][0] + weights["bias"][0]
            found.append(bounded(logits, policy.bound / policy.reduce))
            x = weights["embedding"][left.pop(0)]
        for j in range(vertex):
            h = step(x)
            score = np.tanh(keys[j] + h @ weights["query"]) @ weights["attention"]
            found.append(np.array([0.0, bounded(score, policy.bound)] + [0.0] * (most - 2)))
            x = anchors[j] * left.pop(0)
        anchors.append(step(x))
        keys.append(anchors[-1] @ weights["key"])
    return found


def test_enas_logits_are_those_of_plain_python() -> None:
    policy = Lstm(
        small_benchmark().space.decisions, 6, scale=0.9, shared=True, temperature=2.0, bound=2.5,
        reduce=2.0, favour=0.25, anchors=True,
    )  # fmt: skip
    params = policy.init(KEY)
    for key in jax.random.split(KEY, 4):
        found, taken = logits_of(policy, params, key)
        for a, b, size in zip(
            found, plain_logits(policy, params, taken), policy.decisions.sizes, strict=True
        ):
            np.testing.assert_allclose(a[:size], b[:size], atol=1e-5)


def test_behind_a_pair_of_inputs_comes_the_mean_of_their_anchors() -> None:
    policy = Lstm(DartsSpace().decisions, 6, scale=0.9, anchors=True)
    params, blank = policy.init(KEY), policy.begin(policy.init(KEY))
    event = int(np.flatnonzero(policy.wiring.inputs.any((1, 2))[policy.plan.before])[-1])
    assert not policy.plan.fresh[event]
    anchors = jax.random.normal(KEY, blank.anchors.shape, jnp.float32)
    for choice in range(3):
        taken = jnp.full(len(policy.decisions.sizes), choice, jnp.int32)
        _, after = policy.step(params, blank._replace(anchors=anchors), taken, jnp.int32(event))
        pair = np.flatnonzero(policy.wiring.inputs[policy.plan.before[event], choice])
        assert len(pair) == 2
        cell, mean = nn.OptimizedLSTMCell(policy.units), anchors[pair].mean(0)
        (c, h), _ = cell.apply({"params": params["lstm_0"]}, blank.carry[0], mean)
        np.testing.assert_allclose(after.carry[0], (c, h), atol=1e-6)


def test_the_range_of_enas_logits() -> None:
    policy = EnasController().controller(small_benchmark().space)
    kinds = np.array(policy.decisions.kinds)
    params = policy.init(KEY)
    logits, _ = logits_of(policy, params)
    # Two convolutions, max pooling, no vertex: the biased are at their bound, the others near 0.
    np.testing.assert_allclose(logits[kinds == 0][:, :2], 0.44, atol=1e-3)
    assert (abs(logits[kinds == 0][:, 2:]) < 0.1).all()
    odds = np.exp(logits[0])
    assert odds[0] / odds[2] == pytest.approx(exp(0.44), rel=0.1)
    # However large the parameters are.
    large, _ = logits_of(policy, jax.tree.map(lambda x: 1000 * x, params))
    assert abs(large[kinds == 0]).max() == pytest.approx(0.44, rel=1e-4)
    assert abs(large[kinds == 1]).max() == pytest.approx(1.1, rel=1e-4)
    assert (large[kinds == 1][:, 0] == 0).all()  # an edge is against none
    warm = EnasController(temperature=5.0, bound=2.5, reduce=1.0, favour=0.0)
    policy = warm.controller(small_benchmark().space)
    large, _ = logits_of(policy, jax.tree.map(lambda x: 1000 * x, policy.init(KEY)))
    assert abs(large).max() == pytest.approx(2.5, rel=1e-4)
    # Without a tanh in the way, the temperature divides.
    raw = Lstm(policy.decisions, units=8, shared=True)
    params = raw.init(KEY)
    divided, _ = logits_of(replace(raw, temperature=5.0), params)
    np.testing.assert_allclose(divided * 5, logits_of(raw, params)[0], rtol=1e-5, atol=1e-7)


# PPO


def test_the_clip_by_hand() -> None:
    old = jnp.log(jnp.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]], jnp.float32))
    new = jnp.log(jnp.array([[0.75, 0.55, 0.3], [0.75, 0.55, 0.3]], jnp.float32))
    advantage = jnp.array([2.0, -1.0], jnp.float32)
    gain = clipped_gain(new, old, advantage, 0.2)
    # Ratios 1.5, 1.1, .6: a gain is cut at 1.2, a loss at .8 from above.
    np.testing.assert_allclose(gain, [[2.4, 2.2, 1.2], [-1.5, -1.1, -0.8]], rtol=1e-5)
    slope = jax.grad(lambda x: clipped_gain(x, old, advantage, 0.2).sum())(new)
    np.testing.assert_allclose(slope, [[0, 2.2, 1.2], [-1.5, -1.1, 0]], rtol=1e-5, atol=1e-6)


def test_the_bonus_keeps_entropy_up() -> None:
    """Every reward is the same and its own baseline: only the bonus is left to be learned from."""
    agent = PPO(**SMALL, lr=0.02, entropy=1.0, momentum=0.0, epochs=5).build(GRID)
    state = agent.init(KEY)
    peaked = jax.tree.map(lambda x: 15 * x, state.learner.params)
    state = state._replace(learner=state.learner._replace(params=peaked))

    def query(state: Any, key: Any) -> tuple[Any, Any]:
        state = told(agent, state, key, jnp.float32(0.5), jnp.bool_(True))
        return state, state.drawn.entropy[state.queries % 4 - 1].sum()

    _, entropy = jax.lax.scan(query, state, jax.random.split(KEY, 80))
    assert entropy[:4].mean() < 0.95 * DIGITS * log(BASE)
    assert entropy[-4:].mean() > 0.99 * DIGITS * log(BASE)


def test_the_ratio_leaves_one_after_the_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch compares with the probabilities that the batch was drawn with."""
    ratios: list[float] = []

    def watched(log_prob: Any, old: Any, *rest: Any) -> Any:
        jax.debug.callback(
            lambda x: ratios.append(float(x)), jnp.abs(log_prob - old).max(), ordered=True
        )
        return clipped_gain(log_prob, old, *rest)

    monkeypatch.setattr(ppo, "clipped_gain", watched)
    monkeypatch.setattr(ppo, "in_turn", lambda learn: learn)
    start, state = after(PPO(lr=0.05, epochs=3, **SMALL), [0.2, 0.9, 0.4, 0.7])
    jax.effects_barrier()
    assert len(ratios) == 3 and ratios[0] < 1e-5 and ratios[1] > 1e-3 and ratios[2] > ratios[1]
    mean = 0.2
    for reward in (0.9, 0.4, 0.7):
        mean = 0.95 * mean + 0.05 * reward
    assert float(state.learner.baseline) == pytest.approx(mean, rel=1e-5)
    assert np.isnan(float(start.baseline))


# All


FAST = {
    "reinforce": Reinforce(lr=5.0),
    "lstm": Reinforce(policy="lstm", lr=0.02, power=1.0),
    "ppo": PPO(lr=0.02, epochs=4, batch=8, units=16, embedding=8),
    "enas_controller": EnasController(lr=0.05, bound=5.0, units=16),
}


@pytest.mark.parametrize("name", FAST)
def test_it_learns_what_is_good(name: str) -> None:
    """On the grid smaller digits are better, by (80 - number) / 128; a uniform draw has .3125."""
    history = run_seeds(FAST[name], GridBenchmark(), 400, seed_keys(0, 4))
    vals = np.asarray(history.val)
    assert vals[:, -50:].mean() > 0.5, vals[:, -50:].mean(1)


def test_entropy_falls_while_it_learns() -> None:
    agent, benchmark = FAST["reinforce"].build(GRID), GridBenchmark()

    def query(state: Any, key: Any) -> Any:
        arch, state = agent.ask(key, state)
        return agent.tell(state, arch, benchmark.query(arch, key)), state.drawn.entropy.sum()

    entropy = np.asarray(
        jax.jit(lambda s, k: jax.lax.scan(query, s, k))(
            agent.init(KEY), jax.random.split(KEY, 300)
        )[1]
    )
    assert entropy[0] == pytest.approx(DIGITS * log(BASE), rel=1e-5)
    assert entropy[-20:].mean() < 0.5 * entropy[0]


def test_searches_beside_each_other_learn_at_the_last_query_of_a_batch_only() -> None:
    """A condition that differs between searches would be computed on both sides, always."""
    agent, benchmark = PPO(**SMALL).build(GRID), GridBenchmark()
    search = jax.vmap(lambda key: run_search(agent, benchmark, 8, key))
    text = str(jax.make_jaxpr(search)(seed_keys(0, 3)))
    assert text.count(" cond[") == 2


def test_the_plain_encoding_is_redrawn_until_it_is_a_cell() -> None:
    benchmark = small_benchmark()
    history = run_seeds(Reinforce(plain=True), benchmark, 100, seed_keys(0, 4))
    assert np.asarray(history.valid).all()
    # A uniform draw of the encoding is mostly a small cell or none, other than one of the table.
    vertices = benchmark.space.num_vertices()[np.asarray(history.arch)]
    assert (vertices < 4).mean() > 0.3


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("reinforce:lr=0", "reinforce has lr=0.0; expected more than 0"),
        ("reinforce:momentum=1", "reinforce has momentum=1.0; expected at least 0 and below 1"),
        ("ppo:epochs=0", "ppo has epochs=0; expected more than 0"),
        ("enas_controller:bound=-1", "enas_controller has bound=-1.0; expected more than 0"),
    ],
)
def test_wrong_settings(word: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        parse(word)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Whole(GridSpace):
    """Without a constructive side."""

    @property
    def decisions(self) -> Any:
        raise AttributeError


def test_spaces_that_cannot_be_built() -> None:
    with pytest.raises(UserError, match="GridSpace has none; leave it out"):
        Reinforce(plain=True).build(GRID)
    with pytest.raises(UserError, match="builds architectures choice by choice, and Whole has no"):
        PPO().build(Whole())
