"""The incremental MDP: hand-computed rewards, truncation, masks, and parity with a plain Python
walk."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.learner import begin, step_actors
from rlnas.bench.errors import UserError
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.rewards import Exponential, Linear
from rlnas.bench.stand_ins import islands, neighbour_lists
from tables import small_benchmark


@pytest.fixture(scope="module")
def benchmark():
    return small_benchmark(max_vertices=4)


def walk(mdp, key, steps):
    """A Python loop over `step`, taking the first real neighbour; what happened, a dict a step."""
    reset_key, key = jax.random.split(key)
    step = jax.jit(mdp.step)
    observation, state = mdp.reset(reset_key)
    trail = []
    for step_key in jax.random.split(key, steps):
        before = state
        observation, state, reward, terminated, truncated, info = step(step_key, state, 0)
        trail.append(
            dict(before=before, after=state, obs=observation, reward=float(reward), info=info,
                 terminated=bool(terminated), truncated=bool(truncated))
        )  # fmt: skip
    return trail


def test_rewards_are_differences_of_the_shaped_accuracy(benchmark):
    mdp = IncrementalMDP(benchmark, shaping=Exponential(4.0), neighbours=5, horizon=7)
    mean_val = np.asarray(benchmark.mean_val, np.float64)
    for step in walk(mdp, jax.random.key(0), 30):
        old, new = int(step["before"].archs[0]), int(step["info"].arch)
        assert new == int(step["before"].archs[1])
        assert new in set(
            np.asarray(
                benchmark.space.flat[
                    benchmark.space.offsets[old] : benchmark.space.offsets[old + 1]
                ]
            )
        )
        expected = math.exp(4 * (mean_val[new] - 1)) - math.exp(4 * (mean_val[old] - 1))
        assert step["reward"] == pytest.approx(expected, abs=1e-6)


def test_episodes_are_truncated_never_terminated_and_show_the_last_observation(benchmark):
    mdp = IncrementalMDP(benchmark, neighbours=5, horizon=7)
    trail = walk(mdp, jax.random.key(1), 21)
    assert [step["truncated"] for step in trail] == [(i + 1) % 7 == 0 for i in range(21)]
    assert not any(step["terminated"] for step in trail)
    for step in trail:
        assert int(step["info"].final_observation.archs[0]) == int(step["info"].arch)
        assert int(step["after"].t) == (0 if step["truncated"] else int(step["before"].t) + 1)
        if step["truncated"]:
            assert float(step["after"].val) == float(step["info"].reset_val)
        else:
            assert int(step["obs"].archs[0]) == int(step["info"].arch)
            np.testing.assert_array_equal(step["obs"].archs, step["info"].final_observation.archs)


def test_the_observation_is_the_encoded_current_architecture_and_its_real_neighbours(benchmark):
    space = benchmark.space
    mdp = IncrementalMDP(benchmark, neighbours=space.max_degree, horizon=5)
    for step in walk(mdp, jax.random.key(2), 12):
        observation = step["obs"]
        current = int(observation.archs[0])
        real = np.asarray(observation.archs[1:])[np.asarray(observation.mask[1:])]
        assert sorted(real) == list(
            np.asarray(space.flat[space.offsets[current] : space.offsets[current + 1]])
        )
        assert bool(observation.mask[0])
        np.testing.assert_array_equal(observation.encoding[0], space.encode(jnp.int32(current)))
        np.testing.assert_array_equal(
            observation.encoding, jax.vmap(space.encode)(observation.archs)
        )


def test_a_masked_action_and_staying_change_nothing(benchmark):
    mdp = IncrementalMDP(
        benchmark, neighbours=benchmark.space.max_degree + 1, horizon=50, stay=True
    )
    observation, state = mdp.reset(jax.random.key(3))
    assert mdp.num_actions == mdp.neighbours + 1
    assert bool(mdp.action_mask(observation)[-1]) and not bool(mdp.action_mask(observation)[-2])
    for action in (mdp.neighbours, mdp.neighbours - 1):
        _, new, reward, _, _, info = mdp.step(jax.random.key(4), state, action)
        assert (
            int(new.archs[0]) == int(state.archs[0])
            and float(reward) == 0.0
            and not bool(info.valid)
        )


def test_a_missing_value_gives_no_reward_and_keeps_the_last_known_one(benchmark):
    holes = benchmark.mean_val.at[::2].set(jnp.nan)
    mdp = IncrementalMDP(
        benchmark.__class__(**{**vars(benchmark), "mean_val": holes}),
        neighbours=5,
        horizon=50,
        shaping=Linear(2.0),
    )
    for step in walk(mdp, jax.random.key(5), 40):
        assert np.isfinite(step["reward"])
        if int(step["info"].arch) % 2 == 0:
            assert step["reward"] == 0.0 and not bool(step["info"].valid)


def test_start_states_are_injected(benchmark):
    mdp = IncrementalMDP(benchmark, neighbours=5, horizon=3, start=lambda key, space: jnp.int32(17))
    trail = walk(mdp, jax.random.key(6), 9)
    assert all(int(step["after"].archs[0]) == 17 for step in trail if step["truncated"])


def test_alpha_is_traced_and_a_batch_equals_its_singles(benchmark):
    traces = []

    @jax.jit
    def run(alpha, keys):
        traces.append(1)
        mdp = IncrementalMDP(benchmark, shaping=Exponential(alpha), neighbours=5)

        def one(key):
            _, state = mdp.reset(key)
            return mdp.step(key, state, 1)[2]

        return jax.vmap(one)(keys)

    keys = jax.random.split(jax.random.key(7), 8)
    batches = [run(alpha, keys) for alpha in (2.0, 32.0)]
    assert len(traces) == 1
    assert not np.allclose(*batches)
    mdp = IncrementalMDP(benchmark, shaping=Exponential(32.0), neighbours=5)
    singles = [float(mdp.step(key, mdp.reset(key)[1], 1)[2]) for key in keys]
    np.testing.assert_allclose(batches[1], singles, rtol=1e-5, atol=1e-7)


def test_alpha_32_neither_overflows_nor_vanishes_at_the_top():
    shaped = Exponential(32.0)(jnp.array([0.0, 0.9, 0.943, 1.0]))
    assert np.isfinite(shaped).all() and (np.diff(shaped) > 0).all()
    assert float(shaped[2]) == pytest.approx(math.exp(32 * (0.943 - 1)), rel=1e-5)


def test_sizes_are_checked(benchmark):
    with pytest.raises(UserError, match="neighbours = 0; expected at least 1"):
        IncrementalMDP(benchmark, neighbours=0)


# A partial table: cells without neighbours


@pytest.mark.parametrize("stay", [False, True])
def test_where_no_move_is_left_the_episode_ends_at_no_look_up(stay):
    """Against a plain account of what is looked up: every start, and every move."""
    benchmark = islands(24, 3)
    near, val = neighbour_lists(benchmark), np.asarray(benchmark.val, np.float64)
    mdp = IncrementalMDP(benchmark, Linear(2.0), neighbours=3, horizon=4, stay=stay)
    trail = walk(mdp, jax.random.key(8), 60)
    ends = {"horizon": 0, "isolated": 0}
    t = 0
    for step in trail:
        here, there = int(step["before"].archs[0]), int(step["info"].arch)
        t += 1
        assert bool(step["info"].moved) == bool(step["info"].valid) == bool(near[here])
        assert there in (near[here] or {here})
        assert step["reward"] == pytest.approx(2 * (val[there] - val[here]), abs=1e-6)
        isolated = not near[here] and not stay
        assert step["truncated"] == (isolated or t == 4)
        ends["isolated" if isolated else "horizon"] += step["truncated"]
        t = 0 if step["truncated"] else t
        assert int(step["after"].t) == t
    assert ends["horizon"] > 2 and (ends["isolated"] > 2) == (not stay)


def test_staying_and_masked_actions_are_no_moves(benchmark):
    mdp = IncrementalMDP(benchmark, neighbours=benchmark.space.max_degree + 1, stay=True)
    step = jax.jit(mdp.step)
    _, state = mdp.reset(jax.random.key(9))
    degree = int(benchmark.space.degree(state.archs[0]))
    moved = [bool(step(jax.random.key(1), state, a)[5].moved) for a in range(mdp.num_actions)]
    assert moved == [action < degree for action in range(mdp.num_actions)]


@pytest.mark.parametrize("stay", [False, True])
def test_actors_count_what_was_looked_up(stay):
    benchmark = islands(24, 3)
    near = neighbour_lists(benchmark)
    mdp = IncrementalMDP(benchmark, neighbours=3, horizon=4, stay=stay)
    state = begin(mdp, 8, (), jax.random.key(0), jax.random.key(1))
    step = jax.jit(lambda state, action, key: step_actors(mdp, state, action, key))
    lookups = 8
    for i, key in enumerate(jax.random.split(jax.random.key(2), 9)):
        here = np.asarray(state.env.archs[:, 0]).tolist()
        action = np.full(8, 3 if stay and i % 3 == 0 else 0, np.int32)
        state, made = step(state, action, key)
        lookups += sum(bool(near[arch]) for arch in here if action[0] == 0)
        lookups += int(made.truncated.sum())
        assert int(state.lookups) == lookups
