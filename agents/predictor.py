"""A small network that predicts accuracies from the queries of the search so far; it learns a
little with each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float32, Key

from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.memory import Memory


class Known(NamedTuple):
    """What a predictor has learnt. params, moments: of the network and of Adam. asked: the queries
    it learns from. low, high: the range of their values, 0 and 1 before the first. begun: whether
    there was one."""

    params: Any
    moments: Any
    asked: Memory
    low: Float32[Array, ""]
    high: Float32[Array, ""]
    begun: Bool[Array, ""]


class Network(nn.Module):
    """Two hidden layers; between 0, the worst value seen, and 1, the best."""

    width: int

    @nn.compact
    def __call__(self, x: Float32[Array, "*b f"]) -> Float32[Array, "*b"]:
        for _ in range(2):
            x = nn.relu(nn.Dense(self.width)(x))
        return nn.sigmoid(nn.Dense(1)(x))[..., 0]


@dataclass(frozen=True)
class Predictor:
    """Mean squared error and Adam, as the meta-DNN of AlphaX. There: 512-2048-2048-512 units, rate
    2e-4, 20 epochs in batches of 128 at every 100 samples. Ours: the sizes, steps spread evenly
    over the queries (seeds run side by side, and what one of them computes all do), the encoding of
    the space, and targets rescaled to the values seen so far.

    What has no answer is passed over.
    """

    space: SearchSpace
    width: int
    updates: int
    learning_rate: float
    places: int
    batch: int = 32

    @property
    def network(self) -> Network:
        return Network(self.width)

    @property
    def optimiser(self) -> optax.GradientTransformation:
        return optax.adam(self.learning_rate)

    def init(self, key: Key[Array, ""]) -> Known:
        params = self.network.init(key, jnp.zeros(self.space.num_features, jnp.float32))
        asked = memory.empty(self.space, self.places)
        zero, one = jnp.float32(0), jnp.float32(1)
        return Known(params, self.optimiser.init(params), asked, zero, one, jnp.array(False))

    def take_in(self, known: Known, arch: Arch, result: QueryResult) -> Known:
        low, high = (
            jnp.where(known.begun, now, result.val)
            for now in (jnp.minimum(known.low, result.val), jnp.maximum(known.high, result.val))
        )
        return known._replace(
            asked=memory.remember(known.asked, arch, result),
            low=jnp.where(result.valid, low, known.low),
            high=jnp.where(result.valid, high, known.high),
            begun=known.begun | result.valid,
        )

    def learn(self, known: Known, key: Key[Array, ""]) -> Known:
        """`updates` steps, each on a batch drawn from the queries."""
        asked = known.asked
        present = jnp.clip(asked.queries, 1, self.places)

        def loss_of(params: Any, drawn: Any) -> Float32[Array, ""]:
            answered = jnp.isfinite(asked.vals[drawn])
            target = (asked.vals[drawn] - known.low) / jnp.maximum(known.high - known.low, 1e-6)
            x = jax.vmap(self.space.encode)(asked.archs[drawn]).astype(jnp.float32)
            found: Any = self.network.apply(params, x)
            return jnp.where(answered, (found - jnp.where(answered, target, 0)) ** 2, 0).mean()

        def update(state: Any, key: Any) -> Any:
            params, moments = state
            drawn = jax.random.randint(key, (self.batch,), 0, present, jnp.int32)
            change, moments = self.optimiser.update(jax.grad(loss_of)(params, drawn), moments)
            return (optax.apply_updates(params, change), moments), None

        keys = jax.random.split(key, self.updates)
        params, moments = jax.lax.scan(update, (known.params, known.moments), keys)[0]
        return known._replace(params=params, moments=moments)

    def predict(self, known: Known, arch: Arch) -> Float32[Array, ""]:
        """As an accuracy."""
        x = self.space.encode(arch).astype(jnp.float32)
        found: Any = self.network.apply(known.params, x)
        return known.low + (known.high - known.low) * found
