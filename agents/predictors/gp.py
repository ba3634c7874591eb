"""The Gaussian process of the agent `gp` as a predictor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from rlnas.agents import gp
from rlnas.agents.kernels import KernelName, kernel_of
from rlnas.agents.predictors.protocol import Model
from rlnas.bench.benchmark import SearchSpace


@dataclass(frozen=True)
class GaussianProcess:
    """The mean of a Gaussian process in normal scores: that of the agent `gp`, which says where its
    kernels are from (naszilla's paths; NAS-BOWL's subtrees, arXiv 2006.07556) and what is ours. The
    kernel's settings are those of the largest evidence."""

    kernel: KernelName = "traits"
    """What makes architectures alike: paths, counts, and what is measured of size (`traits`); the
    first two alone (`paths`); or common subtrees (`wl`)."""

    free, pure = False, True

    def build(self, space: SearchSpace) -> Model:
        kernel = kernel_of(space, self.kernel)

        def fit(codes: Any, values: Any, key: Any) -> gp.Points:
            order = jnp.argsort(jnp.isnan(values), stable=True)  # what is known stands first
            many = jnp.isfinite(values).sum().astype(jnp.int32)
            blank = jnp.zeros((len(values), len(values)), jnp.float32)
            points = gp.Points(codes[order], values[order], many, kernel.settings[0], blank)
            return gp.fitted(kernel, points)

        def predict(points: gp.Points, codes: Any) -> Any:
            return gp.posterior(kernel, points, codes)[0]

        return Model(jax.vmap(kernel.code), fit, predict)
