"""An ensemble of small networks that predicts normal scores from codes, as BANANAS has it."""

from __future__ import annotations

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float32, Int8, Key

from rlnas.agents.gaussian_process import normal_scores


class Network(nn.Module):
    """Codes [*b, f] -> one number each; hidden layers of `width` ReLU units."""

    layers: int
    width: int

    @nn.compact
    def __call__(self, x: Float32[Array, "*b f"]) -> Float32[Array, "*b"]:
        for _ in range(self.layers):
            x = nn.relu(nn.Dense(self.width, kernel_init=nn.initializers.glorot_uniform())(x))
        return nn.Dense(1, kernel_init=nn.initializers.glorot_uniform())(x)[..., 0]


class Ensemble(NamedTuple):
    """members: networks, each of `layers` hidden layers of `width` units, trained from scratch on
    `steps` batches of `batch` answers, drawn with replacement; mean absolute error, Adam with
    b2 = .99."""

    members: int
    layers: int
    width: int
    steps: int
    batch: int
    learning_rate: float

    @property
    def network(self) -> Network:
        return Network(self.layers, self.width)

    def fit(
        self,
        key: Key[Array, ""],
        codes: Int8[Array, "n f"],
        vals: Float32[Array, " n"],
        used: Bool[Array, " n"],
    ) -> Any:
        """The parameters of all members; used: where there is an answer."""
        keys = jax.random.split(key, self.members)
        return jax.vmap(lambda key: self._trained(key, codes, vals, used))(keys)

    def predict(self, params: Any, codes: Int8[Array, "m f"]) -> Float32[Array, "members m"]:
        """What each member says, in normal scores."""
        inputs = codes.astype(jnp.float32)
        found: Any = jax.vmap(lambda params: self.network.apply(params, inputs))(params)
        return found

    def _trained(self, key: Any, codes: Any, vals: Any, used: Any) -> Any:
        network, optimiser = self.network, optax.adam(self.learning_rate, b2=0.99)
        scores = normal_scores(vals, used)
        inputs = codes.astype(jnp.float32)
        init_key, batch_key = jax.random.split(key)
        params = network.init(init_key, inputs[:1])
        # Places of answers come first; where there is none, any.
        order = jnp.argsort(~used, stable=True)
        many = jnp.maximum(used.sum(), 1)
        batches = order[jax.random.randint(batch_key, (self.steps, self.batch), 0, many, jnp.int32)]

        def step(learning: Any, places: Any) -> Any:
            params, moments = learning

            def loss(params: Any) -> Float32[Array, ""]:
                found: Any = network.apply(params, inputs[places])
                return jnp.abs(found - scores[places]).mean()

            updates, moments = optimiser.update(jax.grad(loss)(params), moments)
            return (optax.apply_updates(params, updates), moments), None

        return jax.lax.scan(step, (params, optimiser.init(params)), batches)[0][0]
