"""The speed of an ensemble of trees of the official NAS-Bench-301's size, beside xgboost with the same trees."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from analysis.speed import Measure, best_of, seconds_of
from bench.nb301.forest import Forest
from bench.nb301.genotype import DartsSpace, official_features
from bench.nb301.grouping import join
from bench.nb301.leafsets import LeafSets
from bench.nb301.synthetic_ensemble import MEMBERS, TREES, members, to_xgboost
from bench.nb301.trees import TreeEnsemble, from_arrays

BATCHES = (1, 32, 1024)
LOADED = 2
"""Members given to xgboost, first and last; ten of them would need 5 GB. Its times are scaled up."""
QUERIES = 4


def measure(count: int = MEMBERS, trees: int = TREES) -> list[Measure]:
    """Architectures a second, at the official size unless scaled down: a synthetic ensemble, made here."""
    start = time.perf_counter()
    packed: list[LeafSets] = []
    kept: list[Forest] = []
    for k, (forest, leaf_sets) in enumerate(members(count, trees)):
        packed.append(leaf_sets)
        if k < LOADED:
            kept.append(forest)
    nodes = len(kept[0].left) / trees
    ensemble = from_arrays(join(packed))
    del packed
    made = time.perf_counter() - start
    archs = jax.vmap(DartsSpace().sample)(jax.random.split(jax.random.key(0), max(BATCHES)))
    ours = {n: n / best_of(lambda n=n: _ask(ensemble, archs[:n])) for n in BATCHES}  # type: ignore[misc]
    about = f"SYNTHETIC ensemble, {count} x {trees:,} trees x {nodes:,.0f} nodes, packed {ensemble.nbytes / 1e6:,.0f} MB"
    reference = _xgboost(kept, count, np.asarray(official_features(archs)), np.asarray(_ask(ensemble, archs)))
    if reference is None:
        none = float("nan")
        note = f"{about}; xgboost is not installed (pip install 'rlnas[nb301]'): no ratio"
        return [Measure(f"trees, {n:,}", ours[n], none, "1/s", note) for n in BATCHES]
    official, batch, error = reference
    rows = [Measure("trees, 1", ours[1], official, "1/s", f"{about}, made in {made:.0f} s; reference: the official way")]
    note = "the official way: xgboost, one query at a time, member by member"
    rows += [Measure(f"trees, {n:,}", ours[n], official, "1/s", f"reference: {note}") for n in BATCHES[1:]]
    note = f"reference: xgboost's own batch prediction; largest difference to ours {error:.4f} (its float32 sums)"
    rows += [Measure("trees, batch", ours[BATCHES[-1]], batch, "1/s", note)]
    sets = float(np.mean([group.code.shape[0] for group in ensemble.groups for _ in range(group.leaf.size)]))
    words = float(np.mean([ensemble.tables[g.table].shape[1] for g in ensemble.groups for _ in range(g.leaf.size)]))
    return [*rows, _bound(ensemble, ours[BATCHES[-1]], sets, words)]


def _bound(ensemble: TreeEnsemble, rate: float, sets: float, words: float) -> Measure:
    """Leaf sets read a second by the ensemble, beside the same gathers from a table that fits the first-level cache."""
    table = jnp.asarray(np.random.default_rng(0).integers(2**32, size=(64, 16), dtype=np.uint32))
    index = jnp.asarray(np.random.default_rng(1).integers(64, size=(8, 1 << 14), dtype=np.uint32))

    @jax.jit
    def gather(table: jax.Array, index: jax.Array) -> jax.Array:
        def step(i: jax.Array, total: jax.Array) -> jax.Array:
            found = table.at[(index[0] + i) & 63].get(mode="promise_in_bounds")
            for f in range(1, 8):
                found = found & table.at[index[f]].get(mode="promise_in_bounds")
            return total + found.sum(1, dtype=jnp.uint32)

        return jax.lax.fori_loop(0, 100, step, jnp.zeros(1 << 14, jnp.uint32))

    cached = 100 * 8 * (1 << 14) / best_of(lambda: gather(table, index))
    done = rate * ensemble.trees * sets
    note = f"leaf sets read, {sets:.1f} a tree of {words * 4:.0f} bytes; reference: the same gathers from 4 KB of cache"
    return Measure("trees, sets", done, cached, "1/s", note)


@jax.jit
def _ask(ensemble: TreeEnsemble, archs: jax.Array) -> jax.Array:
    return jax.vmap(ensemble.outputs)(archs)


def _xgboost(
    forests: list[Forest], count: int, features: np.ndarray, ours: np.ndarray
) -> tuple[float, float, float] | None:
    """Architectures a second of the official way and of batches, scaled to all members, and the largest difference
    between its predictions and ours."""
    try:
        import xgboost
    except ImportError:
        return None
    boosters: list[Any] = []
    for forest in forests:
        boosters.append(xgboost.Booster(model_file=to_xgboost(forest)))
    scale = count / len(boosters)

    def official(rows: np.ndarray) -> None:
        for row in rows:
            for booster in boosters:
                booster.predict(xgboost.DMatrix(row[None]))

    def batch(predict: Callable[[Any], Any]) -> float:
        return scale * min(seconds_of(lambda: [predict(booster) for booster in boosters]) for _ in range(2))

    official(features[:2])
    one = scale * min(seconds_of(lambda: official(features[2 : 2 + QUERIES])) for _ in range(2)) / QUERIES
    matrix = xgboost.DMatrix(features)
    seconds = min(batch(lambda b: b.predict(matrix)), batch(lambda b: b.inplace_predict(features)))
    error = max(np.abs(booster.predict(matrix) - ours[:, k]).max() for k, booster in enumerate(boosters))
    return 1 / one, len(features) / seconds, float(error)
