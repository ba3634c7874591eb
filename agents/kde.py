"""Kernel densities of vectors of unordered choices, of the good and of the bad: what BOHB and TPE
compare."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, Num

Sizes = Float32[np.ndarray, " T"]
"""Choices of each variable."""


class Split(NamedTuple):
    """order: the places of the points, the best first. good, bad: which points are; there: whether
    there are more than T of either."""

    order: Int32[Array, " P"]
    good: Bool[Array, " P"]
    bad: Bool[Array, " P"]
    there: Bool[Array, ""]


def split(vals: Float32[Array, " P"], used: Bool[Array, " P"], variables: int, top: int) -> Split:
    """The best max(T + 1, top % of n) of the n points used, and the max(T + 1, 100 - top %) behind
    them, as far as there are; both rounded down. -inf is the worst, of equals the first is
    better."""
    n, least = used.sum(dtype=jnp.int32), variables + 1
    places = jnp.arange(len(vals), dtype=jnp.int32)
    _, _, order = jax.lax.sort((~used, -vals, places), num_keys=2)
    rank = jnp.zeros_like(places).at[order].set(places)
    goods = jnp.maximum(least, top * n // 100)
    bads = jnp.maximum(least, (100 - top) * n // 100)
    good = used & (rank < goods)
    bad = used & (rank >= goods) & (rank < goods + bads)
    return Split(order, good, bad, (good.sum() >= least) & (bad.sum() >= least))


def bandwidths(
    codes: Num[Array, "P T"], which: Bool[Array, " P"], sizes: Sizes, least: float
) -> Float32[Array, " T"]:
    """1.06 sd n^(-1 / (4 + T)), the normal reference rule of statsmodels, at least `least`, and at
    most where the kernel is flat."""
    n = jnp.maximum(which.sum(), 1).astype(jnp.float32)
    weight = which[:, None] / n
    x = codes.astype(jnp.float32)
    mean = (weight * x).sum(0)
    sd = jnp.sqrt(jnp.maximum((weight * (x - mean) ** 2).sum(0), 0.0))
    rule = 1.06 * sd * n ** (-1 / (4 + x.shape[1]))
    flat = jnp.asarray((sizes - 1) / sizes, jnp.float32)
    return jnp.minimum(jnp.maximum(rule, least), flat)


def log_density(
    at: Num[Array, "m T"],
    codes: Num[Array, "P T"],
    which: Bool[Array, " P"],
    width: Float32[Array, " T"],
    sizes: Sizes,
) -> Float32[Array, " m"]:
    """Of the mean over the points of the product of Aitchison and Aitken's kernels: 1 - h where a
    choice is the same, h / (c - 1) where it is another of c. What has one choice counts nothing."""
    free = jnp.asarray(sizes > 1)
    others = jnp.asarray(np.maximum(sizes - 1, 1), jnp.float32)
    same = jnp.where(free, jnp.log1p(-width), 0.0)
    other = jnp.where(free, jnp.log(jnp.maximum(width, 1e-12) / others), 0.0)
    kinds = jnp.arange(int(sizes.max()))
    # One matrix product for all pairs: how much log density the choices they share add.
    left = ((at[..., None] == kinds) * (same - other)[:, None]).reshape(len(at), -1)
    right = (codes[..., None] == kinds).reshape(len(codes), -1).astype(jnp.float32)
    logs = jnp.where(which, left.astype(jnp.float32) @ right.T + other.sum(), -jnp.inf)
    return jax.nn.logsumexp(logs, axis=1) - jnp.log(jnp.maximum(which.sum(), 1))


def among(
    at: Num[Array, "m T"], codes: Num[Array, "P T"], which: Bool[Array, " P"]
) -> Bool[Array, " m"]:
    """Whether each vector is one of the points."""
    same = (at[:, None].astype(jnp.int8) == codes[None].astype(jnp.int8)).all(-1)
    return (same & which).any(1)


def perturbed(
    word: tuple[Float32[Array, " T"], Float32[Array, " T"]],
    code: Num[Array, " T"],
    width: Float32[Array, " T"],
    sizes: Sizes,
) -> Int32[Array, " T"]:
    """Each choice of `code` with probability 1 - h, else any of them. word: uniform in [0, 1)."""
    stays, which = word
    drawn = jnp.floor(which * jnp.asarray(sizes, jnp.float32)).astype(jnp.int32)
    return jnp.where(stays < 1 - width, code.astype(jnp.int32), drawn)
