"""What the same number of look-ups buys without a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from rlnas.analysis.training.controls import LIMIT, PARAMETERS, forest
from rlnas.bench.benchmark import Indexed, Sizes, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.lists import values_of

EVERYTHING, ONCE, FOREST = "everything looked up", "at random, each once", "random forest"
LABELLED = 0.1
"""A forest is fitted to no more than this part of the space, however much was looked up for the
agent: with all of it labelled there would be nothing left to predict."""
FORESTS = 20
"""Forests, each fitted to labels of its own; each takes a fraction of a second."""
SHARED = 5
"""Architectures that are compared to see whether two benchmarks have the same."""


class Control(NamedTuple):
    """before: look-ups made before the first that counts as a query. validation, reported: of the
    best by validation among all that was looked up by each count, fractions, a row a draw."""

    name: str
    before: int
    validation: Float[np.ndarray, "draws counts"]
    reported: Float[np.ndarray, "draws counts"]


def controls(
    benchmark: Any,
    before: int,
    counts: Sequence[int],
    draws: int,
    seed: int,
    source: Any = None,
) -> list[Control]:
    """Each looks up no more than the agent did: `before` architectures, and then as many as it had
    queries. At random, each once; those that a random forest predicts best, fitted to `before` of
    them at random (or, where the agent had none before, to half of its queries); the most trainable
    parameters first; and the best first of `source`. None for a space without numbers, or larger
    than `LIMIT`; without the forest where scikit-learn is not installed."""
    space = benchmark.space
    if not has_controls(space):
        return []
    val, reported = (np.asarray(x, np.float64) for x in values_of(benchmark))
    size, most = len(val), counts[-1]
    rng = np.random.default_rng([seed, 0])

    def found(name: str, before: int, orders: Sequence[Int[np.ndarray, " n"]]) -> Control:
        best = np.array([[best_of(val, order[: before + q]) for q in counts] for order in orders])
        none = best < 0
        values = (np.where(none, np.nan, x[best]) for x in (val, reported))
        return Control(name, before, *values)

    paid = min(before, size)
    name = EVERYTHING if before + most >= size else ONCE
    rows = [found(name, paid, [rng.permutation(size) for _ in range(draws)])]
    labels = max(2, min(before, round(LABELLED * size)) if before else most // 2)
    features = np.asarray(jax.vmap(lambda i: benchmark.space.encode(space.at(i)))(jnp.arange(size)))
    orders = []
    for i in range(min(draws, FORESTS)):
        order = rng.permutation(size)
        known = order[:labels][~np.isnan(val[order[:labels]])]
        predicted = forest(features[known], val[known], features, i) if len(known) else None
        if predicted is None:
            break
        rest = order[labels:]
        orders.append(np.append(order[:labels], rest[np.argsort(-predicted[rest], kind="stable")]))
    if orders:
        rows.append(found(FOREST, labels if before else 0, orders))
    if isinstance(space, Sizes):
        sizes = space.trainable_parameters()
        rows.append(found(PARAMETERS, 0, [np.argsort(-sizes, kind="stable")]))
    if source is not None:
        rows.append(found(f"list of {source.name}", 0, [best_first(source, benchmark)]))
    return rows


def has_controls(space: Any) -> bool:
    """Whether its architectures can be gone through one by one."""
    return isinstance(space, Indexed) and space.size <= LIMIT


def check_source(source: Any, benchmark: Any) -> None:
    """`UserError` for a source that could not be a control on the benchmark."""
    if not has_controls(benchmark.space):
        raise UserError(
            f"--source {source.name} would not be used: {benchmark.name} cannot be listed, "
            "so there are no controls; leave --source out"
        )
    best_first(source, benchmark)


def best_of(val: Float[np.ndarray, " size"], asked: Int[np.ndarray, " n"]) -> int:
    """Which of the `asked` is best, the earliest of equals; -1 where none has a value."""
    asked = asked[~np.isnan(val[asked])]
    return int(asked[val[asked].argmax()]) if len(asked) else -1


def best_first(source: Any, benchmark: Any) -> Int[np.ndarray, " n"]:
    """The architectures of `benchmark` that `source` has a value of, by numbers, as the source's
    validation ranks them. `UserError` unless there are some, the same in both."""
    if source.describe() == benchmark.describe():
        raise UserError(
            f"--source {source.name} is the benchmark that is searched; expected another one of "
            "the same architectures"
        )
    theirs, ours = numbers_of(source.space), numbers_of(benchmark.space)
    if theirs is not None and ours is not None and source.family == benchmark.family:
        val = np.asarray(values_of(source)[0], np.float64)
        places = np.flatnonzero(np.isin(theirs, ours) & ~np.isnan(val))
        there = np.searchsorted(ours, theirs[places])
        if len(places) and same_texts(source.space, places, benchmark.space, there):
            found: Int[np.ndarray, " n"] = there[np.argsort(-val[places], kind="stable")]
            return found
    raise UserError(
        f"--source {source.name} has no architectures of {benchmark.name}; expected a benchmark "
        "over the same search space"
    )


def same_texts(a: Any, places: np.ndarray, b: Any, there: np.ndarray) -> bool:
    """Whether the same numbers are the same architectures: so they are written alike. The last of
    them tell, as the largest."""
    return all(
        a.format(a.at(jnp.int32(i))) == b.format(b.at(jnp.int32(j)))
        for i, j in zip(places[-SHARED:], there[-SHARED:], strict=True)
    )
