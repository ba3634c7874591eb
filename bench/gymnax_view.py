"""The MDPs in gymnax's interface, as of its version 1.0, without gymnax: for code as PureJaxRL's.

`env, params = make("nb101-digits", horizon=64)`, where such code has `gymnax.make`. The parameters
are the MDP itself, so that the table is an argument of what is compiled, not a part of it, and
`dataclasses.replace(params, shaping=Exponential(alpha))` has other rewards under `vmap`.
Observations are described in `rlnas.bench.views`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int, Key

from rlnas.bench.errors import UserError
from rlnas.bench.family import load
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.views import (
    HIGH,
    LOW,
    MDP,
    MDPState,
    Seen,
    action_mask,
    begin,
    move,
    observe,
    shape,
)


class Discrete:
    """Whole numbers from 0 to below n; gymnax's space of this name."""

    def __init__(self, n: int) -> None:
        self.n, self.shape, self.dtype = n, (), jnp.dtype(jnp.int32)

    def sample(self, key: Key[Array, ""]) -> Int[Array, ""]:
        return jax.random.randint(key, self.shape, 0, self.n, self.dtype)

    def contains(self, x: Any) -> Bool[Array, ""]:
        return (jnp.asarray(x) >= 0) & (jnp.asarray(x) < self.n)


class Box:
    """Arrays of numbers from low to high; gymnax's space of this name."""

    def __init__(self, low: float, high: float, shape: tuple[int, ...]) -> None:
        self.low, self.high, self.shape, self.dtype = low, high, shape, jnp.dtype(jnp.float32)

    def sample(self, key: Key[Array, ""]) -> Array:
        return jax.random.uniform(key, self.shape, self.dtype, self.low, self.high)

    def contains(self, x: Any) -> Bool[Array, ""]:
        return ((jnp.asarray(x) >= self.low) & (jnp.asarray(x) <= self.high)).all()


def spaces() -> tuple[Any, Any]:
    """The two classes: gymnax's own where it is installed, as its wrappers ask for them."""
    try:
        from gymnax.environments.spaces import Box as TheirBox
        from gymnax.environments.spaces import Discrete as TheirDiscrete
    except ImportError:
        return Discrete, Box
    return TheirDiscrete, TheirBox


def make(
    benchmark: Any, mdp: type[Any] = IncrementalMDP, **settings: Any
) -> tuple[GymnaxView, Any]:
    """(env, params) of a benchmark, or of the one of that name. mdp: its class, `IncrementalMDP` or
    `SearchMDP`; settings: its fields."""
    env = GymnaxView(mdp(load(benchmark) if isinstance(benchmark, str) else benchmark, **settings))
    return env, env.default_params


class GymnaxView:
    """An environment of gymnax: `reset(key, params)`, `step(key, state, action, params)`.

    The state is the MDP's. Episodes begin anew by themselves, as in gymnax and with the MDP's own
    numbers; `info["final_observation"]` is the last one before that, to bootstrap from where
    `truncated`. `info["action_mask"]` says which actions there are for the observation returned;
    `action_mask(state, params)` says it of any state, so of an episode's first.
    """

    def __init__(self, mdp: MDP) -> None:
        self._mdp = mdp

    @property
    def name(self) -> str:
        """Of the MDP and the benchmark."""
        return f"{type(self._mdp).__name__}-{self._mdp.benchmark.name}"

    @property
    def default_params(self) -> MDP:
        """The MDP."""
        return self._mdp

    @property
    def num_actions(self) -> int:
        """Of the MDP."""
        return self._mdp.num_actions

    @partial(jax.jit, static_argnames=("self",))
    def reset(self, key: Key[Array, ""], params: MDP | None = None) -> tuple[Seen, MDPState]:
        """(observation, state) at the start of an episode."""
        return self.reset_env(key, self._or_default(params))

    @partial(jax.jit, static_argnames=("self",))
    def step(
        self,
        key: Key[Array, ""],
        state: Any,
        action: Int[Array, ""] | int,
        params: MDP | None = None,
    ) -> tuple[
        Seen, MDPState, Float32[Array, ""], Bool[Array, ""], Bool[Array, ""], dict[str, Any]
    ]:
        """(observation, state, reward, terminated, truncated, info): where the episode ended, the
        first observation and state of the next."""
        mdp = self._or_default(params)
        _, after, reward, terminated, truncated, info = made = move(mdp, key, state, action)
        info |= {
            "terminated": terminated,
            "truncated": truncated,
            "final_observation": observe(mdp, made.last),
            "action_mask": action_mask(mdp, after),
        }
        return observe(mdp, after), after, reward, terminated, truncated, info

    def reset_env(self, key: Key[Array, ""], params: MDP) -> tuple[Seen, MDPState]:
        """What `reset` does."""
        state = begin(params, key)
        return observe(params, state), state

    def step_env(
        self, key: Key[Array, ""], state: Any, action: Int[Array, ""] | int, params: MDP
    ) -> tuple[Seen, MDPState, Float32[Array, ""], Bool[Array, ""], dict[str, Any]]:
        """(observation, state, reward, terminated, info), without the start of the next episode;
        `truncated` is in the info."""
        last, _, reward, terminated, truncated, info = move(params, key, state, action)
        info |= {"truncated": truncated, "action_mask": action_mask(params, last)}
        return observe(params, last), last, reward, terminated, info

    def action_mask(self, state: Any, params: MDP | None = None) -> Bool[Array, " A"]:
        """Which of the actions there are in a state."""
        return action_mask(self._or_default(params), state)

    def action_space(self, params: MDP | None = None) -> Any:
        """Discrete: the MDP's actions."""
        discrete, _ = spaces()
        return discrete(self._or_default(params).num_actions)

    def observation_space(self, params: MDP | None = None) -> Any:
        """Box: float32 [rows, columns]."""
        _, box = spaces()
        return box(LOW, HIGH, shape(self._or_default(params)))

    def _or_default(self, params: Any) -> Any:
        if params is None:
            return self._mdp
        if type(params) is not type(self._mdp):
            found, expected = type(params).__name__, type(self._mdp).__name__
            raise UserError(f"found parameters of type {found}; expected the MDP, {expected}")
        return params
