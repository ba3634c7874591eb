"""What a trained agent has to beat: rankings without any search, made of the same look-ups or of
none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.bench.benchmark import Indexed, Sizes, numbers_of
from rlnas.bench.lists import values_of

LIMIT = 50_000
"""Larger spaces are not ranked as a whole."""

ONCE, FOREST, PARAMETERS = "ranked table", "random forest", "most parameters"


class Control(NamedTuple):
    """lookups: made to get the ranking. val, reported: of the best by validation among the first so
    many of it, fractions."""

    name: str
    lookups: int
    val: list[float]
    reported: list[float]


def controls(benchmark: Any, part: Any, queries: Sequence[int], seed: int) -> list[Control]:
    """On a benchmark of numbered architectures, `part` of which a training saw: all of `part`
    looked up once, best first; a random forest fitted to these look-ups (where scikit-learn is
    installed), best prediction first; the most trainable parameters first. Empty for a space that
    has no numbers, or is larger than `LIMIT`."""
    space = benchmark.space
    if not isinstance(space, Indexed) or space.size > LIMIT:
        return []
    val, reported = (np.asarray(x, np.float64) for x in values_of(benchmark))
    whole, mine = numbers_of(space), numbers_of(part.space)
    assert whole is not None and mine is not None
    shown = np.searchsorted(whole, mine)
    labels = np.asarray(values_of(part)[0], np.float64)
    known = ~np.isnan(labels)

    def first(name: str, lookups: int, places: np.ndarray) -> Control:
        found: list[tuple[float, float]] = []
        for count in queries:
            asked = places[:count]
            asked = asked[~np.isnan(val[asked])]
            best = asked[val[asked].argmax()] if len(asked) else None
            found.append((np.nan, np.nan) if best is None else (val[best], reported[best]))
        vals, reports = (list(map(float, column)) for column in zip(*found, strict=True))
        return Control(name, lookups, vals, reports)

    order = np.argsort(-labels[known], kind="stable")
    rows = [first(ONCE, len(shown), shown[known][order])]
    archs = jax.vmap(space.at)(jnp.arange(int(space.size)))
    features = np.asarray(jax.vmap(benchmark.space.encode)(archs))
    predicted = forest(features[shown[known]], labels[known], features, seed)
    if predicted is not None:
        rows.append(first(FOREST, len(shown), np.argsort(-predicted, kind="stable")))
    if isinstance(space, Sizes):
        counts = space.trainable_parameters()
        rows.append(first(PARAMETERS, 0, np.argsort(-counts, kind="stable")))
    return rows


def forest(seen: np.ndarray, labels: np.ndarray, every: np.ndarray, seed: int) -> np.ndarray | None:
    """Predictions for `every` encoding by scikit-learn's defaults; None where it is not
    installed."""
    try:
        from sklearn.ensemble import RandomForestRegressor  # an extra
    except ImportError:
        return None
    model = RandomForestRegressor(random_state=seed).fit(seen, labels)
    predicted: np.ndarray = model.predict(every)
    return predicted
