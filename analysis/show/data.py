"""What is known of an architecture, and of those around it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas import bench
from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import Indexed
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned
from rlnas.bench.lists import values_of
from rlnas.bench.multiobjective import Multiobjective
from rlnas.bench.objectives import SECONDS, Objective, Range

DRAWN = 1000
"""Architectures that stand for a space that cannot be asked as a whole."""


ROWS = 8
"""Budgets that are looked up, at most."""


class Answer(NamedTuple):
    """A look-up at one budget. Fractions, and seconds of all trainings behind them."""

    epochs: int | None
    val: float
    test: float
    seconds: float


class Cost(NamedTuple):
    """One number besides the accuracy, and its range in the space."""

    objective: Objective
    value: float
    range: Range


class Values(NamedTuple):
    """Validation and reported accuracies of several architectures, fractions, NaN where unknown."""

    val: Float[np.ndarray, " n"]
    reported: Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Seen:
    """An architecture of a benchmark. text: in the family's form. number: in a table, else None.
    answers: by budget. everybody: of all architectures, or of `DRAWN` at random. near: the texts
    and the values of all neighbours."""

    benchmark: Any
    arch: Any
    text: str
    number: int | None
    answers: tuple[Answer, ...]
    costs: tuple[Cost, ...]
    own: Values
    everybody: Values
    near: tuple[str, ...]
    neighbours: Values

    @property
    def complete(self) -> bool:
        """Whether `everybody` is every architecture."""
        return self.number is not None

    @cached_property
    def kinds(self) -> dict[str, int]:
        """What is known of all of them: a name for tables -> the place in `Values`. What is
        reported is left out where it is the validation accuracy."""
        reports = str(self.benchmark.reports)
        if not reports.startswith("test "):
            return {reports: 0}
        return {f"validation {reports.removeprefix('test ')}": 0, reports: 1}


@pinned()
def look_up(cell: str, name: str, epochs: int | None) -> Seen:
    """`UserError` where the benchmark, its budget or the architecture is not there."""
    fidelities = bench.load_fidelities(name, epochs=epochs)
    benchmark, budgets = fidelities.benchmark, fidelities.budgets
    space = benchmark.space
    arch = parsed(space, cell, benchmark.name)
    key = jax.random.key(0)
    known = benchmark.epochs is not None
    answers = [
        Answer(
            budgets.epochs[i] if known else None,
            *_numbers(fidelities.query(arch, jnp.int32(i), key)),
        )
        for i in some(len(budgets.epochs))
    ]
    place = int(space.index(arch)) if isinstance(space, Indexed) else -1
    number = place if place >= 0 else None
    near = jax.vmap(lambda i: space.neighbour(arch, i))(
        jnp.arange(int(space.degree(arch)), dtype=jnp.int32)
    )
    return Seen(
        benchmark, arch, space.format(arch), number, tuple(answers), costs_of(benchmark, arch),
        of_all(benchmark, jnp.asarray(arch)[None]),
        everybody(benchmark, number is not None),
        tuple(space.format(near[i]) for i in range(len(near))), of_all(benchmark, near),
    )  # fmt: skip


def parsed(space: Any, cell: str, name: str) -> Any:
    """The architecture of a text, or of its number in a table; a number has no zero in front, as
    digits of a cell may have."""
    numbered = isinstance(space, Indexed) and cell.isdecimal() and str(int(cell)) == cell
    if numbered and int(cell) < int(space.size):
        return space.at(jnp.int32(int(cell)))
    try:
        return space.parse(cell)
    except UserError:
        if not numbered:
            raise
        raise UserError(
            f"{name} has no architecture number {shown(cell)}; expected 0 to {space.size - 1}, or "
            "the text of one"
        ) from None


def some(budgets: int) -> list[int]:
    """At most `ROWS` places, the first and the last among them, closer at the beginning."""
    if budgets <= ROWS:
        return list(range(budgets))
    return [int(i) - 1 for i in np.unique(np.geomspace(1, budgets, ROWS).round())]


def costs_of(benchmark: Any, arch: Any) -> tuple[Cost, ...]:
    """Everything the benchmark declares besides accuracy and seconds, which the answers have."""
    if not isinstance(benchmark, Multiobjective):
        return ()
    declared = [x for x in benchmark.objectives[1:] if x.name != SECONDS.name]
    if not declared:
        return ()
    costs, ranges = benchmark.costs([x.name for x in declared])
    values = np.asarray(costs(arch), np.float64).tolist()
    return tuple(map(Cost, declared, values, ranges))


def everybody(benchmark: Any, listed: bool) -> Values:
    """Of every architecture; or of some, drawn with a fixed key."""
    if listed:
        return Values(*(np.asarray(x, np.float64) for x in values_of(benchmark)))
    return of_all(benchmark, _drawn(benchmark.space))


@jax.jit
@pinned()
def _drawn(space: Any) -> Any:
    return jax.vmap(space.sample)(jax.random.split(jax.random.key(0), DRAWN))


def of_all(benchmark: Any, archs: Any) -> Values:
    """One look-up each."""
    return Values(*(np.asarray(x, np.float64) for x in _answers(benchmark, archs)))


@jax.jit
@pinned()
def _answers(benchmark: Any, archs: Any) -> Any:
    key = jax.random.key(0)

    def one(arch: Any) -> Any:
        return benchmark.query(arch, key).val, benchmark.reported(arch)

    return jax.lax.map(one, archs, batch_size=100)


def _numbers(result: Any) -> tuple[float, float, float]:
    return float(result.val), float(result.test), float(result.sim_seconds)
