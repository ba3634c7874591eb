"""What is known of an architecture besides its accuracy: declared by a benchmark, looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from rlnas.bench.benchmark import Arch
from rlnas.bench.errors import UserError

MOST_OBJECTIVES = 8
"""Accuracy among them: agents that read them have places for so many."""


@dataclass(frozen=True)
class Objective:
    """One number of an architecture. unit: "" for a count. about: of what, for captions."""

    name: str
    unit: str = ""
    direction: Literal["min", "max"] = "min"
    about: str = ""

    @property
    def title(self) -> str:
        """With its unit, as axes and tables name it."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def sign(self) -> float:
        """What values are multiplied by, so that less is better."""
        return 1.0 if self.direction == "min" else -1.0


ACCURACY = Objective("accuracy", "fraction", "max", "validation accuracy, as queries answer it")
PARAMS = Objective("params", about="trainable parameters")
FLOPS = Objective("flops", about="operations for one image")
SECONDS = Objective("seconds", "s", about="of one training")
ALIASES = {"parameters": "params", "trainable_params": "params", "time": "seconds"}


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value in the space, in the objective's own direction."""

    low: float
    high: float


@runtime_checkable
class Costs(Protocol):
    """Costs of architectures: a pytree, jit- and vmap-safe."""

    def __call__(self, arch: Arch) -> Float32[Array, " n"]:
        """NaN where a cost is not known."""


@runtime_checkable
class Multiobjective(Protocol):
    """A benchmark that declares objectives."""

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """All there are, accuracy first."""

    def costs(self, names: Sequence[str]) -> tuple[Costs, tuple[Range, ...]]:
        """Those of these names (accuracy is none of them), in their order, and their ranges."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ColumnCosts:
    """Costs in columns, of an `Indexed` space. values: float32 [M, n]."""

    space: Any
    values: Float32[Array, "M n"]

    def __call__(self, arch: Arch) -> Float32[Array, " n"]:
        row = self.space.index(arch)
        inside = (row >= 0) & (row < self.values.shape[0])
        found = self.values[jnp.clip(row, 0, self.values.shape[0] - 1)]
        return jnp.where(inside, found, jnp.float32(jnp.nan))


def of_columns(space: Any, columns: Sequence[np.ndarray]) -> tuple[Costs, tuple[Range, ...]]:
    """Costs and ranges of columns [M]."""
    values = np.stack([np.asarray(column, np.float32) for column in columns], axis=1)
    ranges = tuple(Range(float(np.nanmin(x)), float(np.nanmax(x))) for x in values.T)
    return ColumnCosts(space, jnp.asarray(values)), ranges


def declared(benchmark: Any) -> tuple[Objective, ...]:
    """The objectives of any benchmark; accuracy alone, where it declares none."""
    if isinstance(benchmark, Multiobjective):
        return tuple(benchmark.objectives)
    return (ACCURACY,)


def named(benchmark: Any, names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of these names; `UserError` for one that the benchmark lacks."""
    there = {objective.name: objective for objective in declared(benchmark)}
    found = []
    for name in names:
        name = ALIASES.get(name, name)
        if name not in there:
            raise UserError(
                f"{benchmark.name} has no objective {name!r}; expected one of {', '.join(there)} "
                "(`rlnas bench add-columns` adds others to a table)"
            )
        found.append(there[name])
    return tuple(found)


def canonical(name: str) -> str:
    """Our name for an objective, by any of its names."""
    return ALIASES.get(name, name)


@dataclass(frozen=True)
class Column:
    """A column of costs with what it is, as tables hold it."""

    objective: Objective
    values: np.ndarray = field(compare=False)
