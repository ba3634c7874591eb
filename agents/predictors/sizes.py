"""What architectures cost as predictors: nothing is learnt, more is taken for better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.predictors.protocol import Model
from rlnas.bench.benchmark import Costed, Sizes, Weighed
from rlnas.bench.errors import UserError


def untrained(see: Any) -> Model:
    """What is seen is what is said."""
    return Model(see, lambda codes, values, key: (), lambda nothing, codes: codes)


@dataclass(frozen=True)
class Params:
    """Trainable parameters of the network on CIFAR-10 (`rlnas.bench.benchmark.Sizes`); where a
    space does not know them, those of its operations, in 3 x 3 convolutions (`Weighed`)."""

    free, pure = True, False

    def build(self, space: Any) -> Model:
        if not isinstance(space, Sizes):
            return weights(space, "params")
        sizes = np.asarray(space.trainable_parameters(), np.float64)
        return untrained(lambda archs: sizes[np.asarray(jax.vmap(space.index)(archs))])


@dataclass(frozen=True)
class Flops:
    """Operations for one image of the network on CIFAR-10 (`rlnas.bench.benchmark.Costed`)."""

    free, pure = True, True

    def build(self, space: Any) -> Model:
        if not isinstance(space, Costed):
            raise UserError(f"{type(space).__name__} does not know FLOPs; choose another predictor")
        return untrained(jax.vmap(space.flops))


def weights(space: Any, what: str) -> Model:
    """The parameters of an architecture's operations, in those of a 3 x 3 convolution of as many
    channels."""
    if not isinstance(space, Weighed):
        raise UserError(
            f"{type(space).__name__} does not know the size of its networks; choose another "
            f"predictor than {what}"
        )
    each = jnp.asarray(space.graph_weights, jnp.float32)

    def see(arch: Any) -> Any:
        labels = space.graph(arch).labels[..., None]
        kinds = (labels == jnp.arange(len(each), dtype=jnp.int8)).astype(jnp.float32)
        return (kinds @ each).sum()

    return untrained(jax.vmap(see))
