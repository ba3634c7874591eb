"""A small network that predicts accuracies from choices, trained while a search goes on."""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float32, Int32, Key

from rlnas.agents.tabular import Log, Sample, held, replays

WIDTH = 32
STEPS = 8
"""Of Adam, each time that it is trained."""
BATCH = 32
OPTIMISER = optax.adam(1e-2)


class MLP(nn.Module):
    """int32 slots [..., T] -> float32 [...]: one-hot choices, a hidden layer, a number."""

    choices: int

    @nn.compact
    def __call__(self, slots: Int32[Array, "*n T"]) -> Float32[Array, "*n"]:
        one_hot = jax.nn.one_hot(slots % self.choices, self.choices, dtype=jnp.float32)
        x = one_hot.reshape(*slots.shape[:-1], -1)
        return nn.Dense(1)(nn.relu(nn.Dense(WIDTH)(x)))[..., 0]


class Predictor(NamedTuple):
    """params, opt_state: of `MLP`. Its numbers are standard deviations above the mean answer."""

    params: Any
    opt_state: Any


def create(choices: int, log: Log, key: Key[Array, ""]) -> Predictor:
    params = MLP(choices).init(key, log.samples.slots[:1])
    return Predictor(params, OPTIMISER.init(params))


def predict(predictor: Predictor, choices: int, slots: Int32[Array, "n T"]) -> Float32[Array, " n"]:
    found: Any = MLP(choices).apply(predictor.params, slots)
    return found


def fit(predictor: Predictor, choices: int, log: Log, key: Key[Array, ""]) -> Predictor:
    """A few more steps on what the log holds, all of it with values; none where that is nothing."""
    known = jnp.arange(log.samples.val.shape[0]) < held(log)
    count = jnp.maximum(held(log), 1)
    vals = jnp.where(known, log.samples.val, 0)
    mean = vals.sum() / count
    spread = jnp.sqrt(jnp.where(known, (vals - mean) ** 2, 0).sum() / count) + 1e-6

    def loss(params: Any, drawn: Sample) -> Any:
        error = predict(Predictor(params, ()), choices, drawn.slots) - (drawn.val - mean) / spread
        return (error**2).mean()

    def step(now: Predictor, key: Any) -> tuple[Predictor, None]:
        drawn = replays(key, log, log._replace(total=jnp.int32(0)), BATCH)
        gradient = jax.grad(loss)(now.params, drawn)
        updates, opt_state = OPTIMISER.update(gradient, now.opt_state, now.params)
        after = Predictor(optax.apply_updates(now.params, updates), opt_state)
        return jax.tree.map(lambda new, old: jnp.where(known.any(), new, old), after, now), None

    return jax.lax.scan(step, predictor, jax.random.split(key, STEPS))[0]
