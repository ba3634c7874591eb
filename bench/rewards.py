"""Shaped accuracies: a reward is the difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = int | float | Float[Array, ""]

NARROWEST = 1e-5
"""No range of accuracies is taken to be narrower: float32 hardly tells such values apart."""


@runtime_checkable
class Shaping(Protocol):
    """A function of the validation accuracy (fraction), and a pytree: its numbers may be traced."""

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Exponential:
    """scale x exp(alpha (u - 1)), u = (accuracy - low) / (high - low); as it stands u is the
    accuracy itself: the paper's exp(alpha accuracy) up to the constant factor scale x exp(-alpha).

    The factor is ours: it keeps values in (0, scale], so that alpha = 32 neither overflows nor
    vanishes at the top, and it changes the scale of returns but not their order (Cassimon et al.,
    arXiv 2410.01431: alpha = 6 on NAS-Bench-101, 32 on NAS-Bench-301). low and high are ours too;
    see `Relative`.
    """

    alpha: Scalar = 6.0
    scale: Scalar = 1.0
    low: Scalar = 0.0
    high: Scalar = 1.0

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]:
        width = jnp.maximum(self.high - self.low, NARROWEST)
        return self.scale * jnp.exp(self.alpha * ((accuracy - self.low) / width - 1.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Relative(Exponential):
    """`Exponential` whose low and high are what was seen so far (`within`): 0 is the median of
    uniform draws, 1 the best of all. So alpha means the same on every benchmark (ours)."""


def within(shaping: Any, draws: Float[Array, " n"], best: Float[Array, ""]) -> Any:
    """`shaping`, and if it is `Relative`, from the median of `draws` (accuracies, NaN where there
    is none) to `best`; with nothing known as it was."""
    if not isinstance(shaping, Relative):
        return shaping
    median = jnp.nanmedian(draws)
    known = jnp.isfinite(median) & jnp.isfinite(best)
    return replace(
        shaping,
        low=jnp.where(known, median, shaping.low),
        high=jnp.where(known, best, shaping.high),
    )


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linear:
    """scale x accuracy: the unshaped reward (ours, for ablations)."""

    scale: Scalar = 1.0

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return self.scale * accuracy
