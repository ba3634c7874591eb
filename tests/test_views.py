"""The MDPs in gymnax's interface and as arrays: against the MDP's own step and numbers by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from notebooks import NOTEBOOKS, code_cells, read
from rlnas.bench.errors import UserError
from rlnas.bench.gymnax_view import GymnaxView, make
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.rewards import Exponential, Linear
from rlnas.bench.search_mdp import SearchMDP
from rlnas.bench.stand_ins import GridBenchmark, scrambled
from rlnas.bench.stand_ins import make as table
from rlnas.bench.views import observe

WALK = IncrementalMDP(GridBenchmark(), Linear(128.0), neighbours=10, horizon=3)
SEARCH = SearchMDP(
    scrambled(60, 4, missing=0.5), Linear(2.0), floor=0.1, horizon=5, current=2, parents=2, near=3,
    fresh=4,
)  # fmt: skip
BOTH = pytest.mark.parametrize("mdp", [WALK, SEARCH], ids=["incremental", "search"])


def number(digits: Any) -> int:
    """What an architecture of the grid is worth, in 128ths."""
    return int(np.asarray(digits, int) @ 3 ** np.arange(4))


def played(mdp: Any, steps: int, seed: int = 0) -> list[dict[str, Any]]:
    """What `step` answers, beside what went in."""
    env = GymnaxView(mdp)
    params = env.default_params
    key = jax.random.key(seed)
    _, state = env.reset(key, params)
    trail = []
    for step_key in jax.random.split(key, steps):
        action = jnp.argmax(env.action_mask(state, params))
        names = ("seen", "after", "reward", "terminated", "truncated", "info")
        made = dict(zip(names, env.step(step_key, state, action, params), strict=True))
        trail.append(made | {"key": step_key, "before": state, "action": action})
        state = made["after"]
    return trail


def test_rewards_are_what_the_numbers_rise_by() -> None:
    for step in played(WALK, 7):
        rise = number(step["info"]["arch"]) - number(step["before"].archs[0])
        assert rise != 0 and float(step["reward"]) == rise


@BOTH
def test_a_step_is_the_mdps_own(mdp: Any) -> None:
    own = jax.jit(mdp.step)
    for step in played(mdp, 7):
        expected = own(step["key"], step["before"], step["action"])[-5:]
        found = [step[name] for name in ("after", "reward", "terminated", "truncated")]
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected[:4]), strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(step["seen"], observe(mdp, step["after"]))


@pytest.mark.long
@BOTH
def test_episodes_begin_anew_and_the_last_observation_is_told(mdp: Any) -> None:
    env, ends = GymnaxView(mdp), "terminated" if mdp is SEARCH else "truncated"
    for i, step in enumerate(played(mdp, 2 * mdp.horizon + 1), 1):
        ended = i % mdp.horizon == 0
        over = {name: bool(step[name]) for name in ("terminated", "truncated")}
        assert over == {"terminated": False, "truncated": False} | {ends: ended}
        assert over == {name: bool(step["info"][name]) for name in over}
        assert int(step["after"].t) == i % mdp.horizon
        seen, last, reward, terminated, info = env.step_env(
            step["key"], step["before"], step["action"], mdp
        )
        assert int(last.t) == (i - 1) % mdp.horizon + 1
        assert (bool(terminated), bool(info["truncated"])) == tuple(over.values())
        assert float(reward) == float(step["reward"])
        np.testing.assert_array_equal(seen, step["info"]["final_observation"])
        assert np.array_equal(seen, step["seen"]) != ended


def test_a_walk_is_seen_as_encodings_and_which_are_there() -> None:
    for step in played(WALK, 4):
        seen, state = np.asarray(step["seen"]), step["after"]
        np.testing.assert_array_equal(seen[:, :4], state.archs)
        np.testing.assert_array_equal(seen[:, 4], [1] * 9 + [0] * 2)
        np.testing.assert_array_equal(step["info"]["action_mask"], [True] * 8 + [False] * 2)


def test_a_search_is_seen_as_candidates_then_what_was_asked() -> None:
    answers = 0
    for t, step in enumerate(played(SEARCH, SEARCH.horizon - 1), 1):
        seen, state = np.asarray(step["seen"]), step["after"]
        candidates, asked = np.split(seen, [SEARCH.num_actions])
        rows = np.asarray(state.archs)
        np.testing.assert_array_equal(candidates[:, 0], rows)
        np.testing.assert_array_equal(candidates[:, 2], state.mask)
        np.testing.assert_array_equal(step["info"]["action_mask"], state.mask)
        assert not candidates[:, 3].any()
        val = np.asarray(SEARCH.benchmark.val)[asked[:t, 0].astype(int)]
        np.testing.assert_array_equal(asked[:t, 3], np.where(np.isnan(val), -1, val))
        assert asked[:t, 2].all() and not asked[t:, :4].any()
        assert asked[t - 1, 0] == step["info"]["arch"]
        np.testing.assert_allclose(seen[:, 4], 1 - t / SEARCH.horizon, rtol=1e-6)
        answers += int(np.isnan(val[-1]))
    assert 0 < answers < t


@BOTH
def test_spaces_are_those_of_what_is_seen_and_done(mdp: Any) -> None:
    env = GymnaxView(mdp)
    seen, actions = env.observation_space(mdp), env.action_space(mdp)
    observation, _ = env.reset(jax.random.key(1), mdp)
    assert (observation.shape, observation.dtype) == (seen.shape, seen.dtype)
    assert seen.contains(observation) and not seen.contains(observation + 200)
    assert seen.sample(jax.random.key(0)).shape == seen.shape
    assert actions.n == env.num_actions == mdp.num_actions and actions.shape == ()
    drawn = jax.vmap(actions.sample)(jax.random.split(jax.random.key(0), 200))
    assert set(np.asarray(drawn).tolist()) == set(range(actions.n))
    assert actions.contains(0) and not actions.contains(actions.n) and not actions.contains(-1)


def test_many_side_by_side_are_the_same_and_so_are_other_parameters() -> None:
    env, params = make(GridBenchmark(), neighbours=8, horizon=3)
    keys = jax.random.split(jax.random.key(3), 4)

    def step(key: Any, alpha: Any) -> Any:
        other = dataclasses.replace(params, shaping=Exponential(alpha))
        _, state = env.reset(key, other)
        return env.step(key, state, 0, other)[:3]

    alphas = jnp.array([1.0, 8.0])
    together = jax.vmap(jax.vmap(step, (0, None)), (None, 0))(keys, alphas)
    for i, alpha in enumerate(alphas):
        for j, key in enumerate(keys):
            one = jax.tree.map(lambda x, i=i, j=j: x[i, j], together)
            for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(step(key, alpha)), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5)
    assert not np.allclose(together[2][0], together[2][1])


def test_parameters_may_be_left_out_and_are_of_the_mdps_kind() -> None:
    env = GymnaxView(WALK)
    assert env.name == "IncrementalMDP-grid" and env.default_params is WALK
    given, default = env.reset(jax.random.key(0), WALK), env.reset(jax.random.key(0))
    np.testing.assert_array_equal(given[0], default[0])
    with pytest.raises(UserError, match="type SearchMDP; expected the MDP, IncrementalMDP"):
        env.reset(jax.random.key(0), SEARCH)


def test_gymnax_itself_takes_it() -> None:
    """Its own wrappers, spaces, and way into gymnasium."""
    spaces = pytest.importorskip(
        "gymnax.environments.spaces", reason="gymnax, which caps JAX, is not installed",
        exc_type=ImportError,
    )  # fmt: skip
    from gymnax.wrappers import gym, purerl

    env = GymnaxView(WALK)
    assert isinstance(env.action_space(WALK), spaces.Discrete)
    wrapped = purerl.LogWrapper(purerl.FlattenObservationWrapper(env))
    observation, state = wrapped.reset(jax.random.key(0), WALK)
    assert observation.shape == (11 * 5,) == wrapped.observation_space(WALK).shape
    total = 0.0
    for key in jax.random.split(jax.random.key(1), 3):
        observation, state, reward, terminated, truncated, info = wrapped.step(key, state, 0, WALK)
        total += float(reward)
    assert truncated and info["returned_episode"] and not terminated
    assert float(info["returned_episode_returns"]) == total
    theirs = gym.GymnaxToGymWrapper(env, WALK)
    observation, _ = theirs.reset(seed=1)
    assert theirs.observation_space.contains(np.asarray(observation))
    assert theirs.action_space.n == 10


@pytest.mark.long
def test_ppo_as_purejaxrls_learns_on_it() -> None:
    """The one that notebook 08 shows, on a line of 16 architectures, each worth more than the one
    before: what it gains a step is nothing by chance, and near all there is in the end."""
    notebook = read(next(path for path in NOTEBOOKS if path.name.startswith("08")))
    rows = 16
    line = table([[j for j in (i - 1, i + 1) if 0 <= j < rows] for i in range(rows)],
                 np.arange(rows) / 32)  # fmt: skip
    env, params = make(line, shaping=Linear(32.0), neighbours=2, horizon=8)
    cells = [cell.source for cell in code_cells(notebook)]
    names: dict[str, Any] = {}
    for source in (cells[0].removeprefix("%matplotlib inline\n"), *cells[2:5]):
        exec(source, names)  # imports; the network; PPO; a training
        names |= {"env": env, "params": params, "smoke": False}
    gained = jax.jit(names["train"])(jax.random.key(0))
    assert abs(float(gained[0])) < 0.25
    assert float(gained[-5:].mean()) > 0.5
