"""The learner: what goes into the replay, what is counted, that it learns, that seeds and alpha
batch."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.dqn import DQNLearner
from rlnas.agents.learner import run
from rlnas.agents.networks import NetworkConfig
from rlnas.bench.errors import UserError
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.rewards import Exponential
from tables import small_benchmark
from test_learning import CHAIN, line

CONFIG = DQNLearner(
    network=NetworkConfig(width=8, layers=1, heads=2, feed_forward=16),
    alpha=6.0, neighbours=6, horizon=4, actors=8, learning_starts=64, batch_size=32,
    capacity=1024, target_every=64, n_step=1, updates=1, relative=False,
)  # fmt: skip


@pytest.fixture(scope="module")
def benchmark():
    return small_benchmark(4)


def mdp_of(config, benchmark, alpha=None):
    return IncrementalMDP(
        benchmark,
        Exponential(config.alpha if alpha is None else alpha),
        config.neighbours,
        config.horizon,
        config.stay,
    )


def started(config, benchmark, seed=0):
    mdp = mdp_of(config, benchmark)
    return mdp, jax.jit(config.init)(mdp, jax.random.key(seed))


def test_the_replay_holds_real_steps_also_at_truncations(benchmark):
    mdp, state = started(CONFIG, benchmark)
    state, _ = run(CONFIG, mdp, state, 11, False)
    items = jax.tree.map(lambda x: np.asarray(x)[: 11 * 8], state.learner.replay.items)
    mean_val = np.asarray(benchmark.mean_val, np.float64)
    before, after = items.before.archs[:, 0], items.after.archs[:, 0]
    moved_to = items.before.archs[np.arange(88), items.action + 1]
    np.testing.assert_array_equal(after, moved_to)  # never the reset that followed
    assert items.before.mask[np.arange(88), items.action + 1].all()
    shaped = np.exp(CONFIG.alpha * (mean_val - 1))
    np.testing.assert_allclose(items.reward, shaped[after] - shaped[before], atol=1e-5)
    np.testing.assert_allclose(items.discount, CONFIG.gamma)


@pytest.mark.long
def test_n_step_items_are_the_sums_of_one_step_items(benchmark):
    """The same key walks the same way whatever n is, once the warm-up steps are allowed for."""
    config = replace(CONFIG, n_step=3)
    mdp, state = started(config, benchmark)
    ones: list = []
    step = jax.jit(config.act)
    window, merged = state.learner.window, []
    for key in jax.random.split(jax.random.key(1), 9):
        state, one = step(mdp, state, jnp.ones(8), key)
        window = jax.tree.map(
            lambda old, new: jnp.concatenate([old, new[:, None]], axis=1), window, one
        )
        merged.append(jax.vmap(config.transition)(window))
        window = jax.tree.map(lambda x: x[:, 1:], window)
        ones.append(one)
    for t in range(2, 9):
        for actor in range(8):
            total, discount, last = 0.0, 1.0, t - 2
            for i in range(t - 2, t + 1):
                total += discount * float(ones[i].reward[actor])
                discount *= config.gamma
                last = i
                if ones[i].truncated[actor]:
                    break
            item = jax.tree.map(lambda x, actor=actor: x[actor], merged[t])
            assert float(item.reward) == pytest.approx(total, abs=1e-6)
            assert float(item.discount) == pytest.approx(discount)
            np.testing.assert_array_equal(item.before.archs, ones[t - 2].before.archs[actor])
            np.testing.assert_array_equal(item.after.archs, ones[last].after.archs[actor])


def test_lookups_and_distinct_architectures_are_counted(benchmark):
    mdp, state = started(CONFIG, benchmark)
    assert int(state.lookups) == 8
    state, _ = run(CONFIG, mdp, state, 11, False)
    assert (
        int(state.lookups) == 8 + 11 * 8 + 2 * 8
    )  # two truncations an actor, each a new start to look up
    visited = set(np.asarray(state.learner.replay.items.after.archs)[:88, 0].tolist())
    assert visited <= set(np.flatnonzero(state.seen))


def test_without_discount_it_learns_the_reward_of_every_move(benchmark):
    """On accuracies that the encoding tells: a share for every edge and every 3 x 3 convolution."""
    space = benchmark.space
    encodings = np.asarray(space.encode(jnp.arange(91, dtype=jnp.int32)), np.float32)
    easy = (
        0.6
        + 0.03 * encodings[:, :49].sum(1)
        + 0.05 * encodings[:, 49:].reshape(91, 7, 5)[:, :, 1].sum(1)
    )
    benchmark = replace(benchmark, mean_val=jnp.asarray(easy))
    config = replace(CONFIG, gamma=0.0, learning_rate=3e-3, updates=4)
    mdp, state = started(config, benchmark)
    state, _ = run(config, mdp, state, 20, False)
    state, metrics = run(config, mdp, state, 100, True)
    views = jax.tree.map(lambda x: x[:200], state.learner.replay.items.before)
    shaped = np.exp(config.alpha * (easy - 1))
    truth = shaped[np.asarray(views.archs)[:, 1:]] - shaped[np.asarray(views.archs)[:, :1]]
    real = np.asarray(views.mask)[:, 1:]
    q = np.asarray(config.score(space, state.learner.params, views))
    assert np.corrcoef(q[real], truth[real])[0, 1] > 0.9
    assert metrics.td_error[-20:].mean() < 0.5 * metrics.td_error[:20].mean()


@pytest.mark.long
def test_dropout_and_staying_work(benchmark):
    network = replace(CONFIG.network, dropout=0.2)
    config = replace(CONFIG, network=network, stay=True)
    mdp, state = started(config, benchmark)
    state, metrics = run(config, mdp, state, 5, True)
    assert np.isfinite(metrics.loss).all()


# Independent of the network: with a table of values in its place


@pytest.mark.long
def test_seeds_and_alpha_batch_in_one_program():
    traces = []

    def one(alpha, key):
        mdp = CHAIN.mdp(line(), alpha)
        state, metrics = run(CHAIN, mdp, CHAIN.init(mdp, key), 6, True)
        return state.learner.params["q"], metrics.reward

    @jax.jit
    def train(alpha, key):
        traces.append(1)
        return jax.vmap(one)(alpha, key)

    keys = jax.random.split(jax.random.key(0), 3)
    tables, rewards = train(jnp.array([1.0, 6.0, 32.0]), keys)
    train(jnp.array([2.0, 4.0, 8.0]), keys)
    assert len(traces) == 1
    table, reward = jax.jit(one)(jnp.float32(6.0), keys[1])
    np.testing.assert_allclose(rewards[1], reward, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(tables[1], table, rtol=1e-2, atol=1e-3)
    assert not np.allclose(tables[0], tables[2])


@pytest.mark.long
def test_several_devices_give_what_one_gives():
    code = """
import jax, numpy as np
from test_learning import CHAIN, line, run
mdp = CHAIN.mdp(line())
found = []
for devices in (jax.devices()[:1], jax.devices()):
    state = CHAIN.shard(jax.jit(CHAIN.init)(mdp, jax.random.key(0)), devices)
    state, metrics = run(CHAIN, mdp, state, 4, True)
    devices_of = state.learner.replay.items.reward.sharding.device_set
    found.append((np.asarray(metrics.reward), len(devices_of)))
assert [n for _, n in found] == [1, 4], found
np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3, atol=1e-5)
"""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    env = os.environ | {"XLA_FLAGS": flags}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", 0, "expected at least 1"),
        ("gamma", 1.0, "below 1"),
        ("capacity", 1000, "a multiple of 256"),
    ],
)
def test_settings_are_checked(field, value, message):
    with pytest.raises(UserError, match=message):
        replace(CONFIG, **{field: value})
