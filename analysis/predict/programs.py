"""Predictors as programs: spaces are arguments, so that what fits one serves all of its kind."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas.agents.predictors.protocol import Predictor
from rlnas.bench.jax_setup import pinned

AT_ONCE = 1024
"""Architectures that are looked at together."""


@pinned()
def see(config: Predictor, space: Any, archs: Any) -> Any:
    """What a predictor sees of architectures [n, ...], numpy arrays. `UserError` where the space,
    or this installation, is not for it."""
    if config.free:  # it may know its sizes by number alone
        return np.asarray(config.build(space).see(archs), np.float64)
    return jax.tree.map(np.asarray, _see(config, space, archs))


def fit(config: Predictor, space: Any, codes: Any, vals: Float[np.ndarray, " n"], key: Any) -> Any:
    """What it learns from codes [n, ...] and their values, NaN where nothing is known."""
    if config.pure:
        found = _fit(config, space, codes, jnp.asarray(vals, jnp.float32), key)
        return jax.block_until_ready(found)
    known = np.isfinite(vals)
    model = config.build(space)
    return model.fit(jax.tree.map(lambda x: x[known], codes), vals[known], key)


def predict(config: Predictor, space: Any, learnt: Any, codes: Any) -> Float[np.ndarray, " m"]:
    """Scores of codes [m, ...]."""
    if config.pure:
        return np.asarray(_predict(config, space, learnt, codes), np.float64)
    return np.asarray(config.build(space).predict(learnt, codes), np.float64)


@partial(jax.jit, static_argnums=0)
def _see(config: Predictor, space: Any, archs: Any) -> Any:
    model = config.build(space)

    def one(arch: Any) -> Any:
        return jax.tree.map(lambda x: x[0], model.see(arch[None]))

    return jax.lax.map(one, archs, batch_size=AT_ONCE)


@partial(jax.jit, static_argnums=0)
def _fit(config: Predictor, space: Any, codes: Any, vals: Any, key: Any) -> Any:
    return config.build(space).fit(codes, vals, key)


@partial(jax.jit, static_argnums=0)
def _predict(config: Predictor, space: Any, learnt: Any, codes: Any) -> Any:
    return config.build(space).predict(learnt, codes)
