"""The MDP with memory: hand-computed returns, masks, the end of the budget, the candidates."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.bench import memory
from rlnas.bench.errors import UserError
from rlnas.bench.rewards import Exponential, Linear
from rlnas.bench.search_mdp import SearchMDP
from rlnas.bench.stand_ins import scrambled

TABLE = scrambled(60, 4)
MDP = SearchMDP(TABLE, Linear(2.0), horizon=6, current=2, parents=2, near=3, fresh=4)


def played(mdp, key, pick=None):
    """An episode and one step more, as a list of (before, reward, terminated, info, after)."""
    step = jax.jit(mdp.step)
    reset_key, key = jax.random.split(key)
    state = mdp.reset(reset_key)
    trail = []
    for step_key in jax.random.split(key, mdp.horizon + 1):
        action = int(np.flatnonzero(state.mask)[0]) if pick is None else pick(state)
        after, reward, terminated, truncated, info = step(step_key, state, action)
        assert not truncated
        trail.append((state, float(reward), bool(terminated), info, after))
        state = after
    return trail


def test_the_return_is_the_rise_of_the_best_from_the_first_answer():
    trail = played(MDP, jax.random.key(0))
    vals = [float(TABLE.val[int(info.arch)]) for _, _, _, info, _ in trail]
    rewards = [reward for _, reward, _, _, _ in trail]
    for t in range(1, MDP.horizon):
        rise = 2 * (max(vals[: t + 1]) - max(vals[:t]))
        assert rewards[t] == pytest.approx(rise, abs=1e-6)
    assert rewards[0] == 0  # sets the level
    assert sum(rewards[: MDP.horizon]) == pytest.approx(
        2 * (max(vals[: MDP.horizon]) - vals[0]), abs=1e-6
    )


def test_with_a_floor_the_first_answer_counts_from_there():
    floor = float(np.median(TABLE.val))
    mdp = dataclasses.replace(MDP, floor=floor, shaping=Exponential(3.0))
    trail = played(mdp, jax.random.key(1))
    vals = [float(TABLE.val[int(info.arch)]) for _, _, _, info, _ in trail][: mdp.horizon]
    expected = np.exp(3 * (max([floor, *vals]) - 1)) - np.exp(3 * (floor - 1))
    assert sum(r for _, r, _, _, _ in trail[: mdp.horizon]) == pytest.approx(expected, abs=1e-6)


def test_anytime_rewards_add_up_to_the_mean_over_the_budget():
    mdp = dataclasses.replace(MDP, floor=0.0, shaping=Linear(1.0), anytime=1.0)
    trail = played(mdp, jax.random.key(2))
    vals = [float(TABLE.val[int(info.arch)]) for _, _, _, info, _ in trail][: mdp.horizon]
    assert sum(r for _, r, _, _, _ in trail[: mdp.horizon]) == pytest.approx(
        np.maximum.accumulate(vals).mean(), abs=1e-6
    )


def test_what_was_asked_is_no_candidate_any_more():
    for before, _, terminated, info, after in played(MDP, jax.random.key(3)):
        assert not memory.knows(before.asked, info.arch)
        known = jax.vmap(lambda arch, after=after: memory.knows(after.asked, arch))(after.archs)
        assert not (np.asarray(after.mask) & np.asarray(known)).any()
        assert bool(memory.knows(after.asked, info.arch)) is not terminated


def test_the_budget_ends_the_episode_and_the_next_one_knows_nothing():
    *rest, last, again = played(MDP, jax.random.key(4))
    assert not any(terminated for _, _, terminated, _, _ in rest) and last[2]
    assert int(last[3].final.t) == MDP.horizon == int(last[3].final.asked.queries)
    assert int(last[4].t) == 0 == int(last[4].asked.queries) and jnp.isnan(last[4].best)
    assert again[1] == 0 and int(again[4].t) == 1  # the level is set anew


def test_a_masked_action_asks_nothing_and_takes_a_step():
    state = MDP.reset(jax.random.key(5))
    masked = state._replace(mask=jnp.zeros_like(state.mask))
    after, reward, _, _, info = MDP.step(jax.random.key(6), masked, 0)
    assert not info.moved and not info.valid and jnp.isnan(info.val) and reward == 0
    assert int(after.asked.queries) == 0 and int(after.t) == 1


def test_a_look_up_without_a_value_rewards_nothing_and_is_not_asked_again():
    table = scrambled(60, 4, missing=1.0)
    mdp = dataclasses.replace(MDP, benchmark=table)
    for _, reward, _, info, after in played(mdp, jax.random.key(7))[:-2]:
        assert reward == 0 and not info.valid and info.moved
        assert memory.knows(after.asked, info.arch)


def test_the_rise_of_every_candidate_is_what_asking_it_brings():
    mdp = dataclasses.replace(MDP, floor=0.1, judged=True, anytime=1.0)
    state = played(mdp, jax.random.key(8))[2][4]
    rises = mdp.rises(state, state.archs)
    for action in np.flatnonzero(state.mask):
        _, reward, _, _, _ = mdp.step(jax.random.key(9), state, int(action))
        assert float(rises[action]) == pytest.approx(float(reward), abs=1e-6)


def test_judged_rewards_are_by_what_is_reported():
    mdp = dataclasses.replace(MDP, floor=0.0, shaping=Linear(1.0), judged=True)
    trail = played(mdp, jax.random.key(10))[: mdp.horizon]
    reported = [float(TABLE.reported(info.arch)) for _, _, _, info, _ in trail]
    assert sum(r for _, r, _, _, _ in trail) == pytest.approx(max(reported), abs=1e-6)


def test_candidates_are_fresh_then_near_the_best_then_near_the_latest():
    space = TABLE.space
    near = {
        row: set(np.asarray(space.flat[space.offsets[row] : space.offsets[row + 1]]).tolist())
        for row in range(60)
    }
    state = played(MDP, jax.random.key(11))[3][4]
    asked = [int(x) for x in state.asked.archs[: int(state.asked.queries)]]
    best = sorted(asked, key=lambda row: -float(TABLE.val[row]))
    groups = np.split(np.asarray(state.archs), [4, 7, 10])
    masks = np.split(np.asarray(state.mask), [4, 7, 10])
    assert MDP.num_actions == 12 == len(state.archs)
    for group, mask, parent in zip(groups[1:], masks[1:], [*best[:2], asked[-1]], strict=True):
        assert {int(x) for x in group[mask]} <= near[parent]


def test_alone_and_beside_others_episodes_are_the_same():
    keys = jax.random.split(jax.random.key(12), 3)

    def episode(key):
        reset_key, key = jax.random.split(key)

        def step(state, key):
            after, reward, *_, info = MDP.step(key, state, jnp.argmax(state.mask))
            return after, (reward, info.arch)

        return jax.lax.scan(step, MDP.reset(reset_key), jax.random.split(key, 9))[1]

    together = jax.jit(jax.vmap(episode))(keys)
    for i, key in enumerate(keys):
        alone = jax.jit(episode)(key)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_array_equal(a[i], b)


@pytest.mark.parametrize(("name", "value"), [("horizon", 0), ("fresh", 0), ("parents", 7)])
def test_sizes_out_of_range_are_one_line(name, value):
    with pytest.raises(UserError, match=name):
        dataclasses.replace(MDP, **{name: value})
