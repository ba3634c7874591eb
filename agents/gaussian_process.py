"""A Gaussian process in fixed shapes: points come one by one, and no query costs a refit.

With room for M points. Instead of the Cholesky factor L of the covariance its inverse W is kept
(W K W^T = 1): a new point is a new row, and a prediction is a matrix product, which runs over many
candidates and many searches at once. Mean and variance of the process are those of the largest
likelihood, in closed form (Rasmussen and Williams 2006, chapters 2 and 5; the arrangement is ours).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float32, Int32

SMALLEST = 1e-6
"""Of a variance given the other points, as a share: rounding leaves no less."""


class Process(NamedTuple):
    """Of the points so far: mean and variance of the process, and its whitened residuals [M]."""

    mean: Float32[Array, ""]
    variance: Float32[Array, ""]
    residual: Float32[Array, " M"]


def inverse_factor(
    covariance: Float32[Array, "M M"], used: Bool[Array, " M"]
) -> Float32[Array, "M M"]:
    """W of the points used, zero elsewhere."""
    both = used[:, None] & used
    unit = jnp.eye(len(used), dtype=jnp.float32)
    factor = jnp.linalg.cholesky(jnp.where(both, covariance, unit))
    inverse = jax.scipy.linalg.solve_triangular(factor, unit, lower=True)
    return jnp.where(both, inverse, 0.0)


def with_row(
    inverse: Float32[Array, "M M"],
    covariances: Float32[Array, " M"],
    own: Float32[Array, ""],
    at: Int32[Array, ""],
) -> Float32[Array, "M M"]:
    """W with one more point in the unused place `at`, behind all used ones: what the factorisation
    of all would give. covariances: with the used points; own: its variance, noise included."""
    below = inverse @ covariances  # the new row of L
    left = jnp.maximum(own - below @ below, SMALLEST * own)
    here = (jnp.arange(len(inverse)) == at).astype(jnp.float32)
    return inverse.at[at].set((here - below @ inverse) / jnp.sqrt(left))


def process(
    inverse: Float32[Array, "M M"], values: Float32[Array, " M"], used: Bool[Array, " M"]
) -> tuple[Process, Float32[Array, ""]]:
    """The process of the values (any where not used), and its log evidence, up to a constant.

    Beside the points, one of the variance 1 counts for the variance, so that few do not settle it:
    values are thought of as of that size (ours).
    """
    white = inverse @ jnp.where(used, values, 0.0)
    ones = inverse @ used.astype(jnp.float32)
    mean = white @ ones / jnp.maximum(ones @ ones, SMALLEST)
    residual = white - mean * ones
    n = used.sum().astype(jnp.float32)
    variance = (residual @ residual + 1) / (n + 1)
    diagonal = jnp.where(used, jnp.diagonal(inverse), 1.0)
    evidence = jnp.log(diagonal).sum() - (n + 1) / 2 * jnp.log(variance)
    return Process(mean, variance, residual), evidence


def predict(
    inverse: Float32[Array, "M M"],
    found: Process,
    correlations: Float32[Array, "M n"],
    own: Any = 1.0,
) -> tuple[Float32[Array, " n"], Float32[Array, " n"]]:
    """Mean and standard deviation (without noise) at n places, by their correlations with the
    points, 0 with what is not used; own: those with themselves, [n]."""
    white = inverse @ correlations
    left = jnp.maximum(own - (white * white).sum(axis=0), SMALLEST)
    return found.mean + found.residual @ white, jnp.sqrt(found.variance * left)


def smoothed(
    inverse: Float32[Array, "M M"],
    found: Process,
    values: Float32[Array, " M"],
    noise: Float32[Array, ""],
) -> Float32[Array, " M"]:
    """The means at the points themselves: their values less what is taken for noise."""
    return values - noise * (found.residual @ inverse)


def expected_improvement(
    mean: Float32[Array, " n"], deviation: Float32[Array, " n"], best: Float32[Array, ""]
) -> Float32[Array, " n"]:
    """How far a normal variable is above `best` on average, nothing counting where it is below."""
    z = (mean - best) / deviation
    return deviation * (z * norm.cdf(z) + norm.pdf(z))


def normal_scores(values: Float32[Array, " M"], used: Bool[Array, " M"]) -> Float32[Array, " M"]:
    """The values' ranks as quantiles of the normal distribution, equal ones with equal rank; 0
    where not used."""
    below = ((values[None] < values[:, None]) & used).sum(1)
    equal = ((values[None] == values[:, None]) & used).sum(1)
    share = (below + equal / 2).astype(jnp.float32) / jnp.maximum(used.sum(), 1)
    return jnp.where(used, norm.ppf(jnp.where(used, share, 0.5)), 0.0).astype(jnp.float32)
