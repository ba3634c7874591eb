"""Benchmarks that declare objectives, and the costs of their architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32

from rlnas.bench.benchmark import Arch
from rlnas.bench.errors import UserError
from rlnas.bench.objectives import ACCURACY, Objective, Range, canonical


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
        name = canonical(name)
        if name not in there:
            raise UserError(
                f"{benchmark.name} has no objective {name!r}; expected one of {', '.join(there)} "
                "(`rlnas bench add-columns` adds others to a table)"
            )
        found.append(there[name])
    return tuple(found)
