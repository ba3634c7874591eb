"""Invented landscapes: random functions of architectures, of many kinds, mixed and warped.

Nothing here comes from a benchmark's accuracies but a few summary numbers that ranges were chosen
by (`rlnas.bench.synthetic.summary`). All is ours; the families of functions are those that priors
of surrogates are made of: Gaussian processes by random Fourier features (Rahimi and Recht 2007),
random networks, linear effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int8, Key

from rlnas.bench.benchmark import Graph
from rlnas.bench.coded import TRAITS, Coded

FEATURES = 96
"""Random Fourier features of a Gaussian process."""
FACTORS = (1.0, 0.25)
"""Of the lengths of smooth processes, and of rough ones."""
HIDDEN = 24
"""Width of the random networks."""
LARGER = 5
"""The first so many traits measure size."""
WEIGHTS = (TRAITS.index("weights"), TRAITS.index("depth of weights"))
WIDTH, ROUNDS = 12, 4
"""Of the random graph networks."""
KINDS = ("linear", "smooth", "rough", "network", "messages")


@dataclass(frozen=True)
class Prior:
    """Ranges that landscapes are drawn from, uniformly or uniformly in the logarithm."""

    rising: float = 0.85
    """Share of landscapes that rise with size."""
    trend: tuple[float, float] = (0.1, 0.95)
    """How the trend in size correlates with the whole."""
    kernels: float = 4.0
    """How much likelier a trend is one in weights than in anything else that is measured: the
    number of parameters alone is a hard baseline on real tables (White et al. 2021, "How powerful
    are performance predictors in NAS?"; Ning et al. 2021, arXiv 2008.03064)."""
    concentration: float = 0.5
    """Of the Dirichlet draw that mixes the kinds of functions: small, one or two rule."""
    rough: float = 0.3
    """Weight of the rough function beside the others."""
    length: tuple[float, float] = (2.0, 10.0)
    """Length scales, in distances of random architectures; of rough ones a quarter."""
    skew: tuple[float, float] = (0.3, 2.5)
    """exp(-skew u) below the median: how long the low tail is."""
    crowd: tuple[float, float] = (-0.2, 1.0)
    """The same above it, of either sign: how crowded the top is."""
    failing: float = 0.25
    """Share of landscapes with architectures that fail."""
    noise: tuple[float, float] = (0.2, 1.6)
    """Deviation of a repeat, in deviations of the landscape near its top."""


class Drawn(NamedTuple):
    """truth: float32 [M], accuracies without noise. deviation: float32 [M], of one repeat's noise.
    unit: float32, from the best of 16 random architectures, on average, to the best."""

    truth: Float32[Array, " M"]
    deviation: Float32[Array, " M"]
    unit: Float32[Array, ""]


def field(
    key: Key[Array, ""],
    codes: Int8[Array, "M f"],
    traits: Float32[Array, "M t"],
    coded: Coded,
    prior: Prior,
) -> Float32[Array, " M"]:
    """A random function of all architectures, mean 0 and deviation 1."""
    names = (*KINDS, "parts", "mix", "trend", "sign", "share")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    # Each part of the code matters more or less, and so does each entry.
    bounds = (0, *coded.ends, codes.shape[1])
    lengths = [b - a for a, b in pairwise(bounds)]
    part_key, entry_key = jax.random.split(keys["parts"])
    each = jnp.exp(jax.random.normal(part_key, (len(lengths),), jnp.float32))
    scale = jnp.concatenate(
        [jnp.full(n, 1.0, jnp.float32) * each[i] for i, n in enumerate(lengths)]
    )
    entry = jnp.exp(0.5 * jax.random.normal(entry_key, (codes.shape[1],), jnp.float32))
    x = codes.astype(jnp.float32) * jnp.sqrt(coded.weights * scale * entry / each.mean())

    found = jnp.stack(
        [
            linear(keys["linear"], x),
            *processes(jnp.stack([keys["smooth"], keys["rough"]]), x, prior.length),
            network(keys["network"], x),
            messages(keys["messages"], coded.graphs, coded.space.graph_operations),
        ]
    )
    weights = jax.random.dirichlet(keys["mix"], jnp.full(len(KINDS), prior.concentration))
    weights = jnp.sqrt(weights)
    weights = weights.at[KINDS.index("rough")].multiply(prior.rough)
    others = standardised(weights @ jax.vmap(standardised)(found))
    share = jax.random.uniform(keys["share"], (), jnp.float32, *prior.trend)
    grown = standardised(trend(keys["trend"], keys["sign"], traits, prior))
    return standardised(share * grown + jnp.sqrt(1 - share**2) * others)


def trend(
    key: Key[Array, ""], sign_key: Key[Array, ""], traits: Float32[Array, "M t"], prior: Prior
) -> Float32[Array, " M"]:
    """In size and shape, often saturating; of either sign."""
    a, b, c = jax.random.split(key, 3)
    many = traits.shape[1]
    likely = jnp.ones(many, jnp.float32).at[jnp.array(WEIGHTS)].set(prior.kernels)
    weights = jax.random.dirichlet(a, likely / 2)
    signs = jax.random.rademacher(b, (many,), jnp.float32)
    rising = jax.random.bernoulli(sign_key, prior.rising)
    # What is larger goes up together; how short the shortest path is may go either way.
    signs = jnp.where(jnp.arange(many) < LARGER, 1.0, signs)
    # A few very small architectures must not be all that a trend is about.
    size = 2 * jnp.tanh(traits / 2) @ (weights * signs)
    bend = jax.random.uniform(c, (), jnp.float32, 0.05, 1.0)
    return jnp.where(rising, 1.0, -1.0) * -jnp.expm1(-bend * size) / bend


def linear(key: Key[Array, ""], x: Float32[Array, "M f"]) -> Float32[Array, " M"]:
    """An effect of each operation, link and path, few of them large."""
    a, b = jax.random.split(key)
    effects = jax.random.normal(a, x.shape[1:], jnp.float32)
    return x @ (effects * jnp.exp(jax.random.normal(b, x.shape[1:], jnp.float32)))


def processes(
    keys: Key[Array, " factors"], x: Float32[Array, "M f"], length: tuple[float, float]
) -> Float32[Array, "factors M"]:
    """Draws of Gaussian processes whose lengths are `FACTORS` times those asked for; each one's
    features differ in length, which gives long-tailed spectra as those of exp(-d) are."""

    def one(key: Key[Array, ""], factor: Float32[Array, ""]) -> Float32[Array, " M"]:
        a, b, c, d, e = jax.random.split(key, 5)
        low, high = (jnp.log(end * factor) for end in length)
        middle = jax.random.uniform(a, (), jnp.float32, low, high)
        spread, heights = normals(jnp.stack([b, e]), FEATURES)
        lengths = jnp.exp(middle + 0.5 * spread)
        turns = jax.random.normal(c, (x.shape[1], FEATURES), jnp.float32) / lengths
        phases = jax.random.uniform(d, (FEATURES,), jnp.float32, 0.0, 2 * jnp.pi)
        return jnp.cos(x @ turns + phases) @ heights

    return jax.vmap(one)(keys, jnp.float32(FACTORS))


def normals(keys: Key[Array, " keys"], *shape: int) -> Float32[Array, "keys ..."]:
    """Of each key, by one generator: every one of them is 100 lines to compile."""
    return jax.vmap(lambda key: jax.random.normal(key, shape, jnp.float32))(keys)


def uniforms(keys: Key[Array, " keys"]) -> Float32[Array, " keys"]:
    """From 0 to 1, of each key; likewise."""
    return jax.vmap(lambda key: jax.random.uniform(key, (), jnp.float32))(keys)


def between(u: Float32[Array, ""], low: Any, high: Any) -> Float32[Array, ""]:
    """As far as u, from 0 to 1, says."""
    return low + u * (high - low)


def network(key: Key[Array, ""], x: Float32[Array, "M f"]) -> Float32[Array, " M"]:
    """A random network of two hidden layers."""
    a, b, c, d = jax.random.split(key, 4)
    gain = jnp.exp(jax.random.uniform(d, (), jnp.float32, -0.5, 1.0))
    centred = x - x.mean(0)
    hidden = jnp.tanh(gain * centred @ jax.random.normal(a, (x.shape[1], HIDDEN), jnp.float32))
    square = jax.random.normal(b, (HIDDEN, HIDDEN), jnp.float32) / jnp.sqrt(HIDDEN)
    hidden = jnp.tanh(gain * hidden @ square)
    return hidden @ jax.random.normal(c, (HIDDEN,), jnp.float32)


def messages(key: Key[Array, ""], drawn: Graph, operations: int) -> Float32[Array, " M"]:
    """A random graph network: each vertex takes in, round after round, what those before it say."""
    keys = jax.random.split(key, 6)
    a, b, c = keys[:3]
    d, e, f = uniforms(keys[3:])
    shape, root = (WIDTH, WIDTH), jnp.sqrt(jnp.float32(WIDTH))
    gain = jnp.exp(between(d, -1.0, 0.7))
    known = jax.random.normal(a, (32, WIDTH), jnp.float32)  # more kinds than any space has
    own = jnp.where((drawn.labels >= 0)[..., None], known[drawn.labels], 0.0)
    edges = drawn.edges.astype(jnp.float32)
    share = edges / jnp.maximum(edges.sum(-2, keepdims=True), 1.0) ** e
    told, said = jax.random.normal(b, (2, *shape), jnp.float32) / root
    hidden = jnp.tanh(gain * own)
    for _ in range(ROUNDS):
        heard = jnp.einsum("mcuv,mcuw->mcvw", share, hidden)
        hidden = jnp.tanh(gain * (own @ said + 2 * heard @ told))
    # The first and largest reading is of the output.
    reads, all_ = jax.random.normal(c, (2, WIDTH), jnp.float32)
    at_end, there = drawn.labels == operations, drawn.labels >= 0
    share_all = between(f, 0.0, 0.5)
    ends = jnp.where(at_end, hidden @ reads, 0.0).sum((1, 2))
    return ends + share_all * jnp.where(there, hidden @ all_, 0.0).sum((1, 2))


def standardised(values: Float32[Array, " M"]) -> Float32[Array, " M"]:
    """Mean 0, deviation 1."""
    centred = values - values.mean()
    return centred / jnp.maximum(centred.std(), 1e-6)


def warped(key: Key[Array, ""], u: Float32[Array, " M"], prior: Prior) -> Drawn:
    """Standardised values as accuracies: a long low tail, a crowded top, some that fail."""
    a, b, c, d, e, f, g = uniforms(jax.random.split(key, 7))
    skew = jnp.exp(between(a, *(jnp.log(x) for x in prior.skew)))
    crowd = between(g, *prior.crowd) + 1e-4
    u = u - jnp.median(u)
    below, above = jnp.clip(u, -4.0, 0.0), jnp.clip(u, 0.0, 6.0)
    v = -jnp.expm1(-skew * below) / skew - jnp.expm1(-crowd * above) / crowd
    top = v.max()
    low = jnp.quantile(v, 0.02)
    height = between(b, 0.25, 0.98)
    width = height * jnp.exp(between(c, jnp.log(0.02), jnp.log(0.6)))
    truth = height + width * (v - top) / jnp.maximum(top - low, 1e-6)
    share = jnp.where(d < prior.failing, between(e, 0.0, 0.2), 0.0)
    fails = u < jnp.quantile(u, share)
    truth = jnp.where(fails, jnp.minimum(truth, height - width), truth)
    truth = jnp.maximum(truth, 0.02 * height)
    # Near the top a deviation is that of the upper half; it grows with the distance from there.
    spread = jnp.sqrt(2.0) * jnp.maximum(truth - jnp.median(truth), 0.0).std()
    level = jnp.exp(between(f, *(jnp.log(x) for x in prior.noise)))
    deviation = level * spread * (1 + (truth.max() - truth) / jnp.maximum(width, 1e-6))
    ordered = jnp.sort(truth)
    place = (jnp.arange(len(truth)) + 1.0) / len(truth)
    expected = (ordered * jnp.diff(place**16, prepend=0.0)).sum()
    return Drawn(truth, deviation, jnp.maximum(ordered[-1] - expected, 1e-6))


@partial(jax.jit, static_argnames="prior")
def invent(
    key: Key[Array, ""], coded: Coded, prior: Prior = Prior(), rho: Any = None
) -> Drawn | tuple[Drawn, Drawn]:
    """A landscape over all architectures of a numbered space; with rho, a pair of them whose
    functions correlate by that much before they are warped."""
    traits = (coded.measured - coded.centre) / coded.spread
    one_key, other_key, warp_key, again_key = jax.random.split(key, 4)
    u = field(one_key, coded.codes, traits, coded, prior)
    first = warped(warp_key, u, prior)
    if rho is None:
        return first
    other = field(other_key, coded.codes, traits, coded, prior)
    other = standardised(other - (other * u).mean() * u)
    mixed = standardised(rho * u + jnp.sqrt(jnp.maximum(1 - rho**2, 0.0)) * other)
    return first, warped(again_key, mixed, prior)
