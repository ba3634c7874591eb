"""What invented tables have in common with real ones: a few numbers, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rlnas import bench
from rlnas.bench import keys
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.coded import TRAITS, Coded
from rlnas.bench.errors import UserError
from rlnas.bench.lists import lists_of, values_of
from rlnas.bench.rank import spearman
from rlnas.bench.synthetic.tables import InventedBenchmark


class Summary(NamedTuple):
    """walk: correlation of the accuracies of neighbours (one step of a random walk). low, upper,
    high: the 2 %, 75 % and 99 % quantiles, counted from the median (0) to the best (1). repeats:
    rank correlation between two repeats, NaN with one. size: of accuracy with the trainable
    parameters of the operations (`rlnas.bench.coded.TRAITS`)."""

    walk: float
    low: float
    upper: float
    high: float
    repeats: float
    size: float


QUANTILES = (0.02, 0.75, 0.99)


def summary(benchmark: Benchmark, sizes: np.ndarray | None = None, repeats: Any = None) -> Summary:
    """Of a benchmark of numbered architectures with neighbour lists. sizes: [M], of each.
    repeats: [M, R], in place of the benchmark's own."""
    lists = lists_of(benchmark)
    if lists is None:
        raise UserError(
            f"{benchmark.name} has no neighbour lists; expected a table, e.g. nb101-digits"
        )
    val = np.asarray(values_of(benchmark)[0], np.float64)
    offsets, flat = (np.asarray(x) for x in lists)
    source = np.repeat(np.arange(len(val)), np.diff(offsets))
    known = ~np.isnan(val[source]) & ~np.isnan(val[flat])
    # Each architecture counts alike, however many neighbours it has.
    weight = 1 / np.diff(offsets)[source[known]]
    pair = np.cov(val[source[known]], val[flat[known]], aweights=weight)
    there = val[~np.isnan(val)]
    middle, top = np.median(there), there.max()
    low, upper, high = (np.quantile(there, QUANTILES) - middle) / (top - middle)
    own: Any = getattr(benchmark, "val", np.zeros((len(val), 1)))
    columns = np.asarray(own if repeats is None else repeats)
    both = columns[~np.isnan(columns[:, :2]).any(1), :2]
    again: Any = spearman(both[:, 0], both[:, 1]) if columns.shape[1] > 1 else np.nan
    with_size: Any = np.nan
    if sizes is not None:
        has = ~np.isnan(val)
        with_size = spearman(sizes[has], val[has])
    walk = pair[0, 1] / np.sqrt(pair[0, 0] * pair[1, 1])
    return Summary(*(float(x) for x in (walk, low, upper, high, again, with_size)))


def invented(benchmark: InventedBenchmark, tables: int, seed: int) -> np.ndarray:
    """float64 [tables, summary]: of so many tables over the first space that `synthetic` draws."""
    inventor = benchmark.inventors[0]
    sizes = sizes_of(inventor.coded)
    draw = jax.jit(lambda key: (inventor.draw(key), inventor.repeats(key)))
    root = keys.root(seed, "synthetic")
    found = []
    for number in range(tables):
        table, repeats = draw(jax.random.fold_in(root, number))
        found.append(summary(table, sizes, repeats))
    return np.array(found)


def sizes_of(coded: Any) -> np.ndarray:
    """float [M]: trainable parameters of every architecture's operations, about."""
    return np.asarray(coded.measured[:, TRAITS.index("weights")])


def text(rows: Sequence[tuple[str, Summary]], drawn: np.ndarray) -> str:
    """A line a benchmark, and the spread of the invented tables."""
    head = ("", "neighbours", *(f"{q:.0%} quantile" for q in QUANTILES), "repeats", "size")
    lines = ["".join(f"{word:>14}" if i else f"{word:28}" for i, word in enumerate(head))]

    def line(name: str, values: Any) -> str:
        shown = ("-" if np.isnan(x) else f"{x:.2f}" for x in values)
        return f"{name:28}" + "".join(f"{word:>14}" for word in shown)

    lines += [line(name, found) for name, found in rows]
    for q in (0.1, 0.5, 0.9):
        with np.errstate(invalid="ignore"):
            lines.append(line(f"invented, {q:.0%} of them below", np.quantile(drawn, q, axis=0)))
    return "\n".join(lines)


def of_space(benchmark: Benchmark) -> np.ndarray | None:
    """float [M]: `sizes_of` a benchmark's architectures; None where they have no numbers."""
    made = jax.jit(Coded.of)(benchmark.space)
    return None if isinstance(made.measured, tuple) else sizes_of(made)


def beside(names: Sequence[str], tables: int, seed: int) -> str:
    """The text, of real benchmarks by name and of invented tables."""
    rows = []
    for name in names:
        benchmark = bench.load(name)
        rows.append((name, summary(benchmark, of_space(benchmark))))
    return text(rows, invented(bench.load("synthetic"), tables, seed))
