"""Learning curves, extrapolated: nine parametric families fitted by least squares, over bootstrap
replicates.

The families are those of Domhan, Springenberg and Hutter (2015, IJCAI; automl/
pylearningcurvepredictor). They weigh and fit them by MCMC; ours are fitted by Levenberg and
Marquardt's method under random weights of the points (the Bayesian bootstrap, Rubin 1981), and
weigh by Schwarz' criterion. All is float32 and of fixed shapes: jit- and vmap-safe.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Key

FAMILIES = (
    "pow3", "pow4", "exp4", "log power", "weibull", "mmf", "janoschek", "hill3", "log-log linear",
)  # fmt: skip
PARAMETERS = np.array([3, 4, 4, 3, 4, 4, 4, 3, 2], np.float32)
START = np.array(
    [
        [0.84, 0.52, -0.7, 0],
        [0.84, 0.0, 0.0, -0.7],
        [0.8, -0.2, -0.8, -1.2],
        [0.8, 0.7, -0.7, 0],
        [0.8, 0.1, -1.5, -0.3],
        [0.8, 0.1, -1.0, 0.0],
        [0.8, 0.07, -1.0, -0.78],
        [0.8, 0.0, 0.7, 0],
        [0.05, 2.0, 0, 0],
    ],
    np.float32,
)  # fmt: skip
"""Where fits begin, [9, 4], in `curves`' own parameters; ours, of curves that rise to some 80 %."""
LEAST = 0.002
"""Standard deviation of a value around its curve, at least: no curve is known better."""
FIRST, MORE = 20, 4
"""Steps of the fit, and of each replicate's from there."""


def curves(theta: Float32[Array, "9 4"], x: Float32[Array, " K"]) -> Float32[Array, "9 K"]:
    """Every family at epochs x, from 1. What has to be positive is the exponential of a
    parameter."""
    p = jnp.clip(theta, -12.0, 12.0)
    log_x = jnp.log(x)

    def power(log_scale: Array, log_exponent: Array) -> Array:
        """(scale x) ^ exponent."""
        return jnp.exp(jnp.clip(jnp.exp(log_exponent) * (log_scale + log_x), -30.0, 30.0))

    e = jnp.exp
    zero = jnp.float32(0)
    a, b, c, d = p[:, 0], p[:, 1], p[:, 2], p[:, 3]
    base = e(jnp.clip(b[1] + log_x, -30.0, 30.0)) + e(c[1])
    rows = (
        a[0] - b[0] / power(zero, c[0]),
        a[1] - e(jnp.clip(-e(d[1]) * jnp.log(base), -30.0, 30.0)),
        a[2] - e(jnp.clip(-e(b[2]) * power(zero, d[2]) + c[2], -30.0, 5.0)),
        a[3] / (1 + 1 / power(-b[3], c[3])),
        a[4] - (a[4] - b[4]) * e(-power(c[4], d[4])),
        a[5] - (a[5] - b[5]) / (1 + power(c[5], d[5])),
        a[6] - (a[6] - b[6]) * e(-jnp.minimum(e(c[6]) * power(zero, d[6]), 30.0)),
        a[7] / (1 + 1 / power(-c[7], b[7])),
        jnp.log(jnp.maximum(a[8] * log_x + b[8], 1e-3)),
    )
    return jnp.stack(rows)


def solved(matrix: Float32[Array, "4 4"], right: Float32[Array, " 4"]) -> Float32[Array, " 4"]:
    """x of matrix x = right, by Cholesky's factors, written out: many small systems beside each
    other."""
    n = right.shape[0]
    low = [[jnp.float32(0)] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j] - sum((low[i][k] * low[j][k] for k in range(j)), jnp.float32(0))
            low[i][j] = jnp.sqrt(jnp.maximum(rest, 1e-12)) if i == j else rest / low[j][j]
    y: list[Array] = []
    for i in range(n):
        y.append((right[i] - sum((low[i][k] * y[k] for k in range(i)), jnp.float32(0))) / low[i][i])
    x = [jnp.float32(0)] * n
    for i in reversed(range(n)):
        x[i] = (y[i] - sum((low[k][i] * x[k] for k in range(i + 1, n)), jnp.float32(0))) / low[i][i]
    return jnp.stack(x)


def fit(
    theta: Float32[Array, "9 4"],
    x: Float32[Array, " K"],
    y: Float32[Array, " K"],
    weights: Float32[Array, " K"],
    steps: int,
) -> tuple[Float32[Array, "9 4"], Float32[Array, " 9"]]:
    """(parameters, weighted sums of squares) after `steps` of Levenberg and Marquardt's method, of
    every family by itself. A weight of 0 leaves a point out."""

    def squares(theta: Array) -> Array:
        found = (weights * (curves(theta, x) - y) ** 2).sum(1)
        return jnp.where(jnp.isfinite(found), found, jnp.inf)

    def step(carry: tuple, _: None) -> tuple[tuple, None]:
        theta, before, damping = carry
        value = curves(theta, x)
        axes = jnp.eye(4, dtype=jnp.float32)

        def slope(axis: Array) -> Array:
            along = jnp.broadcast_to(axis, theta.shape)
            return jax.jvp(lambda t: curves(t, x), (theta,), (along,))[1]

        jacobian = jnp.nan_to_num(jax.vmap(slope)(axes), posinf=0.0, neginf=0.0)  # [4, 9, K]
        normal = jnp.einsum("iak,jak,k->aij", jacobian, jacobian, weights)
        right = jnp.einsum("iak,ak,k->ai", jacobian, y - value, weights)
        scale = jnp.einsum("aii->ai", normal) + 1e-7
        damped = normal + (damping[:, None] * scale)[:, None] * jnp.eye(4) + 1e-9 * jnp.eye(4)
        tried = theta + jnp.clip(jax.vmap(solved)(damped, right), -2.0, 2.0)
        after = squares(tried)
        better = after < before
        damping = jnp.clip(jnp.where(better, damping / 4, damping * 5), 1e-6, 1e6)
        return (
            jnp.where(better[:, None], tried, theta),
            jnp.where(better, after, before),
            damping,
        ), None

    start = theta, squares(theta), jnp.full(9, 1e-2, jnp.float32)
    (theta, found, _), _ = jax.lax.scan(step, start, None, length=steps)
    return theta, found


class Extrapolation(NamedTuple):
    """values: at the epoch asked, of each replicate and family; weights: theirs, of a sum of 1;
    sigma: standard deviation of a value around its curve."""

    values: Float32[Array, "replicates 9"]
    weights: Float32[Array, "replicates 9"]
    sigma: Float32[Array, "replicates 9"]

    @property
    def mean(self) -> Float32[Array, ""]:
        return (self.weights * self.values).sum()

    def above(self, best: Float32[Array, ""]) -> Float32[Array, ""]:
        """The probability of more than `best`."""
        return (self.weights * jax.scipy.stats.norm.cdf((self.values - best) / self.sigma)).sum()


def extrapolate(
    key: Key[Array, ""],
    x: Float32[Array, " K"],
    y: Float32[Array, " K"],
    known: Bool[Array, " K"],
    end: float,
    replicates: int,
) -> Extrapolation:
    """What the curve of the known points is worth after `end` epochs. A family that does not fall
    between 0 and 1 there counts nothing."""
    there = known.astype(jnp.float32)
    n = jnp.maximum(there.sum(), 1.0)
    y = jnp.where(known, y, 0.0).astype(jnp.float32)
    theta, _ = fit(jnp.asarray(START), x, y, there, FIRST)

    def replicate(key: Key[Array, ""]) -> tuple[Array, Array, Array]:
        luck = jax.random.exponential(key, x.shape, jnp.float32) * there
        weights = luck * n / jnp.maximum(luck.sum(), 1e-6)
        mine, squares = fit(theta, x, y, weights, MORE)
        value = curves(mine, jnp.full(1, end, jnp.float32))[:, 0]
        spare = jnp.maximum(n - jnp.asarray(PARAMETERS), 1.0)
        sigma = jnp.maximum(jnp.sqrt(squares / spare), LEAST)
        # Schwarz: n ln(s^2) + p ln n, with what no curve is known better than.
        variance = squares / n + LEAST**2
        evidence = -0.5 * (n * jnp.log(variance) + jnp.asarray(PARAMETERS) * jnp.log(n))
        good = jnp.isfinite(value) & (value >= 0) & (value <= 1)
        return value, jnp.where(good, evidence, -jnp.inf), sigma

    values, evidence, sigma = jax.vmap(replicate)(jax.random.split(key, replicates))
    none = ~jnp.isfinite(evidence).any(1, keepdims=True)
    weights = jax.nn.softmax(jnp.where(none, 0.0, evidence), axis=1) / replicates
    last = jnp.where(known, x, 0.0).argmax()
    values = jnp.where(jnp.isfinite(evidence), values, y[last])
    return Extrapolation(values, weights, sigma)
