"""A straight line through the answers, against the size of an architecture's operations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from rlnas.agents.gaussian_process import normal_scores
from rlnas.agents.predictors.protocol import Model
from rlnas.agents.predictors.sizes import weights


@dataclass(frozen=True)
class Line:
    """Least squares of normal scores on the parameters of the operations (`Weighed`): what counting
    parameters is worth to a search, which sees by its answers whether more of them are better."""

    free, pure = False, True

    def build(self, space: Any) -> Model:
        def fit(sizes: Any, values: Any, key: Any) -> Any:
            known = jnp.isfinite(values)
            scores = normal_scores(values, known)
            many = jnp.maximum(known.sum(), 1)
            middle = jnp.where(known, sizes, 0.0).sum() / many
            far = jnp.where(known, sizes - middle, 0.0)
            return middle, (far * scores).sum() / jnp.maximum((far * far).sum(), 1e-6)

        def predict(line: Any, sizes: Any) -> Any:
            return line[1] * (sizes - line[0])

        return Model(weights(space, "params").see, fit, predict)
