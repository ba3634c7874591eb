"""What a search believes of architectures it may ask: posteriors of cheap Gaussian processes, and
what they make of them. Nothing depends on the length of an encoding, so one policy serves every
space."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int8, Int32

from rlnas.agents.gaussian_process import (
    expected_improvement,
    inverse_factor,
    normal_scores,
    predict,
    process,
    smoothed,
    with_row,
)
from rlnas.agents.kernels import linear
from rlnas.agents.occasional import when
from rlnas.bench.coded import TRAITS, Coded
from rlnas.bench.memory import Memory

NOISE = 0.1
"""Noise variance of the processes, as a share of theirs."""
PROCESSES = ("mixed", "distances", "traits")
"""Half cosine of the codes and half exp(-d), the `gp` agent's; exp(-d) alone; linear in the
traits."""
LENGTH = 2.0
"""Of exp(-d), in distances of random architectures."""
BOUND = 6.0
"""Features are cut off at plus and minus this."""


class Seen(NamedTuple):
    """What was asked and had a value, with room for M. codes: int8 [M, f]. traits: [M, t]. vals:
    [M]. used: how many. inverse: [G, M, M], of each process the inverse factor of its
    covariance."""

    codes: Int8[Array, "M f"]
    traits: Float32[Array, "M t"]
    vals: Float32[Array, " M"]
    used: Int32[Array, ""]
    inverse: Float32[Array, "G M M"]


class Belief(NamedTuple):
    """Of n architectures. gain: float32 [n], log expected improvement by the first process.
    features: float32 [n, d]."""

    gain: Float32[Array, " n"]
    features: Float32[Array, "n d"]


def nothing(coded: Coded, room: int) -> Seen:
    """No answer yet."""
    return Seen(
        jnp.zeros((room, coded.weights.shape[0]), jnp.int8),
        jnp.zeros((room, len(TRAITS)), jnp.float32),
        jnp.zeros(room, jnp.float32),
        jnp.int32(0),
        jnp.zeros((len(PROCESSES), room, room), jnp.float32),
    )


def correlations(
    weights: Float32[Array, " f"], a: tuple[Any, Any], b: tuple[Any, Any]
) -> tuple[Float32[Array, "G m n"], Float32[Array, "m n"]]:
    """Of (codes [m, f], traits [m, t]) and others [n]: each process's, and exp(-d). weights: of
    `Coded`."""
    # Codes are small integers: sums of products differ by rounding at most, in any batch.
    x, y = (codes.astype(jnp.float32) * jnp.sqrt(weights) for codes in (a[0], b[0]))
    products = x @ y.T
    left, right = ((z * z).sum(1) for z in (x, y))
    squares = jnp.maximum(left[:, None] + right - 2 * products, 0.0)
    near = jnp.exp(-jnp.sqrt(squares) / LENGTH)
    cosine = products / jnp.sqrt(jnp.maximum(left[:, None] * right, 1e-6))
    return jnp.stack([(near + cosine) / 2, near, linear(a[1], b[1])]), near


def with_answer(
    coded: Coded, seen: Seen, arch: Any, val: Float32[Array, ""], valid: Bool[Array, ""]
) -> Seen:
    """With one more answer, where it was `valid`."""
    seen = when(seen.used == len(seen.vals), halved, seen, coded.weights)
    codes, traits, vals, at, inverse = seen
    code, trait = coded.code(arch), coded.traits(arch)
    there = jnp.arange(len(vals), dtype=jnp.int32) < at
    found, _ = correlations(coded.weights, (codes, traits), (code[None], trait[None]))
    found = jnp.where(there, found[..., 0], 0.0)
    added = jax.vmap(lambda w, row: with_row(w, row, jnp.float32(1 + NOISE), at))(inverse, found)
    more = Seen(
        codes.at[at].set(code), traits.at[at].set(trait), vals.at[at].set(val), at + 1, added
    )
    return jax.tree.map(lambda a, b: jnp.where(valid, a, b), more, seen)


def halved(seen: Seen, weights: Float32[Array, " f"]) -> Seen:
    """Of a full one the latest quarter and the best of the others, a half in all."""
    room = len(seen.vals)
    late = jnp.arange(room, dtype=jnp.int32) >= room - room // 4
    _, kept = jax.lax.top_k(jnp.where(late, jnp.inf, seen.vals), room // 2)
    kept = jnp.pad(jnp.sort(kept), (0, room - room // 2))
    codes, traits, vals = (x[kept] for x in (seen.codes, seen.traits, seen.vals))
    there = jnp.arange(room) < room // 2
    every, _ = correlations(weights, (codes, traits), (codes, traits))
    every = jnp.where(jnp.eye(room, dtype=bool), 1 + NOISE, every)
    inverse = jax.vmap(lambda covariance: inverse_factor(covariance, there))(every)
    return Seen(codes, traits, vals, jnp.int32(room // 2), inverse)


def of_memory(coded: Coded, asked: Memory) -> Seen:
    """All answers that a memory holds, the latest last."""
    places = asked.vals.shape[0]
    held = jnp.minimum(asked.queries, places)

    def add(seen: Seen, number: Any) -> tuple[Seen, None]:
        place = (asked.queries - held + number) % places
        valid = (number < held) & jnp.isfinite(asked.vals[place])
        return with_answer(coded, seen, asked.archs[place], asked.vals[place], valid), None

    return jax.lax.scan(add, nothing(coded, places), jnp.arange(places, dtype=jnp.int32))[0]


class Fitted(NamedTuple):
    """The processes given all answers. scores: [M], the answers as normal scores. found: of G
    processes. best: [G], the best of the means at the points. means: [G, M]. weight: [G], how
    likely each is, given the others."""

    scores: Float32[Array, " M"]
    there: Bool[Array, " M"]
    found: Any
    best: Float32[Array, " G"]
    means: Float32[Array, "G M"]
    weight: Float32[Array, " G"]


def fitted(seen: Seen) -> Fitted:
    """Mean and variance of each process, in closed form."""
    there = jnp.arange(len(seen.vals), dtype=jnp.int32) < seen.used
    scores = normal_scores(seen.vals, there)
    found, evidence = jax.vmap(lambda w: process(w, scores, there))(seen.inverse)
    means = jax.vmap(lambda w, f: smoothed(w, f, scores, jnp.float32(NOISE)))(seen.inverse, found)
    best = jnp.where(there, means, -jnp.inf).max(1, initial=-3.0)
    return Fitted(scores, there, found, best, means, jax.nn.softmax(evidence))


def believed(coded: Coded, seen: Seen, fit: Fitted, codes: Any, traits: Any) -> Belief:
    """Of architectures that may be asked. codes: int8 [n, f]; traits: [n, t]."""
    every, near = correlations(coded.weights, (seen.codes, seen.traits), (codes, traits))
    every = jnp.where(fit.there[:, None], every, 0.0)
    mean, deviation = jax.vmap(predict)(seen.inverse, fit.found, every)
    gain = jax.vmap(expected_improvement)(mean, deviation, fit.best)
    gain = jnp.log(jnp.maximum(gain, 1e-12))
    near = jnp.where(fit.there[:, None], near, 0.0)
    top = jnp.argmax(jnp.where(fit.there, seen.vals, -jnp.inf))
    relative = gain - gain.max(1, keepdims=True)
    features = [
        *(mean - fit.best[:, None]),
        *deviation,
        *(relative / 2),
        near.max(0),
        near[top],
    ]
    found = jnp.concatenate([jnp.stack(features, 1), traits], 1)
    return Belief(gain[0], jnp.clip(found, -BOUND, BOUND))


def without_processes(belief: Belief, blind: bool) -> Belief:
    """What is left for an ablation: how near the answers it lies, and the traits. blind: not how
    near the best one."""
    first = 3 * len(PROCESSES)
    features = belief.features.at[:, :first].set(0.0)
    if blind:
        features = features.at[:, first + 1].set(0.0)
    return Belief(jnp.zeros_like(belief.gain), features)


def chosen(belief: Belief, allowed: Bool[Array, " n"], many: int) -> Int32[Array, " many"]:
    """Places of the most promising: half of them by the first process, a quarter by each other,
    of whose equals the first process's best."""
    # Equal ones are equal up to rounding: the first of them, in any batch.
    order = jnp.where(allowed, jnp.round(belief.gain, 2), -jnp.inf)
    others = belief.features[:, 2 * len(PROCESSES) + 1 : 3 * len(PROCESSES)].T
    columns = [order] + [
        jnp.where(
            allowed,
            jnp.round(other, 2) + 1e-3 * jnp.round(jnp.maximum(belief.gain, -8.0), 1),
            -jnp.inf,
        )
        for other in others
    ]
    ranks = [jnp.argsort(jnp.argsort(-column, stable=True), stable=True) for column in columns]
    first, *rest = ranks
    best = jnp.minimum(first, jnp.stack([2 * rank + 1 for rank in rest]).min(0))
    _, places = jax.lax.top_k(-jnp.where(allowed, best, 2 * len(best)), many)
    return places.astype(jnp.int32)


def remembered(coded: Coded, seen: Seen, fit: Fitted, places: Int32[Array, " h"]) -> Any:
    """float32 [h, d]: the same of answers by place; at a point nothing is left to gain."""
    _, near = correlations(
        coded.weights, (seen.codes, seen.traits), (seen.codes[places], seen.traits[places])
    )
    near = jnp.where(fit.there[:, None], near, 0.0)
    top = jnp.argmax(jnp.where(fit.there, seen.vals, -jnp.inf))
    zeros = jnp.zeros(len(places), jnp.float32)
    features = [
        *(fit.means[:, places] - fit.best[:, None]),
        *([zeros] * len(PROCESSES)),
        *([zeros - BOUND] * len(PROCESSES)),
        (near - jnp.eye(len(near))[:, places]).max(0),
        near[top],
    ]
    found = jnp.concatenate([jnp.stack(features, 1), seen.traits[places]], 1)
    return jnp.clip(found, -BOUND, BOUND)


WIDTH = 3 * len(PROCESSES) + 2 + len(TRAITS)
"""d, the number of features."""


def summary(seen: Seen, fit: Fitted) -> Float32[Array, " s"]:
    """float32 [s]: of all answers together: how likely each process is, how traits go with answers,
    the shape of the answers' distribution."""
    n = jnp.maximum(seen.used.astype(jnp.float32), 1.0)
    with_traits = fit.scores @ jnp.where(fit.there[:, None], seen.traits, 0.0) / (n + 4)
    vals = jnp.where(fit.there, seen.vals, jnp.nan)
    none = seen.used < 2
    low, middle, high = (
        jnp.where(none, 0.0, x) for x in (jnp.nanmin(vals), jnp.nanmedian(vals), jnp.nanmax(vals))
    )
    skew = (high - middle) / jnp.maximum(high - low, 1e-6)
    variance = fit.found.variance
    return jnp.concatenate([fit.weight, variance, with_traits, jnp.stack([skew])])


SUMMARY = 2 * len(PROCESSES) + len(TRAITS) + 1
"""s, the length of `summary`."""
