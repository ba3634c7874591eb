"""Bayesian optimisation with a Gaussian process: ask where the expected improvement is largest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float32, Int32, Key, Num

from rlnas.agents import asked as record
from rlnas.agents.gaussian_process import (
    expected_improvement,
    inverse_factor,
    normal_scores,
    predict,
    process,
    smoothed,
    with_row,
)
from rlnas.agents.informed import Leads, informed
from rlnas.agents.kernels import Kernel, KernelName, kernel_of
from rlnas.agents.occasional import when
from rlnas.agents.prior import Known, WithPrior, resolve
from rlnas.agents.protocol import Agent
from rlnas.bench import memory
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.candidates import candidates
from rlnas.bench.errors import UserError
from rlnas.bench.memory import Memory


class Points(NamedTuple):
    """What the process knows, with room for M. codes: [M, f]. vals: [M]. used: how many.
    settings: the kernel's. inverse: [M, M], the inverse factor of their covariance."""

    codes: Num[Array, "M f"]
    vals: Float32[Array, " M"]
    used: Int32[Array, ""]
    settings: Float32[Array, " s"]
    inverse: Float32[Array, "M M"]


class State(NamedTuple):
    """asked: the latest queries. points: those with a value. every: all queries (`asked.nothing`),
    where there is a prior; else ()."""

    asked: Memory
    points: Points
    every: Any = ()


@dataclass(frozen=True)
class GP(WithPrior):
    """Bayesian optimisation with a Gaussian process and expected improvement, as the GP of BANANAS'
    comparison has it (White et al. 2021, arXiv 1910.11858; naszilla: exp(-d / length), d a distance
    of paths) and NAS-BOWL (Ru et al. 2021, arXiv 2006.07556; xingchenwan/nasbowl), whose kernel of
    common Weisfeiler-Lehman subtrees is `kernel=wl`: the cosine of their counts, up to a height of
    1 or 2, whichever is more likely. Half of NAS-BOWL's candidates are near the best, half fresh.

    Ours: counts (vertices, edges, operations, which follows which) beside the paths; a linear part,
    which sees a trend from few answers, above all one in weights, depth, edges and other sizes
    (`kernel=paths` is without these: it is later to see that larger is better); ranks as normal
    scores in place of errors or their logarithms, so that no scale matters and no outlier does;
    mean and variance of the process in closed form; a query is one architecture, where NAS-BOWL
    asks 5 together; subtrees are hashed; few draws before the process is asked. An answer without a
    value is no point of the process, and is not asked again. A space that shows no graphs is seen
    by `encode`.
    """

    kernel: KernelName = "traits"
    """What makes architectures alike: paths, counts, and what is measured of size (`traits`; with a
    prior its sources tell of size, and this is `paths`); the first two alone (`paths`); or common
    subtrees (`wl`)."""

    initial: int = 2
    """Uniform draws before the process is asked; with a prior, every other one is the sources'
    best."""

    parents: int = 5
    """The best so many are those whose neighbours are candidates."""

    near: int = 16
    """Neighbours of each of them, at most."""

    fresh: int = 100
    """Uniform draws among the candidates of a query."""

    refit: int = 10
    """Queries after which the kernel's settings are chosen anew, where it has several."""

    points: int = 160
    """Answers that the process has room for; exact for budgets up to this. Where it is full, the
    latest quarter and the best of the others stay, a half in all."""

    prior: str = ""
    """What is known of the space beforehand: benchmarks over the same architectures, or folders of
    blind trainings, with a comma between: `gp:prior=nb201-cifar100,nb201-cifar10-valid`. Their
    look-ups are counted as those of a training."""

    memory: int = 512
    """Latest queries remembered, so that none of them is asked again."""

    def __post_init__(self) -> None:
        if self.kernel not in get_args(KernelName):
            raise UserError(f"gp has kernel={self.kernel!r}; expected traits, paths or wl")
        least = {"initial": 1, "parents": 1, "near": 1, "fresh": 1, "refit": 1}
        least |= {"points": 8, "memory": 8}
        for name, minimum in least.items():
            if (value := getattr(self, name)) < minimum:
                raise UserError(f"gp has {name}={value}; expected at least {minimum}")
        if self.parents > self.memory:
            raise UserError(f"gp has parents={self.parents}; expected at most memory={self.memory}")

    def build(self, space: SearchSpace, known: Known | None = None) -> Agent:
        """known: what is known beforehand, arrays that may be traced; else that of `prior`."""
        if known is None and self.prior:
            known = resolve(self.prior).known
        model = self.model(space, known)
        leads = model.leads

        def ask(key: Key[Array, ""], state: State) -> tuple[Arch, State]:
            queries = state.asked.queries
            archs, allowed = candidates(
                key, space, state.asked, self.parents, min(self.near, space.max_degree), self.fresh
            )
            archs, allowed, gain, state = model.gains(state, archs, allowed)
            # Equal candidates are equal up to rounding: the first of them, in any batch.
            gain = jnp.where(allowed, jnp.round(gain, 3), -jnp.inf)
            starting = (queries < self.initial) | ~allowed.any()
            # The sources' best in turn with a uniform draw, which tells a source that is wrong.
            first = jnp.where(queries % 2 == 0, leads.first(archs), 0) if leads else 0
            return archs[jnp.where(starting, first, jnp.argmax(gain))], state

        return Agent(model.init, ask, model.tell)

    def model(self, space: SearchSpace, known: Known | None) -> Model:
        """What it makes of the answers, for whoever asks."""
        size_is_known = known is not None and self.kernel == "traits"
        kernel = kernel_of(space, "paths" if size_is_known else self.kernel)
        leads: Leads | None = None
        if known is not None:
            kernel, leads = informed(kernel, space, known)
        room = self.points

        def init(key: Key[Array, ""]) -> State:
            somewhere = space.sample(key)  # never asked: only its shape counts
            code = jax.eval_shape(kernel.code, somewhere)
            points = Points(
                jnp.zeros((room, *code.shape), code.dtype),
                jnp.zeros(room, jnp.float32),
                jnp.int32(0),
                kernel.settings[0],
                jnp.zeros((room, room), jnp.float32),
            )
            every = record.nothing(space) if leads else ()
            return State(memory.empty(space, self.memory), points, every)

        def gains(state: State, archs: Arch, allowed: Any) -> tuple[Arch, Any, Any, State]:
            asked, points, every = state
            since = asked.queries - self.initial
            several = len(kernel.settings) > 1
            due = (since % self.refit == 0) & several
            if leads:  # whether to believe the sources is to be settled soon
                due |= since < self.refit
            due = (since >= 0) & due | (points.used == room)
            points = when(due, refitted, points, kernel.settings)
            if leads:
                archs, allowed = leads.beside(space, every, archs, allowed)
            gain = improvement(kernel, points, jax.vmap(kernel.code)(archs))
            return archs, allowed, gain, State(asked, points, every)

        def refitted(points: Points, settings: Any) -> Points:
            return fitted(kernel._replace(settings=settings), halved_if_full(points))

        def tell(state: State, arch: Arch, result: QueryResult) -> State:
            points = with_point(kernel, state.points, kernel.code(arch), result)
            every = record.note(space, state.every, arch) if leads else ()
            return State(memory.remember(state.asked, arch, result), points, every)

        return Model(init, gains, tell, leads)


class Model(NamedTuple):
    """init: key -> state. gains: state, candidates, which may be asked -> the candidates with what
    the sources add, which may be asked, log expected improvement of each, state. tell: state,
    architecture, result -> state. leads: of the sources, None without."""

    init: Callable[[Any], State]
    gains: Callable[[State, Arch, Any], tuple[Arch, Any, Any, State]]
    tell: Callable[[State, Arch, QueryResult], State]
    leads: Leads | None


def used(points: Points) -> Bool[Array, " M"]:
    """Which places hold a point."""
    return jnp.arange(len(points.vals), dtype=jnp.int32) < points.used


def posterior(
    kernel: Kernel, points: Points, codes: Num[Array, "n f"]
) -> tuple[Float32[Array, " n"], Float32[Array, " n"], Float32[Array, " M"]]:
    """What is expected of codes, and its standard deviation without noise; what is at the points,
    noise taken off (anything where there is none). In normal scores."""
    there, settings = used(points), points.settings
    trend = kernel.trend(points.codes, settings)
    left = normal_scores(points.vals, there) - trend
    found, _ = process(points.inverse, left, there)
    correlations = jnp.where(there[:, None], kernel.correlation(points.codes, codes, settings), 0.0)
    own = kernel.own(codes, settings)
    mean, deviation = predict(points.inverse, found, correlations, own)
    at_points = trend + smoothed(points.inverse, found, left, settings[-1])
    return mean + kernel.trend(codes, settings), deviation, at_points


def improvement(kernel: Kernel, points: Points, codes: Num[Array, "n f"]) -> Float32[Array, " n"]:
    """Log expected improvement on the best of the points' means, in normal scores. (An answer above
    its mean is partly luck: measured from there, nothing is expected to improve.)"""
    mean, deviation, means = posterior(kernel, points, codes)
    best = jnp.max(jnp.where(used(points), means, -jnp.inf), initial=-8.0)
    return jnp.log(jnp.maximum(expected_improvement(mean, deviation, best), 1e-12))


def with_point(
    kernel: Kernel, points: Points, code: Num[Array, " f"], result: QueryResult
) -> Points:
    """With one more point; without, where there was no value."""
    codes, vals, at, settings, inverse = points
    correlations = kernel.correlation(codes, code[None], settings)[:, 0]
    own = kernel.own(code[None], settings) + settings[-1]
    added = with_row(inverse, jnp.where(used(points), correlations, 0.0), jnp.ravel(own)[0], at)
    more = Points(codes.at[at].set(code), vals.at[at].set(result.val), at + 1, settings, added)
    return jax.tree.map(lambda a, b: jnp.where(result.valid, a, b), more, points)


def fitted(kernel: Kernel, points: Points) -> Points:
    """With the kernel's settings of the largest evidence."""
    there = used(points)
    scores = normal_scores(points.vals, there)

    def with_settings(settings: Float32[Array, " s"]) -> tuple[Any, Any]:
        covariance = kernel.correlation(points.codes, points.codes, settings)
        own = kernel.own(points.codes, settings) + settings[-1]
        covariance = jnp.where(jnp.eye(len(there), dtype=bool), own, covariance)
        inverse = inverse_factor(covariance, there)
        left = scores - kernel.trend(points.codes, settings)
        return process(inverse, left, there)[1], inverse

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
