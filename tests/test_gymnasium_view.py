"""The MDPs as environments of gymnasium: its own checker, episodes, masks, and an outside library
that trains on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="gymnasium is not installed")

from gymnasium.error import ResetNeeded  # noqa: E402
from gymnasium.utils.env_checker import check_env  # noqa: E402

from rlnas.bench.gymnasium_view import GymnasiumView  # noqa: E402
from rlnas.bench.mdp import IncrementalMDP  # noqa: E402
from rlnas.bench.rewards import Linear  # noqa: E402
from rlnas.bench.stand_ins import GridBenchmark, make, scrambled  # noqa: E402
from test_views import number  # noqa: E402

WALK = {
    "id": "rlnas/Incremental-v0", "benchmark": GridBenchmark(), "shaping": Linear(128.0),
    "neighbours": 10, "horizon": 3,
}  # fmt: skip
SEARCH = {
    "id": "rlnas/Search-v0", "benchmark": scrambled(60, 4, missing=0.3), "horizon": 5,
    "current": 2, "parents": 2, "near": 3, "fresh": 4,
}  # fmt: skip


@pytest.mark.parametrize("settings", [WALK, SEARCH], ids=["incremental", "search"])
def test_it_passes_gymnasiums_own_check(settings: dict[str, Any]) -> None:
    """Made with the wrappers that say so of what is wrong, too; warnings are errors here."""
    check_env(gymnasium.make(**settings).unwrapped)
    env = gymnasium.make(**settings)
    ends = "terminated" if settings is SEARCH else "truncated"
    for _ in range(2):
        _, info = env.reset()
        for t in range(1, settings["horizon"] + 1):
            _, _, terminated, truncated, info = env.step(
                env.action_space.sample(info["action_mask"])
            )
            over = {"terminated": terminated, "truncated": truncated}
            expected = {"terminated": False, "truncated": False}
            assert over == expected | {ends: t == settings["horizon"]}
            assert bool(info["moved"])


def test_rewards_are_what_the_numbers_rise_by_and_the_last_state_is_seen() -> None:
    env = GymnasiumView(IncrementalMDP(**{k: v for k, v in WALK.items() if k != "id"}))
    seen, info = env.reset(seed=2)
    for _ in range(3):
        here = seen[0, :4]
        action = int(np.flatnonzero(info["action_mask"])[-1])
        there = seen[action + 1, :4]
        seen, reward, _, truncated, info = env.step(action)
        assert reward == number(there) - number(here) != 0
        np.testing.assert_array_equal(seen[0, :4], there)  # also behind the last step: no reset yet
        np.testing.assert_array_equal(info["arch"], there)
        assert info["val"] == number(there) / 128
        np.testing.assert_array_equal(info["action_mask"], [1] * 8 + [0] * 2)
        np.testing.assert_array_equal(env.action_masks(), info["action_mask"])
    assert truncated
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(0)


def test_a_masked_action_moves_nowhere() -> None:
    env = gymnasium.make(**WALK).unwrapped
    seen, _ = env.reset(seed=0)
    after, reward, _, _, info = env.step(9)
    assert reward == 0 and not info["moved"]
    np.testing.assert_array_equal(after[0], seen[0])


def test_the_seed_decides_the_episodes_and_no_two_of_them_are_one() -> None:
    env = gymnasium.make(**WALK).unwrapped
    runs = [[env.reset(seed=seed)[0], env.reset()[0]] for seed in (5, 5, 6)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])
    assert not np.array_equal(*runs[0])


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # an outside library's own
def test_an_outside_library_learns_on_it() -> None:
    """MaskablePPO of sb3-contrib, on a line of 8 architectures, each worth more than the one
    before."""
    contrib = pytest.importorskip("sb3_contrib", reason="sb3-contrib is not installed")
    rows = 8
    line = make([[j for j in (i - 1, i + 1) if 0 <= j < rows] for i in range(rows)],
                np.arange(rows) / 8)  # fmt: skip
    env = gymnasium.make(
        "rlnas/Incremental-v0", benchmark=line, shaping=Linear(8.0), neighbours=2, horizon=6
    )
    agent = contrib.MaskablePPO(
        "MlpPolicy", env, n_steps=128, batch_size=64, n_epochs=8, learning_rate=3e-3, gamma=0.5,
        seed=0, device="cpu",
    )  # fmt: skip
    before = gained(agent, env)
    agent.learn(1024)
    after, possible = gained(agent, env), gained(None, env)
    assert after > 0.8 * possible > before


def gained(agent: Any, env: Any, episodes: int = 16) -> float:
    """The mean return of an agent's episodes from the same starts; without one, of the best move
    (the last column of the encoding's first, the row's number, rises)."""
    total = 0.0
    for seed in range(episodes):
        seen, info = env.reset(seed=seed)
        over = False
        while not over:
            mask = info["action_mask"]
            if agent is None:
                action = int(np.argmax(np.where(mask, seen[1:, 0], -1)))
            else:
                action, _ = agent.predict(seen, action_masks=mask, deterministic=True)
            seen, reward, terminated, truncated, info = env.step(action)
            total += reward
            over = terminated or truncated
    return total / episodes
