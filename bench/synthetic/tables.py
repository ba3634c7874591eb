"""Invented tables as benchmarks: an endless supply of them, and single ones by number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from rlnas.bench import keys
from rlnas.bench.coded import Coded
from rlnas.bench.nb101.space import make_space
from rlnas.bench.nb201.space import CellSpace
from rlnas.bench.noise import MEAN, NoiseLike
from rlnas.bench.synthetic.family import BUDGETS, SIZES
from rlnas.bench.synthetic.landscape import Prior, invent
from rlnas.bench.table_benchmark import TEST, TableBenchmark

REPEATS = 3
ALIKE = {4: 0.6, 12: 0.8, 36: 0.93}
"""How a shorter training's function correlates with that of the longest; near what is known of
NAS-Bench-101's budgets (FACTS of the project), in round numbers."""


@runtime_checkable
class Inventive(Protocol):
    """A benchmark that draws others like it: an agent may be trained and judged on those."""

    @property
    def inventors(self) -> tuple[Inventor, ...]:
        """Of each space that tables are drawn over."""

    def judging(self, key: Key[Array, ""]) -> Any:
        """One of the first space whose accuracies count from the median (0) to the best (1), so
        that those of several can be averaged. jit- and vmap-safe."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inventor:
    """Draws tables over the architectures of one space. coded: of that space."""

    coded: Coded
    prior: Prior = field(default=Prior(), metadata={"static": True})

    def draw(self, key: Key[Array, ""]) -> TableBenchmark:
        """A table. What is reported, and the optimum, is the truth; what look-ups answer is a mean
        of one to three repeats. jit- and vmap-safe."""
        table_key, *rest = jax.random.split(key, 3)
        drawn: Any = invent(table_key, self.coded, self.prior, None)  # as `load`: one program
        return _answered(*rest, drawn, self.coded.space)

    def repeats(self, key: Key[Array, ""]) -> Float32[Array, "M 2"]:
        """Two single repeats of the table that `draw` makes of the key."""
        table_key, noise_key, _ = jax.random.split(key, 3)
        drawn: Any = invent(table_key, self.coded, self.prior)
        noise = jax.random.normal(noise_key, (*drawn.truth.shape, 2), jnp.float32)
        return drawn.truth[:, None] + drawn.deviation[:, None] * noise


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class InventedBenchmark(TableBenchmark):
    """An invented table; `synthetic` has inventors and draws others."""

    inventors: tuple[Inventor, ...] = ()

    def judging(self, key: Key[Array, ""]) -> TableBenchmark:
        return _from_median(self.inventors[0].draw(key))


@jax.jit
def _answered(
    noise_key: Key[Array, ""], many_key: Key[Array, ""], drawn: Any, space: Any
) -> TableBenchmark:
    repeats = jax.random.randint(many_key, (), 1, REPEATS + 1, jnp.int32)
    noise = jax.random.normal(noise_key, drawn.truth.shape, jnp.float32)
    val = drawn.truth + drawn.deviation / jnp.sqrt(repeats.astype(jnp.float32)) * noise
    return table_of(space, jnp.clip(val, 0.0, 1.0), drawn.truth)


@jax.jit
def _from_median(table: TableBenchmark) -> TableBenchmark:
    low = jnp.median(table.mean_test)
    width = table.optimum - low
    return table_of(table.space, (table.mean_val - low) / width, (table.mean_test - low) / width)


def table_of(space: Any, val: Float32[Array, " M"], truth: Float32[Array, " M"]) -> TableBenchmark:
    """What look-ups answer, and what is reported."""
    nothing = jnp.zeros_like(val)
    return TableBenchmark(
        space, val[:, None], truth[:, None], nothing[:, None], val, truth, nothing, truth.max(),
        "synthetic", "synthetic", None, MEAN, True, TEST, "", "", "",
    )  # fmt: skip


def is_inventive(benchmark: Any) -> bool:
    """Whether a benchmark draws others like it (`Inventive`)."""
    return bool(getattr(benchmark, "inventors", ()))


class Drawn(NamedTuple):
    """Tables over one space, one for each of some searches: `table_of` their rows."""

    space: Any
    val: Float32[Array, "searches M"]
    truth: Float32[Array, "searches M"]


def tables_for(benchmark: Any, keys: Key[Array, " searches"]) -> Any:
    """What searches with these keys are made on: the benchmark itself; of one that draws tables,
    one each, `Drawn` by the program that draws a benchmark's own, so that nothing more has to be
    compiled: it takes as long as all at once."""
    if not is_inventive(benchmark):
        return benchmark
    tables = [benchmark.judging(key) for key in keys]
    vals = jnp.stack([table.mean_val for table in tables])
    return Drawn(tables[0].space, vals, jnp.stack([table.mean_test for table in tables]))


@cache
def coded(space: str) -> Coded:
    """Of a space by the name that benchmarks have it in theirs."""
    found: Coded = jax.jit(partial(Coded.of, whole=True))(_space(space))
    return found


def _space(space: str) -> Any:
    if space == "nb101":
        return make_space(np.arange(SIZES["nb101"], dtype=np.int32), 5)
    return CellSpace(5 if space == "nb201" else 4)


def load(
    name: str,
    space: str,
    number: int,
    others: Sequence[str] = (),
    *,
    epochs: int | None = None,
    noise: NoiseLike = "mean",
    rho: float | None = None,
) -> InventedBenchmark:
    """Table `number` over a space, or its partner; see the family's `load`. Of a shorter budget
    than the longest: one that goes with it, with more noise. others: the spaces over which it draws
    others."""
    known = coded(space)
    epochs = BUDGETS[-1] if epochs is None else epochs
    key = jax.random.fold_in(keys.root(number, "synthetic"), [*SIZES].index(space))
    # Shorter trainings lean to a function of their own, a partner to the same one.
    alike = (1.0 if rho is None else rho) * ALIKE.get(epochs, 1.0)
    other = None if alike == 1 else jnp.float32(alike)
    found: Any = invent(key, known, Prior(), other)
    drawn = found if other is None else found[1]
    truth, deviation = np.asarray(drawn.truth), np.asarray(drawn.deviation)
    rng = keys.generator(number, "synthetic")
    repeats = truth[:, None] + deviation[:, None] * rng.standard_normal((len(truth), 2 * REPEATS))
    val, test = np.split(np.clip(repeats, 0, 1), 2, axis=1)
    # Invented too: an epoch takes the longer, the more operations there are.
    seconds = epochs * (1.0 + np.asarray(known.measured[:, :1])) * np.ones_like(val)
    made: InventedBenchmark = InventedBenchmark.of(
        known.space, val, test, seconds, name=name, family="synthetic",
        epochs=epochs, noise=noise, about=f"{name} is invented: nobody trained anything",
    )  # fmt: skip
    return replace(made, inventors=tuple(Inventor(coded(each)) for each in others))
