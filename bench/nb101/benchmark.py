"""A table of NAS-Bench-101 cells as a `Benchmark`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from rlnas.bench.benchmark import QueryResult, parse_noise
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.space import CellSpace, make_space
from rlnas.bench.nb101.table import Table, find, repeat_mean


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TableBenchmark:
    """One budget (epochs) of a table with M cells and R repeats, under one noise policy.

    val, test, seconds: float32 [M, R], NaN where there is no measurement; `mean` is over the
    repeats present.
    """

    space: CellSpace
    val: Float32[Array, "M R"]
    test: Float32[Array, "M R"]
    seconds: Float32[Array, "M R"]
    mean_val: Float32[Array, " M"]
    mean_test: Float32[Array, " M"]
    mean_seconds: Float32[Array, " M"]
    optimum: Float32[Array, ""]
    name: str = field(metadata={"static": True})
    epochs: int = field(metadata={"static": True})
    noise: str = field(metadata={"static": True})
    reports: str = field(metadata={"static": True})
    sha256: str = field(metadata={"static": True})

    def query(self, arch: Int32[Array, ""], key: Key[Array, ""]) -> QueryResult:
        """Look a row up; a row outside the table, or one without a value, is answered by `valid`
        False and NaN."""
        rows, repeats = self.val.shape
        policy = parse_noise(self.noise, repeats)
        inside = (arch >= 0) & (arch < rows)
        row = jnp.clip(arch, 0, rows - 1)
        if policy == -1:
            val, test, seconds = self.mean_val[row], self.mean_test[row], self.mean_seconds[row]
        else:
            # Only repeats that were measured are drawn, each equally likely.
            odds = jnp.where(jnp.isnan(self.val[row]), -jnp.inf, 0.0)
            repeat = jax.random.categorical(key, odds) if policy == -2 else jnp.int32(policy)
            val, test, seconds = (
                self.val[row, repeat],
                self.test[row, repeat],
                self.seconds[row, repeat],
            )
        valid = inside & ~jnp.isnan(val)
        nan = jnp.float32(jnp.nan)
        val, test, seconds = (jnp.where(valid, x, nan) for x in (val, test, seconds))
        return QueryResult(val, test, seconds, valid)

    def reported(self, arch: Int32[Array, ""]) -> Float32[Array, ""]:
        values = self.mean_val if self.reports == "validation accuracy" else self.mean_test
        rows = values.shape[0]
        inside = (arch >= 0) & (arch < rows)
        return jnp.where(inside, values[jnp.clip(arch, 0, rows - 1)], jnp.nan)

    def lookup(self, cell: Cell, key: Key[Array, ""] | None = None) -> QueryResult:
        """Python side: look a cell up in any isomorphic form. Raises `UserError` with the reason
        when it cannot be."""
        if self.noise == "sample" and key is None:
            raise UserError(
                "noise policy 'sample' draws a repeat, but no key was given; pass a jax.random.key"
            )
        row = self.space.row(cell)
        result = self.query(jnp.int32(row), jax.random.key(0) if key is None else key)
        if not result.valid:
            raise UserError(
                f"cell {self.space.format(row)} has no value at {self.epochs} epochs under noise "
                f"{self.noise!r} in "
                f"{self.name}; choose another budget or noise policy (`rlnas bench info "
                f"{self.name}`)"
            )
        return result

    def restrict(self, places: np.ndarray) -> TableBenchmark:
        """The benchmark of some of the rows (ascending): the others, and the ways through them, are
        gone."""
        space = make_space(
            np.asarray(self.space.rows)[places], int(self.space.num_vertices()[places].max())
        )
        names = ("val", "test", "seconds", "mean_val", "mean_test", "mean_seconds")
        columns = {name: getattr(self, name)[places] for name in names}
        best = jnp.nanmax(
            columns["mean_val" if self.reports == "validation accuracy" else "mean_test"]
        )
        return replace(self, space=space, optimum=best, **columns)

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "epochs": self.epochs,
            "noise": self.noise,
            "reports": self.reports,
            "cells": int(self.space.size),
            "repeats": int(self.val.shape[1]),
            "optimum": float(self.optimum),
            "sha256": self.sha256,
        }


def from_table(
    table: Table, *, epochs: int | None = None, noise: str = "mean", sha256: str = ""
) -> TableBenchmark:
    """The benchmark of one budget of `table` (default: the largest). `UserError` for a budget it
    lacks."""
    budgets = [int(e) for e in table.epochs]
    epochs = budgets[-1] if epochs is None else epochs
    if epochs not in budgets:
        raise UserError(f"no budget of {epochs} epochs in {table.name}; expected one of {budgets}")
    parse_noise(noise, table.val.shape[2])
    column = budgets.index(epochs)
    val, test, seconds = (
        np.asarray(x[:, column], np.float32) for x in (table.val, table.test, table.seconds)
    )
    if np.isnan(val).all():
        raise UserError(
            f"{table.name} has no validation accuracy at {epochs} epochs; choose one of {budgets}"
        )
    means = [repeat_mean(x).astype(np.float32) for x in (val, test, seconds)]
    reports = "validation accuracy" if np.isnan(test).all() else "test accuracy"
    return TableBenchmark(
        space=make_space(np.asarray(table.row), table.meta["max_vertices"]),
        val=jnp.asarray(val),
        test=jnp.asarray(test),
        seconds=jnp.asarray(seconds),
        mean_val=jnp.asarray(means[0]),
        mean_test=jnp.asarray(means[1]),
        mean_seconds=jnp.asarray(means[2]),
        optimum=jnp.asarray(np.nanmax(means[0] if reports == "validation accuracy" else means[1])),
        name=table.name,
        epochs=epochs,
        noise=noise,
        reports=reports,
        sha256=sha256,
    )


def load(name_or_path: str, *, epochs: int | None = None, noise: str = "mean") -> TableBenchmark:
    """Open a table by name (embedded or converted) or by path."""
    from rlnas.bench.files import sha256

    path: Path = find(name_or_path)
    return from_table(Table.load(path), epochs=epochs, noise=noise, sha256=sha256(path))
