"""The speed of an ensemble of trees of the official NAS-Bench-301's size, beside xgboost with the
same trees."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import numpy as np

from rlnas.analysis.speed.measure import Measure, best_of, seconds_of
from rlnas.bench.nb301.forest import Forest
from rlnas.bench.nb301.genotype import DartsSpace, official_features
from rlnas.bench.nb301.grouping import join
from rlnas.bench.nb301.leafsets import BITS
from rlnas.bench.nb301.synthetic_ensemble import MEMBERS, TREES, members, to_xgboost
from rlnas.bench.nb301.trees import TreeEnsemble, from_arrays

BATCHES = (1, 32, 1024)
LOADED = 2
"""Members given to xgboost; all ten would need 5 GB. Its times are scaled up."""
QUERIES = 4
OFFICIAL_API = 9.6
"""Architectures a second of the official API with its own xgboost 1.1.0 on such a 2-core machine,
measured before."""


def measure(count: int = MEMBERS, trees: int = TREES) -> list[Measure]:
    """Architectures a second of a synthetic ensemble made here, at the official size unless scaled
    down."""
    start = time.perf_counter()
    kept: list[Forest] = []
    packed = []
    for forest, leaf_sets in members(count, trees):
        packed.append(leaf_sets)
        kept = [*kept, forest][:LOADED]
    ensemble = from_arrays(join(packed))
    del packed
    nodes = len(kept[0].left) / trees
    size = f"SYNTHETIC ensemble, {count} x {trees:,} trees of {nodes:,.0f} nodes, made in"
    about = f"{size} {time.perf_counter() - start:.0f} s, packed {ensemble.nbytes / 1e6:,.0f} MB"

    archs = jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), max(BATCHES)))
    rates = {n: _rate(ensemble, archs[:n]) for n in BATCHES}
    found = _xgboost(
        kept, count, np.asarray(official_features(archs)), np.asarray(_ask(ensemble, archs))
    )
    if found is None:
        note = (
            f"{about}; xgboost is not installed (pip install 'rlnas[nb301]'), so there is no "
            "reference"
        )
        rows = [Measure(f"trees, {n:,}", rates[n], float("nan"), "1/s", note) for n in BATCHES]
    else:
        one, batch, error = found
        notes = [f"{about}; reference: xgboost, one query at a time, member by member"]
        notes += [f"batch of {n:,}; same reference" for n in BATCHES[1:]]
        notes = [
            f"{note} ({rates[n] / OFFICIAL_API:.1f} x the official API's 9.6)"
            for n, note in zip(BATCHES, notes, strict=True)
        ]
        rows = [
            Measure(f"trees, {n:,}", rates[n], one, "1/s", note)
            for n, note in zip(BATCHES, notes, strict=True)
        ]
        note = (
            f"batch of {BATCHES[-1]:,}; reference: xgboost's own; largest difference {error:.4f}, "
            "its float32 sums'"
        )
        rows.append(Measure("trees, batch", rates[BATCHES[-1]], batch, "1/s", note))
    return [*rows, *(_bound(ensemble, archs[:n], rates[n]) for n in (BATCHES[0], BATCHES[-1]))]


def _bound(ensemble: TreeEnsemble, archs: jax.Array, rate: float) -> Measure:
    """What bounds it: the same program with every set read from the first few, which the
    first-level cache holds."""
    few = [
        replace(group, row=group.row % BITS, leaf=group.leaf % BITS) for group in ensemble.groups
    ]
    start = tuple(start % BITS for start in ensemble.start)
    cached = _rate(replace(ensemble, groups=tuple(few), start=start), archs)
    sets = sum(group.code.size for group in ensemble.groups)
    note = (
        f"{rate * sets / 1e6:,.0f} million leaf sets/s; reference: the same program with sets "
        "that stay in cache"
    )
    return Measure(f"bound, {len(archs):,}", rate, cached, "1/s", note)


@jax.jit
def _ask(ensemble: TreeEnsemble, archs: jax.Array) -> jax.Array:
    return jax.vmap(ensemble.outputs)(archs)


def _rate(ensemble: TreeEnsemble, archs: jax.Array) -> float:
    return len(archs) / best_of(partial(_ask, ensemble, archs))


def _xgboost(
    forests: list[Forest], count: int, features: np.ndarray, ours: np.ndarray
) -> tuple[float, float, float] | None:
    """Architectures a second one at a time and in a batch, each by the faster of xgboost's two ways
    and scaled to `count` members, and the largest difference between its predictions and ours. None
    without xgboost."""
    try:
        import xgboost
    except ImportError:
        return None
    boosters: list[Any] = [xgboost.Booster(model_file=to_xgboost(forest)) for forest in forests]

    # A matrix of its own for every call: xgboost keeps the last prediction of a matrix.
    def by_matrix(rows: np.ndarray) -> list[np.ndarray]:
        return [booster.predict(xgboost.DMatrix(rows)) for booster in boosters]

    def in_place(rows: np.ndarray) -> list[np.ndarray]:
        return [booster.inplace_predict(rows) for booster in boosters]

    def seconds(chosen: list[np.ndarray]) -> float:
        """Of the faster way, the fastest of two runs."""
        ways = by_matrix, in_place
        return min(
            seconds_of(partial(lambda way: [way(x) for x in chosen], way)) for way in (*ways, *ways)
        )

    scale = count / len(boosters)
    error = max(np.abs(found - ours[:, k]).max() for k, found in enumerate(by_matrix(features)))
    one = QUERIES / (seconds([features[i : i + 1] for i in range(QUERIES)]) * scale)
    return one, len(features) / (seconds([features]) * scale), float(error)
