"""How the fidelities of a benchmark rank its architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas.analysis.stats import Interval, interval
from rlnas.bench.benchmark import Indexed
from rlnas.bench.errors import UserError
from rlnas.bench.fidelity import Fidelities
from rlnas.bench.jax_setup import pinned
from rlnas.bench.rank import FEWEST, spearman

REPLICATES = 400
SHOWN = 8
"""Fidelities that are compared unless some are named."""


class Agreement(NamedTuple):
    """Of one fidelity with whole trainings, over so many architectures. all, best: Spearman's
    correlation, of all and of the best tenth by whole trainings. kept: share of the best hundredth
    by whole trainings that is in its best tenth. seconds: mean of a training."""

    epochs: int
    architectures: int
    all: Interval
    best: Interval
    kept: Interval
    seconds: float


class Answers(NamedTuple):
    """val, seconds: [fidelities, architectures] under the noise policy, of architectures that have
    a value at all of them."""

    val: Float[np.ndarray, "fidelities n"]
    seconds: Float[np.ndarray, "fidelities n"]


def shown(epochs: Sequence[int]) -> list[int]:
    """All of a few; of many about `SHOWN`, even in the logarithm, the whole one last."""
    if len(epochs) <= SHOWN:
        return list(epochs)
    logs = np.log(np.array(epochs, np.float64))
    wanted = np.linspace(logs[0], logs[-1], SHOWN)
    return [epochs[i] for i in sorted({int(np.abs(logs - x).argmin()) for x in wanted})]


@pinned()
def answers(
    fidelities: Fidelities, epochs: Sequence[int], architectures: int, seed: int
) -> Answers:
    """Of all architectures where there are no more than so many, else of that many uniform
    draws."""
    space = fidelities.benchmark.space
    key = jax.random.key(seed)
    if isinstance(space, Indexed) and space.size <= architectures:
        archs = jax.vmap(space.at)(jnp.arange(space.size, dtype=jnp.int32))
    else:
        archs = jax.vmap(space.sample)(jax.random.split(key, architectures))
    keys = jax.random.split(jax.random.fold_in(key, 1), len(archs))
    places = [fidelities.budgets.epochs.index(e) for e in epochs]
    found = [_answers(fidelities, archs, jnp.int32(place), keys) for place in places]
    val = np.stack([np.where(x.valid, x.val, np.nan) for x in found]).astype(np.float64)
    seconds = np.stack([np.asarray(x.sim_seconds, np.float64) for x in found])
    there = ~np.isnan(val).any(0)
    if there.sum() < FEWEST:
        raise UserError(
            f"{fidelities.benchmark.name} has {there.sum()} architectures with a value at all of "
            f"{', '.join(map(str, epochs))} epochs; expected at least {FEWEST}"
        )
    return Answers(val[:, there], seconds[:, there])


@jax.jit
def _answers(fidelities: Any, archs: Any, fidelity: Any, keys: Any) -> Any:
    return jax.vmap(lambda arch, key: fidelities.query(arch, fidelity, key))(archs, keys)


def agreements(epochs: Sequence[int], found: Answers, seed: int = 0) -> list[Agreement]:
    """Of every fidelity with the last; 95 % bootstrap intervals over architectures."""
    whole = found.val[-1]
    n = len(whole)
    best = np.argsort(-whole, kind="stable")[: max(n // 10, 2)]
    rng = np.random.default_rng(seed)
    every = rng.integers(n, size=(REPLICATES, n))
    of_best = best[rng.integers(len(best), size=(REPLICATES, len(best)))]
    lines = []
    for e, val, seconds in zip(epochs, found.val, found.seconds, strict=True):
        kept = best_kept(val, whole)
        lines.append(
            Agreement(
                e, n, correlated(val, whole, np.arange(n), every),
                correlated(val, whole, best, of_best),
                interval(kept.mean(), kept[rng.integers(len(kept), size=(REPLICATES, len(kept)))]
                         .mean(1)),
                float(seconds.mean()),
            )
        )  # fmt: skip
    return lines


def correlated(x: np.ndarray, y: np.ndarray, places: np.ndarray, drawn: np.ndarray) -> Interval:
    """Spearman's correlation of `places`; drawn: those of each replicate."""
    value = float(spearman(x[places], y[places]))
    if len(places) < FEWEST:
        return Interval(value, np.nan, np.nan)
    return interval(value, np.array([float(spearman(x[i], y[i])) for i in drawn]))


def best_kept(x: np.ndarray, whole: np.ndarray) -> Float[np.ndarray, " few"]:
    """Of each of the best hundredth by `whole`, 1 where it is in the best tenth by x, else 0."""
    n = len(x)
    first = np.argsort(-whole, kind="stable")[: max(n // 100, 1)]
    tenth = np.argsort(-x, kind="stable")[: max(n // 10, 1)]
    return np.isin(first, tenth).astype(np.float64)
