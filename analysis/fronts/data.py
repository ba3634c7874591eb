"""What a search for several objectives is measured against: all architectures, or all found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int

from rlnas.analysis.fronts.hypervolume import hypervolume, is_front
from rlnas.analysis.store import Run
from rlnas.bench.benchmark import Indexed
from rlnas.bench.noise import MEAN
from rlnas.bench.objectives import Objective
from rlnas.bench.with_objectives import WithObjectives


@dataclass(frozen=True)
class Ground:
    """objectives: accuracy first. low, high: [k], of what is minimised (`objectives`' values by
    their signs; accuracy as the error), which count as 0 and 1. points: [n, k], all there are, or
    all that were found (exact: which). archs: theirs. front: which of them make it, by the first
    objective. volume: its hypervolume."""

    objectives: tuple[Objective, ...]
    low: Float[np.ndarray, " k"]
    high: Float[np.ndarray, " k"]
    points: Float[np.ndarray, "n k"]
    archs: Any
    front: Int[np.ndarray, " f"]
    volume: float
    exact: bool

    def scaled(self, points: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
        """From 0, the smallest, to 1, the largest."""
        width = np.where(self.high > self.low, self.high - self.low, 1)
        return (np.asarray(points, np.float64) - self.low) / width

    @property
    def scaled_front(self) -> Float[np.ndarray, "f k"]:
        return self.scaled(self.points[self.front])

    def natural(self, points: Float[np.ndarray, "*n k"]) -> Float[np.ndarray, "*n k"]:
        """As people read them: accuracy in percent, costs in their units and direction."""
        signs = np.array([objective.sign for objective in self.objectives])
        found = points * np.where(np.arange(len(signs)) == 0, 1, signs)
        found[..., 0] = 100 * (1 - found[..., 0])
        return found


def ground_of(benchmark: WithObjectives, runs: Sequence[Run]) -> Ground:
    """The exact one of a numbered space, else of the union of what the runs have found."""
    if isinstance(benchmark.space, Indexed):
        points, archs = everything(benchmark)
        return _ground(benchmark, points, archs, exact=True)
    found = [run.history.objectives.reshape(-1, len(benchmark.objectives)) for run in runs]
    archs = np.concatenate(
        [
            np.asarray(run.history.arch).reshape(len(x), -1)
            for run, x in zip(runs, found, strict=True)
        ]
    )
    return _ground(benchmark, np.concatenate(found).astype(np.float64), archs, exact=False)


def everything(benchmark: WithObjectives) -> tuple[Float[np.ndarray, "M k"], Any]:
    """(what is to be minimised, of every architecture by number; the architectures), without
    noise."""
    inner = benchmark.inner
    if benchmark.noise.kind == "sample":
        inner = replace(inner, noise=MEAN)
    quiet = replace(benchmark, inner=inner, reward=None)
    points, archs = _everything(quiet, np.arange(benchmark.space.size, dtype=np.int32))
    return np.asarray(points, np.float64), np.asarray(archs)


@jax.jit
def _everything(benchmark: WithObjectives, numbers: Any) -> Any:
    archs = jax.vmap(benchmark.space.at)(numbers)
    key = jax.random.key(0)
    return jax.vmap(lambda arch: benchmark.query(arch, key).objectives)(archs), archs


def _ground(benchmark: WithObjectives, points: np.ndarray, archs: Any, *, exact: bool) -> Ground:
    known = ~np.isnan(points).any(axis=1)
    low, high = (limit(points[known], axis=0) for limit in (np.min, np.max))
    made = Ground(benchmark.objectives, low, high, points, archs, np.zeros(0, int), 0.0, exact)
    scaled = made.scaled(points)
    front = np.flatnonzero(is_front(scaled))
    front = front[np.lexsort(scaled[front].T[::-1])]
    return replace(made, front=front, volume=hypervolume(scaled[front]))
