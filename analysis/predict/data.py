"""What is predicted: architectures with their values, and what is known of them without training a
predictor."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from rlnas import bench
from rlnas.analysis.predict import columns
from rlnas.bench.benchmark import Indexed
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import pinned

AT_ONCE = 1024
"""Architectures that are looked up, or coded, together."""


class Pool(NamedTuple):
    """Of one benchmark. archs: [N, ...]. vals: float64 [N], validation, fractions, all known.
    free: name -> float64 [N], NaN where there is none. about: what all this is made of,
    JSON-ready."""

    name: str
    space: Any
    archs: Any
    vals: Float[np.ndarray, " N"]
    free: dict[str, Float[np.ndarray, " N"]]
    about: dict[str, Any]


@pinned()
def pool_of(
    name: str,
    most: int,
    seed: int,
    *,
    epochs: Sequence[int] = (),
    file: Path | None = None,
    truth: str = "",
) -> Pool:
    """The architectures of a benchmark, `most` drawn ones where it has more, or those of `file`.
    epochs: smaller budgets to take as predictors; () as `smaller` chooses. truth: the column whose
    values stand for the benchmark's."""
    benchmark = bench.load(name)
    space = benchmark.space
    if file is not None:
        found = columns.read(file, space)
        archs, free = found.archs, dict(found.values)
    else:
        archs, free, found = drawn(space, most, seed), {}, None
    about = {"benchmark": benchmark.describe(), "pool": most, "columns": found and found.sha256}
    if truth:
        if truth not in free:
            raise UserError(
                f"--truth is {truth}; expected a column of --columns: {', '.join(free) or 'none'}"
            )
        vals = free.pop(truth)
        vals = vals / 100 if np.nanmax(vals) > 1.5 else vals
    else:
        vals = looked_up(benchmark, archs)
        for budget in smaller(bench.load_fidelities(name).budgets, epochs):
            free[f"{budget} epochs"] = looked_up(bench.load(name, epochs=budget), archs)
    known = np.isfinite(vals)
    free = {key: column[known] for key, column in free.items()}
    archs, vals = archs[known], vals[known]
    data = hashlib.sha256(np.asarray(archs).tobytes() + vals.tobytes()).hexdigest()
    about |= {"truth": truth, "free": list(free), "data": data}
    return Pool(name, space, archs, vals, free, about)


def drawn(space: Any, most: int, seed: int) -> Any:
    """All architectures, or `most` different ones."""
    if isinstance(space, Indexed):
        numbers = np.arange(space.size)
        if space.size > most:
            numbers = np.sort(np.random.default_rng(seed).choice(space.size, most, replace=False))
        return jax.vmap(space.at)(jnp.asarray(numbers, jnp.int32))
    found = jax.vmap(space.sample)(jax.random.split(jax.random.key(seed), most))
    rows = np.asarray(found).reshape(most, -1)
    return found[np.sort(np.unique(rows, axis=0, return_index=True)[1])]


def looked_up(benchmark: Any, archs: Any) -> Float[np.ndarray, " n"]:
    """Validation values, NaN where there is none."""

    @jax.jit
    def vals(benchmark: Any, archs: Any) -> Any:
        key = jax.random.key(0)
        return jax.lax.map(lambda arch: benchmark.query(arch, key).val, archs, batch_size=AT_ONCE)

    return np.asarray(vals(benchmark, archs), np.float64)


def smaller(budgets: Budgets, asked: Sequence[int]) -> list[int]:
    """The budgets below the largest that are asked for and there. Where none is asked for all of
    them, but of a learning curve, which knows every epoch, none."""
    if not asked and budgets.every_epoch:
        return []
    return [epochs for epochs in budgets.epochs[:-1] if not asked or epochs in asked]
