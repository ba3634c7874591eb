"""A learner in one file, as small as one can be; what is made for all learners is tested with it.

It learns what moves to each architecture gain, on-policy, and its programs compile in a moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from rlnas.agents.learner import Incremental, Step, TrainState, View, begin, step_actors
from rlnas.agents.protocol import Agent
from rlnas.agents.walker import Walker, epsilon_greedy, walk

AGENT = "averages:AveragesAgent"
"""Its name, in `rlnas train` and everywhere."""


class Averages(NamedTuple):
    params: Any


class Metrics(NamedTuple):
    loss: Any
    val: Any


@dataclass(frozen=True)
class AveragesLearner(Incremental):
    """Settings."""

    rollout: int = 2
    """Steps of each actor in an iteration."""
    rate: float = 0.5
    """How far a value moves to what was seen."""
    spread: float = 0.0
    """Of the values that training begins with."""

    @classmethod
    def presets(cls) -> dict[str, AveragesLearner]:
        smoke = cls(steps=160, actors=8, horizon=4, neighbours=5)
        return {"default": cls(), "smoke": smoke, "grid": smoke, "paper": cls()}

    @property
    def iteration_steps(self) -> int:
        return self.actors * self.rollout

    @property
    def warm_iterations(self) -> int:
        return 1

    def init(self, mdp: Any, key: Any) -> TrainState:
        reset_key, noise_key, key = jax.random.split(key, 3)
        value = self.spread * jax.random.normal(noise_key, (mdp.benchmark.space.size,))
        return begin(mdp, self.actors, Averages({"value": value}), reset_key, key)

    def iterate(self, mdp: Any, state: TrainState, learning: bool) -> tuple[TrainState, Metrics]:
        key, *keys = jax.random.split(state.key, 1 + 2 * self.rollout)
        value = state.learner.params["value"]
        steps: list[Step] = []
        for act_key, step_key in zip(keys[::2], keys[1::2], strict=True):
            view = View(state.env.archs, state.env.mask)
            q = self.score(mdp.benchmark.space, {"value": value}, view)
            action = jax.vmap(epsilon_greedy, in_axes=(0, 0, None, 0))(
                q, self.real_actions(view.mask), 0.5, jax.random.split(act_key, self.actors)
            )
            state, step = step_actors(mdp, state, action, step_key)
            steps.append(step)
        seen = jnp.concatenate([step.after.archs[:, 0] for step in steps])
        reward = jnp.concatenate([step.reward for step in steps])
        if learning:
            value = value.at[seen].add(self.rate * (reward - value[seen]))
        state = state._replace(
            learner=Averages({"value": value}), iteration=state.iteration + 1, key=key
        )
        loss = jnp.abs(value[seen] - reward).mean()
        return state, Metrics(loss, jnp.stack([step.val for step in steps]).mean())

    def score(self, space: Any, params: Any, view: View) -> Any:
        return params["value"][view.archs[..., 1:]]

    def agent(self, space: Any, params: Any) -> Agent:
        return walk(self, space, params)


@dataclass(frozen=True)
class AveragesAgent(Walker):
    """Walks to where moves gained most."""

    learner: ClassVar[type[Any]] = AveragesLearner
