"""What makes architectures alike to a Gaussian process: paths and counts, what is measured of them,
or common subtrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float32, Int8

from rlnas.bench import graphs
from rlnas.bench.benchmark import Arch, Graphs, SearchSpace
from rlnas.bench.coded import Coded

KernelName = Literal["traits", "paths", "wl"]

LENGTHS = (2.0,)
"""Length scales tried, in root mean squared distances of random architectures."""
SHARES = (0.5, 0.0)
"""Shares of the variance tried that go with the cosine, that is by linear functions."""
SHARE_BESIDE = 0.7
"""The same share beside traits: of the half that is not linear in them."""
NOISES = (0.1,)
"""Noise variances tried, as shares of the process's variance."""
HEIGHTS, BUCKETS = 2, 128
"""Of subtrees."""


def none(codes: Any, settings: Any) -> Any:
    """A prior mean of 0."""
    return 0.0


def unit(codes: Any, settings: Any) -> Any:
    """A prior variance of 1."""
    return 1.0


class Kernel(NamedTuple):
    """code: what is seen of an architecture, [f], int8 or float32. settings: float32 [G, s], those
    that the likelihood chooses from; the last of each is the noise. correlation: codes [m, f] and
    [n, f], settings [s] -> [m, n], as shares of the process's variance, as `own` is: codes [n, f],
    settings -> [n], that of each with itself. trend: the same -> [n], the mean before any answer,
    in normal scores."""

    code: graphs.Codes
    settings: Float32[Array, "G s"]
    correlation: Callable[[Any, Any, Any], Float32[Array, "m n"]]
    own: Callable[[Any, Any], Any] = unit
    trend: Callable[[Any, Any], Any] = none


def kernel_of(space: SearchSpace, name: KernelName) -> Kernel:
    """`paths`: partly the cosine of the codes (`graphs.parts`), partly exp(-d / length), d their
    distance; each part of a code is scaled so that random architectures are equally far apart.
    `traits`: half of that, half linear in what is measured of an architecture (`Coded.traits`). One
    share there: a process that may choose whether it is linear finds out too late. `wl`: the cosine
    of subtree counts up to a height. `encode` where the space shows no graphs."""
    if name == "wl" and isinstance(space, Graphs):
        return subtree_kernel(space)
    coded = Coded.of(space)
    starts = jnp.array([0, *coded.ends], jnp.int32)

    def by_paths(a: Any, b: Any, settings: Any) -> Float32[Array, "m n"]:
        *weights, share, _ = settings
        parts = [jnp.split(codes.astype(jnp.float32), coded.ends, axis=1) for codes in (a, b)]
        # Codes are integers: every product is exact, and so the same in any batch.
        products = sum(w * (x @ y.T) for w, x, y in zip(weights, *parts, strict=True))
        left, right = (
            sum(w * (x * x).sum(1) for w, x in zip(weights, part, strict=True)) for part in parts
        )
        squares = jnp.maximum(left[:, None] + right - 2 * products, 0.0)
        norms = jnp.sqrt(jnp.maximum(left[:, None] * right, 1e-6))
        return (1 - share) * jnp.exp(-jnp.sqrt(squares)) + share * products / norms

    def settings(shares: Sequence[float]) -> Float32[Array, "G s"]:
        grid = [
            jnp.append(coded.weights[starts] / length**2, jnp.array([share, noise]))
            for share in shares
            for length in LENGTHS
            for noise in NOISES
        ]
        return jnp.stack(grid).astype(jnp.float32)

    if name != "traits" or not isinstance(space, Graphs):
        return Kernel(coded.code, settings(SHARES), by_paths)
    many = coded.centre.shape[0]

    def code(arch: Arch) -> Float32[Array, " f"]:
        return jnp.concatenate([coded.code(arch).astype(jnp.float32), coded.traits(arch)])

    def beside_traits(a: Any, b: Any, settings: Any) -> Float32[Array, "m n"]:
        half = by_paths(a[:, :-many], b[:, :-many], settings)
        return (half + linear(a[:, -many:], b[:, -many:])) / 2

    return Kernel(code, settings([SHARE_BESIDE]), beside_traits)


def linear(a: Float32[Array, "m t"], b: Float32[Array, "n t"]) -> Float32[Array, "m n"]:
    """The cosine of traits with a 1 beside them: 1 for equal ones, and for two of average size."""
    a, b = (jnp.pad(x, ((0, 0), (0, 1)), constant_values=1.0) for x in (a, b))
    a, b = (x / jnp.sqrt((x * x).sum(1, keepdims=True)) for x in (a, b))
    return a @ b.T


def subtree_kernel(space: Any) -> Kernel:
    def code(arch: Arch) -> Int8[Array, " f"]:
        return graphs.subtrees(space.graph(arch), HEIGHTS, BUCKETS).ravel().astype(jnp.int8)

    def correlation(a: Any, b: Any, settings: Any) -> Float32[Array, "m n"]:
        height = jnp.repeat(jnp.arange(HEIGHTS + 1), BUCKETS)
        a, b = (jnp.where(height <= settings[0], x, 0).astype(jnp.float32) for x in (a, b))
        norms = (jnp.sqrt(jnp.maximum((x * x).sum(1), 1.0)) for x in (a, b))
        left, right = norms
        return a @ b.T / left[:, None] / right

    settings = [(height, noise) for height in range(1, HEIGHTS + 1) for noise in NOISES]
    return Kernel(graphs.known(space, code), jnp.array(settings, jnp.float32), correlation)
