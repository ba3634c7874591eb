"""Bayesian optimisation with a Gaussian process: ask where the expected improvement is largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int8, Int32, Key

from rlnas.agents.gaussian_process import (
    expected_improvement,
    inverse_factor,
    normal_scores,
    predict,
    process,
    smoothed,
    with_row,
)
from rlnas.agents.occasional import when
from rlnas.agents.protocol import Agent
from rlnas.bench import graphs, memory
from rlnas.bench.benchmark import Arch, Graphs, QueryResult, SearchSpace
from rlnas.bench.candidates import candidates
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory

KernelName = Literal["paths", "wl"]

LENGTHS = (2.0,)
"""Length scales tried, in root mean squared distances of random architectures."""
SHARES = (0.5, 0.0)
"""Shares of the variance tried that go with the cosine, that is by linear functions."""
NOISES = (0.1,)
"""Noise variances tried, as shares of the process's variance."""
HEIGHTS, BUCKETS = 2, 128
"""Of subtrees."""


class Kernel(NamedTuple):
    """code: what is seen of an architecture, int8 [f]. settings: float32 [G, s], those that the
    likelihood chooses from; the last of each is the noise. correlation: codes [m, f] and [n, f],
    settings [s] -> [m, n]."""

    code: graphs.Codes
    settings: Float32[Array, "G s"]
    correlation: Callable[[Any, Any, Any], Float32[Array, "m n"]]


class Points(NamedTuple):
    """What the process knows, with room for M. codes: int8 [M, f]. vals: [M]. used: how many.
    settings: the kernel's. inverse: [M, M], the inverse factor of their covariance."""

    codes: Int8[Array, "M f"]
    vals: Float32[Array, " M"]
    used: Int32[Array, ""]
    settings: Float32[Array, " s"]
    inverse: Float32[Array, "M M"]


class State(NamedTuple):
    """asked: the latest queries. points: those with a value."""

    asked: Memory
    points: Points


@dataclass(frozen=True)
class GP:
    """Bayesian optimisation with a Gaussian process and expected improvement, as the GP of BANANAS'
    comparison has it (White et al. 2021, arXiv 1910.11858; naszilla: exp(-d / length), d a distance
    of paths) and NAS-BOWL (Ru et al. 2021, arXiv 2006.07556; xingchenwan/nasbowl), whose kernel of
    common Weisfeiler-Lehman subtrees is `kernel=wl`: the cosine of their counts, up to a height of
    1 or 2, whichever is more likely. Half of NAS-BOWL's candidates are near the best, half fresh.

    Ours: counts (vertices, edges, operations, which follows which) beside the paths; a linear part,
    which sees a trend from few answers; ranks as normal scores in place of errors or their
    logarithms, so that no scale matters and no outlier does; mean and variance of the process in
    closed form; a query is one architecture, where NAS-BOWL asks 5 together; subtrees are hashed;
    few draws before the process is asked. An answer without a value is no point of the process,
    and is not asked again. A space that shows no graphs is seen by `encode`.
    """

    kernel: KernelName = "paths"
    """What makes architectures alike: `paths` and counts, or `wl`, their common subtrees."""

    initial: int = 2
    """Uniform draws before the process is asked."""

    parents: int = 5
    """The best so many are those whose neighbours are candidates."""

    near: int = 16
    """Neighbours of each of them, at most."""

    fresh: int = 100
    """Uniform draws among the candidates of a query."""

    refit: int = 10
    """Queries after which the kernel's settings are chosen anew."""

    points: int = 160
    """Answers that the process has room for; exact for budgets up to this. Where it is full, the
    latest quarter and the best of the others stay, a half in all."""

    memory: int = 512
    """Latest queries remembered, so that none of them is asked again."""

    def __post_init__(self) -> None:
        if self.kernel not in get_args(KernelName):
            raise UserError(f"gp has kernel={self.kernel!r}; expected paths or wl")
        least = {"initial": 1, "parents": 1, "near": 1, "fresh": 1, "refit": 1}
        least |= {"points": 8, "memory": 8}
        for name, minimum in least.items():
            if (value := getattr(self, name)) < minimum:
                raise UserError(f"gp has {name}={value}; expected at least {minimum}")
        if self.parents > self.memory:
            raise UserError(f"gp has parents={self.parents}; expected at most memory={self.memory}")

    def build(self, space: SearchSpace) -> Agent:
        kernel = kernel_of(space, self.kernel)
        room = self.points

        def init(key: Key[Array, ""]) -> State:
            somewhere = space.sample(key)  # never asked: only its shape counts
            code = jax.eval_shape(kernel.code, somewhere)
            points = Points(
                jnp.zeros((room, *code.shape), jnp.int8),
                jnp.zeros(room, jnp.float32),
                jnp.int32(0),
                kernel.settings[0],
                jnp.zeros((room, room), jnp.float32),
            )
            return State(memory.empty(space, self.memory), points)

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            asked, points = state
            since = asked.queries - self.initial
            due = (since >= 0) & (since % self.refit == 0) | (points.used == room)
            points = when(due, refitted, points, kernel.settings)
            archs, allowed = candidates(
                key, space, asked, self.parents, min(self.near, space.max_degree), self.fresh
            )
            gain = improvement(kernel, points, jax.vmap(kernel.code)(archs))
            # Equal candidates are equal up to rounding: the first of them, in any batch.
            gain = jnp.where(allowed, jnp.round(gain, 3), -jnp.inf)
            starting = (since < 0) | ~allowed.any()
            return archs[jnp.where(starting, 0, jnp.argmax(gain))], State(asked, points)

        def refitted(points: Points, settings: Any) -> Points:
            return fitted(kernel._replace(settings=settings), halved_if_full(points))

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            points = with_point(kernel, state.points, kernel.code(arch), result)
            return State(memory.remember(state.asked, arch, result), points)

        return Agent(init, ask, tell)


def used(points: Points) -> Bool[Array, " M"]:
    """Which places hold a point."""
    return jnp.arange(len(points.vals), dtype=jnp.int32) < points.used


def improvement(kernel: Kernel, points: Points, codes: Int8[Array, "n f"]) -> Float32[Array, " n"]:
    """Log expected improvement on the best of the points' means, in normal scores. (An answer above
    its mean is partly luck: measured from there, nothing is expected to improve.)"""
    there = used(points)
    scores = normal_scores(points.vals, there)
    found, _ = process(points.inverse, scores, there)
    correlations = kernel.correlation(points.codes, codes, points.settings)
    mean, deviation = predict(points.inverse, found, jnp.where(there[:, None], correlations, 0.0))
    means = smoothed(points.inverse, found, scores, points.settings[-1])
    best = jnp.max(jnp.where(there, means, -jnp.inf), initial=-8.0)
    return jnp.log(jnp.maximum(expected_improvement(mean, deviation, best), 1e-12))


def with_point(
    kernel: Kernel, points: Points, code: Int8[Array, " f"], result: QueryResult
) -> Points:
    """With one more point; without, where there was no value."""
    codes, vals, at, settings, inverse = points
    correlations = kernel.correlation(codes, code[None], settings)[:, 0]
    own = 1 + settings[-1]
    added = with_row(inverse, jnp.where(used(points), correlations, 0.0), own, at)
    more = Points(codes.at[at].set(code), vals.at[at].set(result.val), at + 1, settings, added)
    return jax.tree.map(lambda a, b: jnp.where(result.valid, a, b), more, points)


def fitted(kernel: Kernel, points: Points) -> Points:
    """With the kernel's settings of the largest evidence."""
    there = used(points)
    scores = normal_scores(points.vals, there)

    def with_settings(settings: Float32[Array, " s"]) -> tuple[Any, Any]:
        covariance = kernel.correlation(points.codes, points.codes, settings)
        covariance = jnp.where(jnp.eye(len(there), dtype=bool), 1 + settings[-1], covariance)
        inverse = inverse_factor(covariance, there)
        return process(inverse, scores, there)[1], inverse

    evidence, inverses = jax.vmap(with_settings)(kernel.settings)
    best = jnp.argmax(evidence)
    return points._replace(settings=kernel.settings[best], inverse=inverses[best])


def halved_if_full(points: Points) -> Points:
    """Where there is no room left: the latest quarter and the best of the others, a half in all. To
    be fitted again."""
    room = len(points.vals)
    late = jnp.arange(room, dtype=jnp.int32) >= room - room // 4
    _, kept = jax.lax.top_k(jnp.where(late, jnp.inf, points.vals), room // 2)
    kept = jnp.pad(jnp.sort(kept), (0, room - room // 2))
    half = points._replace(
        codes=points.codes[kept], vals=points.vals[kept], used=jnp.int32(room // 2)
    )
    full = points.used == room
    return jax.tree.map(lambda a, b: jnp.where(full, a, b), half, points)


def kernel_of(space: SearchSpace, name: KernelName) -> Kernel:
    """`paths`: partly the cosine of the codes (`graphs.parts`), partly exp(-d / length), d their
    distance; each part of a code is scaled so that random architectures are equally far apart.
    `wl`: the cosine of subtree counts up to a height. `encode` where the space shows no graphs."""
    if name == "wl" and isinstance(space, Graphs):
        return subtree_kernel(space)
    codes = graphs.parts(space)
    somewhere = jax.eval_shape(space.sample, jax.random.key(0))
    ends = np.cumsum([jax.eval_shape(code, somewhere).shape[0] for code in codes])[:-1]

    def correlation(a: Any, b: Any, settings: Any) -> Float32[Array, "m n"]:
        *weights, share, _ = settings
        parts = [jnp.split(codes.astype(jnp.float32), ends, axis=1) for codes in (a, b)]
        # Codes are integers: every product is exact, and so the same in any batch.
        products = sum(w * (x @ y.T) for w, x, y in zip(weights, *parts, strict=True))
        left, right = (
            sum(w * (x * x).sum(1) for w, x in zip(weights, part, strict=True)) for part in parts
        )
        squares = jnp.maximum(left[:, None] + right - 2 * products, 0.0)
        norms = jnp.sqrt(jnp.maximum(left[:, None] * right, 1e-6))
        return (1 - share) * jnp.exp(-jnp.sqrt(squares)) + share * products / norms

    every = graphs.known(space, graphs.together(codes))
    scales = jnp.stack([len(codes) * graphs.apart(space, code) for code in codes])
    settings = [
        jnp.append(1 / (scales * length**2), jnp.array([share, noise]))
        for share in SHARES
        for length in LENGTHS
        for noise in NOISES
    ]
    return Kernel(every, jnp.stack(settings).astype(jnp.float32), correlation)


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
