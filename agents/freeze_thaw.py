"""Freeze-thaw: trainings are paused and taken up again, wherever most is to be expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key, Num

from rlnas.agents.fidelity import Choice, FidelityAgent
from rlnas.agents.gaussian_process import expected_improvement
from rlnas.agents.kernels import kernel_of
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError

ALPHA, BETA = 1.5, 5.0
"""Of the kernel of a curve, in checkpoints; ours."""
NOISE = 0.1
"""Of a checkpoint, in deviations of curves' ends; ours."""
LEAST = 0.002
"""Standard deviation of curves' ends, at least."""


class Weights(NamedTuple):
    """What the first t checkpoints of a curve say of its end, [K + 1, K] and [K + 1], t = 0..K:
    their sum by `value` over `precision` is the end as they have it, with the variance
    1 / `precision`."""

    value: Float32[np.ndarray, "lengths K"]
    precision: Float32[np.ndarray, " lengths"]


def decay(checkpoints: int) -> np.ndarray:
    """[K, K], beta^alpha / (t + t' + beta)^alpha: curves that decay exponentially at unknown rates
    (Swersky et al. 2014)."""
    t = np.arange(1, checkpoints + 1)
    found: np.ndarray = BETA**ALPHA / (t[:, None] + t + BETA) ** ALPHA
    return found


def weights(checkpoints: int) -> Weights:
    """Given the end f, checkpoints are f and a Gaussian process of that kernel, and noise."""
    covariance = decay(checkpoints) + NOISE**2 * np.eye(checkpoints)
    value = np.zeros((checkpoints + 1, checkpoints), np.float32)
    precision = np.zeros(checkpoints + 1, np.float32)
    for t in range(1, checkpoints + 1):
        solved = np.linalg.solve(covariance[:t, :t], np.ones(t))
        value[t, :t], precision[t] = solved, solved.sum()
    # The end of a whole training is known.
    value[-1], precision[-1] = 0, 1 / NOISE**2
    value[-1, -1] = precision[-1]
    return Weights(value, precision)


class Frozen(NamedTuple):
    """Of `points` architectures: codes, vals [points, K], at: how many checkpoints are known, 0
    where there is none. place: whose turn it is. rises, counts: sums over architectures of what the
    next checkpoint was higher by, and of how many. best: of the whole trainings, -inf before the
    first."""

    archs: Arch
    codes: Num[Array, "points f"]
    vals: Float32[Array, "points K"]
    at: Int32[Array, " points"]
    place: Int32[Array, ""]
    rises: Float32[Array, " K"]
    counts: Float32[Array, " K"]
    best: Float32[Array, ""]


@dataclass(frozen=True)
class FreezeThaw:
    """Freeze-thaw Bayesian optimisation (Swersky, Snoek and Adams 2014, arXiv 1406.3896).

    A Gaussian process over architectures says where curves end; given its end, a curve's
    checkpoints are a process that decays exponentially. Each query trains one architecture to its
    next checkpoint, a new one or one that was paused, whichever improves most on the best whole
    training in expectation.

    Ours: that rule, where theirs is an entropy search over a basket; the kernel over architectures
    of `gp:kernel=paths`, its settings and the curves' not fitted; what is modelled is a curve's
    distance to the mean rise of all, so that a common shape is no surprise; the first training goes
    to its end. An answer without a value is forgotten. It needs trainings that continue. Where
    there is one budget it is random search.
    """

    checkpoints: int = 8
    """Parts of a training, evenly over its epochs."""

    fresh: int = 32
    """Uniform draws among the candidates of a query."""

    points: int = 96
    """Architectures that are remembered; where they are too many the lowest is forgotten."""

    def __post_init__(self) -> None:
        for name, least in {"checkpoints": 2, "fresh": 1, "points": 4}.items():
            if not least <= (value := getattr(self, name)) <= 512:
                raise UserError(f"freeze_thaw has {name}={value}; expected {least} to 512")

    def build(self, space: SearchSpace) -> Agent:
        return RandomSearch().build(space)

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        wanted = budgets.epochs[-1] * np.arange(1, self.checkpoints + 1) / self.checkpoints
        places = np.searchsorted(np.array(budgets.epochs), np.round(wanted, 6), side="right") - 1
        looks = np.array(sorted({int(i) for i in places if i >= 0}), np.int32)
        if budgets.top and (not budgets.continues or len(looks) < 2):
            raise UserError(
                f"freeze_thaw takes trainings up again; found {budgets.caption}"
            )  # fmt: skip
        last = len(looks)
        kernel, known = kernel_of(space, "paths"), weights(last)

        def init(key: Key[Array, ""]) -> Frozen:
            blank = space.sample(key)
            code = kernel.code(blank)
            several = (self.points, *([1] * blank.ndim))
            return Frozen(
                jnp.tile(blank, several),
                jnp.tile(code, (self.points, 1)),
                jnp.zeros((self.points, last), jnp.float32),
                jnp.zeros(self.points, jnp.int32),
                jnp.int32(0),
                jnp.zeros(last, jnp.float32),
                jnp.zeros(last, jnp.float32),
                jnp.float32(-jnp.inf),
            )

        def ends(now: Frozen) -> tuple[Any, Any, Any, Any, Any]:
            """(what each curve says of its end, its precision, mean, deviation, the last value of
            each raised to the end): the first in deviations from the mean."""
            rise = now.rises / jnp.maximum(now.counts, 1)
            left = jnp.cumsum(rise[::-1])[::-1] - rise  # rise[t]: from checkpoint t - 1 to t
            raised = now.vals + left
            latest = jnp.take_along_axis(raised, jnp.maximum(now.at - 1, 0)[:, None], 1)[:, 0]
            there = (now.at > 0).astype(jnp.float32)
            n = jnp.maximum(there.sum(), 1)
            mean = (there * latest).sum() / n
            spread = jnp.sqrt((there * (latest - mean) ** 2).sum() / n)
            spread = jnp.maximum(spread, LEAST)
            precision = jnp.asarray(known.precision)[now.at]
            value = jnp.asarray(known.value)[now.at]
            said = (value * (raised - mean)).sum(1) / jnp.maximum(precision, 1e-6) / spread
            return said, precision, mean, spread, latest

        def ask(key: Key[Array, ""], now: Frozen) -> tuple[Choice, Frozen]:
            said, precision, mean, spread, latest = ends(now)
            drawn = jax.vmap(space.sample)(jax.random.split(key, self.fresh))
            codes = jax.vmap(kernel.code)(drawn)
            settings, there = kernel.settings[0], now.at > 0
            both = there[:, None] & there
            covariance = jnp.where(both, kernel.correlation(now.codes, now.codes, settings), 0.0)
            noise = jnp.where(there, 1 / jnp.maximum(precision, 1e-6), 1.0) + 1e-4
            factor = jnp.linalg.cholesky(covariance + jnp.diag(noise))
            every = jnp.concatenate([now.codes, codes])
            across = kernel.correlation(now.codes, every, settings) * there[:, None]
            own = jnp.ones(len(every), jnp.float32)
            white = jax.scipy.linalg.solve_triangular(factor, across, lower=True)
            target = jnp.where(there, said, 0.0)
            whitened = jax.scipy.linalg.solve_triangular(factor, target, lower=True)
            deviation = jnp.sqrt(jnp.maximum(own - (white * white).sum(0), 1e-6))
            gain = expected_improvement(whitened @ white, deviation, (now.best - mean) / spread)
            possible = jnp.append(there & (now.at < last), jnp.ones(self.fresh, bool))
            pick = jnp.argmax(jnp.where(possible, gain, -jnp.inf))
            first = now.best == -jnp.inf  # train it to its end
            begun = first & there[now.place] & (now.at[now.place] < last)
            pick = jnp.where(begun, now.place, jnp.where(first, self.points, pick))
            is_new = pick >= self.points
            number = jnp.maximum(pick - self.points, 0)
            lowest = jnp.argmin(jnp.where(there, latest, -jnp.inf))  # an empty one, if there is
            place = jnp.where(is_new, lowest, pick).astype(jnp.int32)
            arch = jnp.where(is_new, drawn[number], now.archs[jnp.minimum(pick, self.points - 1)])
            code = jnp.where(is_new, codes[number], now.codes[place])
            at = jnp.where(is_new, 0, now.at[place])
            then = now._replace(
                archs=now.archs.at[place].set(arch),
                codes=now.codes.at[place].set(code),
                at=now.at.at[place].set(at),
                place=place,
            )
            return Choice(arch, jnp.asarray(looks)[at]), then

        def tell(now: Frozen, choice: Choice, result: QueryResult) -> Frozen:
            val, at = result.val.astype(jnp.float32), now.at[now.place]
            before = now.vals[now.place, jnp.maximum(at - 1, 0)]
            rose = result.valid & (at > 0)
            whole = result.valid & (at + 1 == last)
            return now._replace(
                vals=now.vals.at[now.place, at].set(jnp.where(result.valid, val, 0.0)),
                at=now.at.at[now.place].set(jnp.where(result.valid, at + 1, 0)),
                rises=now.rises.at[at].add(jnp.where(rose, val - before, 0.0)),
                counts=now.counts.at[at].add(jnp.where(rose, 1.0, 0.0)),
                best=jnp.where(whole, jnp.maximum(now.best, val), now.best),
            )

        return FidelityAgent(init, ask, tell)
