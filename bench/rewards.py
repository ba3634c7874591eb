"""Shaped accuracies: a reward is the difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = int | float | Float[Array, ""]


@runtime_checkable
class Shaping(Protocol):
    """A function of the validation accuracy (fraction), and a pytree: its numbers may be traced."""

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]: ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Exponential:
    """scale x exp(alpha (accuracy - 1)): the paper's exp(alpha accuracy) up to the constant factor
    scale x exp(-alpha).

    The factor is ours: it keeps values in (0, scale], so that alpha = 32 neither overflows nor
    vanishes at the top, and it changes the scale of returns but not their order (Cassimon et al.,
    arXiv
    2410.01431: alpha = 6 on NAS-Bench-101, 32 on NAS-Bench-301).
    """

    alpha: Scalar = 6.0
    scale: Scalar = 1.0

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return self.scale * jnp.exp(self.alpha * (accuracy - 1.0))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linear:
    """scale x accuracy: the unshaped reward (ours, for ablations)."""

    scale: Scalar = 1.0

    def __call__(self, accuracy: Float[Array, "*n"]) -> Float[Array, "*n"]:
        return self.scale * accuracy
