"""The MDPs as environments of gymnasium (extra `gymnasium`), for outside libraries of agents.

`GymnasiumView(mdp)`; or, by name, `rlnas/Incremental-v0` and `rlnas/Search-v0`, for which this
module is imported: `gymnasium.make("rlnas.bench.gymnasium_view:rlnas/Search-v0",
benchmark="nb101-digits", horizon=64)`. Observations are described in `rlnas.bench.views`.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jaxtyping import Float32, Int8

from rlnas.bench.family import load
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.search_mdp import SearchMDP
from rlnas.bench.views import HIGH, LOW, MDP, action_mask, begin, move, observe, shape

try:
    import gymnasium
    from gymnasium import spaces
    from gymnasium.error import ResetNeeded
except ModuleNotFoundError as error:
    said = "gymnasium is not installed; `pip install 'rlnas[gymnasium]'` for its environments"
    raise ModuleNotFoundError(said, name=error.name) from None

Seen = Float32[np.ndarray, "rows columns"]


class GymnasiumView(gymnasium.Env[Seen, np.int64]):
    """An environment of gymnasium: `reset(seed=...)`, `step(action)`.

    `terminated` and `truncated` are the MDP's: the incremental one is only ever truncated, the one
    with memory terminates when its budget is spent. `info["action_mask"]`, int8 [A], says which
    actions there are, as `action_space.sample(mask)` takes it; `action_masks()` says it to
    sb3-contrib. `info` also has the look-up made, as the MDP's own: `arch`, `val`, `valid`,
    `moved`. One compiled call a step; thousands side by side are `rlnas.bench.gymnax_view`'s.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - gymnasium's own is such a one

    def __init__(self, mdp: MDP) -> None:
        self.mdp = mdp
        self.observation_space = spaces.Box(LOW, HIGH, shape(mdp), np.float32)
        self.action_space = spaces.Discrete(mdp.num_actions)
        self._key: Any = None
        self._state: Any = None
        self._mask: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Seen, dict[str, Any]]:
        """(observation, info). Without a seed, episodes go on with the numbers of the last one."""
        super().reset(seed=seed)
        self._key = jax.random.key(int(self.np_random.integers(2**32)), impl="threefry2x32")
        self._state, *shown = _reset(self.mdp, self._next_key())
        seen, self._mask = jax.device_get(shown)
        return seen, {"action_mask": self.action_masks()}

    def step(self, action: Any) -> tuple[Seen, float, bool, bool, dict[str, Any]]:
        """(observation, reward, terminated, truncated, info)."""
        if self._state is None:
            raise ResetNeeded("the episode has ended, or none has begun; call reset() first")
        self._state, *shown = _step(self.mdp, self._next_key(), self._state, np.int32(action))
        seen, self._mask, reward, terminated, truncated, info = jax.device_get(shown)
        if terminated or truncated:
            self._state = None
        info = {"action_mask": self.action_masks(), **info}
        return seen, float(reward), bool(terminated), bool(truncated), info

    def action_masks(self) -> Int8[np.ndarray, " A"]:
        """The action mask of the latest observation."""
        mask: np.ndarray = self._mask.astype(np.int8)
        return mask

    def _next_key(self) -> Any:
        self._key, key = jax.random.split(self._key)
        return key


@jax.jit
def _reset(mdp: Any, key: Any) -> Any:
    state = begin(mdp, key)
    return state, observe(mdp, state), action_mask(mdp, state)


@jax.jit
def _step(mdp: Any, key: Any, state: Any, action: Any) -> Any:
    last, _, *made = move(mdp, key, state, action)
    return last, observe(mdp, last), action_mask(mdp, last), *made


def incremental(benchmark: Any, **settings: Any) -> GymnasiumView:
    """The view of an `IncrementalMDP` of these settings."""
    return GymnasiumView(IncrementalMDP(_opened(benchmark), **settings))


def search(benchmark: Any, **settings: Any) -> GymnasiumView:
    """The view of a `SearchMDP` of these settings."""
    return GymnasiumView(SearchMDP(_opened(benchmark), **settings))


def _opened(benchmark: Any) -> Any:
    return load(benchmark) if isinstance(benchmark, str) else benchmark


gymnasium.register("rlnas/Incremental-v0", f"{__name__}:incremental")
gymnasium.register("rlnas/Search-v0", f"{__name__}:search")
