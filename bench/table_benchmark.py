"""Measured accuracies, an array a repeat, as a `Benchmark` over any space that numbers its
architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import Arch, Operations, QueryResult, Sizes
from rlnas.bench.errors import UserError
from rlnas.bench.lookup import key_for
from rlnas.bench.multiobjective import Costs, of_columns
from rlnas.bench.noise import Noise, NoiseLike
from rlnas.bench.objectives import (
    ACCURACY,
    FLOPS,
    PARAMS,
    SECONDS,
    Column,
    Objective,
    Range,
)
from rlnas.bench.repeats import repeat_cost, repeat_mean

TEST, VALIDATION = "test accuracy", "validation accuracy"


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TableBenchmark:
    """M architectures with R repeats at one training budget, under one noise policy.

    space: an `Indexed` space; architecture number i is row i. val, test, seconds: float32 [M, R],
    NaN where there is no measurement; a mean is over the repeats present, and all_seconds is what
    they took together. by_test: whether `reported` is the mean test value, else the mean validation
    value. reports: its name in captions. about: a sentence for captions, "" for the usual one.
    values: what a value is where it is no single training, e.g. `max-of-3`. columns: float32
    [M, C], costs that the table holds, one of `column_objectives` each.
    """

    space: Any
    val: Float32[Array, "M R"]
    test: Float32[Array, "M R"]
    seconds: Float32[Array, "M R"]
    mean_val: Float32[Array, " M"]
    mean_test: Float32[Array, " M"]
    all_seconds: Float32[Array, " M"]
    optimum: Float32[Array, ""]
    name: str = field(metadata={"static": True})
    family: str = field(metadata={"static": True})
    epochs: int | None = field(metadata={"static": True})
    noise: Noise = field(metadata={"static": True})
    by_test: bool = field(metadata={"static": True})
    reports: str = field(metadata={"static": True})
    sha256: str = field(metadata={"static": True})
    about: str = field(metadata={"static": True})
    values: str = field(metadata={"static": True})
    columns: Float32[Array, "M C"] | None = None
    column_objectives: tuple[Objective, ...] = field(default=(), metadata={"static": True})

    distilled = ""

    @classmethod
    def of(
        cls,
        space: Any,
        val: np.ndarray,
        test: np.ndarray,
        seconds: np.ndarray,
        *,
        name: str,
        family: str,
        epochs: int | None,
        noise: NoiseLike = "mean",
        reports: str = "",
        sha256: str = "",
        about: str = "",
        values: str = "",
        columns: Sequence[Column] = (),
    ) -> Any:
        """Of measurements [M, R], NaN where unknown. reports: "" says accuracy. Without a single
        test value the validation values are reported. columns: [M] each. `UserError` without any
        validation value, or for a repeat there is not."""
        noise = Noise.parse(noise)
        noise.check(val.shape[1], name)
        if noise.only:
            val, test, seconds = (x[:, list(noise.only)] for x in (val, test, seconds))
        if np.isnan(val).all():
            raise UserError(f"{name} has no validation accuracy at {epochs} epochs; choose another")
        by_test = not np.isnan(test).all()
        measured = [np.asarray(values, np.float32) for values in (val, test, seconds)]
        means = [repeat_mean(values).astype(np.float32) for values in measured[:2]]
        held = [np.asarray(column.values, np.float32) for column in columns]
        return cls(
            space=space,
            val=jnp.asarray(measured[0]),
            test=jnp.asarray(measured[1]),
            seconds=jnp.asarray(measured[2]),
            mean_val=jnp.asarray(means[0]),
            mean_test=jnp.asarray(means[1]),
            all_seconds=jnp.asarray(repeat_cost(seconds, val), jnp.float32),
            optimum=jnp.asarray(np.nanmax(means[1] if by_test else means[0])),
            name=name,
            family=family,
            epochs=epochs,
            noise=noise,
            by_test=by_test,
            reports=reports or (TEST if by_test else VALIDATION),
            sha256=sha256,
            about=about,
            values=values,
            columns=jnp.asarray(np.stack(held, axis=1)) if held else None,
            column_objectives=tuple(column.objective for column in columns),
        )

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Accuracy, what the space computes, seconds where they are known, the table's columns."""
        found = {ACCURACY.name: ACCURACY}
        found |= {PARAMS.name: PARAMS} if isinstance(self.space, Sizes) else {}
        found |= {FLOPS.name: FLOPS} if isinstance(self.space, Operations) else {}
        known = bool(jnp.isfinite(self.seconds).any() & (self.seconds > 0).any())
        found |= {SECONDS.name: SECONDS} if known else {}
        return tuple((found | {column.name: column for column in self.column_objectives}).values())

    def costs(self, names: Sequence[str]) -> tuple[Costs, tuple[Range, ...]]:
        """See `rlnas.bench.multiobjective.Multiobjective`."""
        return of_columns(self.space, [self._column(name) for name in names])

    def _column(self, name: str) -> np.ndarray:
        held = [column.name for column in self.column_objectives]
        if name in held:
            return np.asarray(self.columns)[:, held.index(name)]
        if name == PARAMS.name:
            return np.asarray(self.space.trainable_parameters())
        if name == FLOPS.name:
            return np.asarray(self.space.operations())
        return repeat_mean(np.asarray(self.seconds))

    def query(self, arch: Arch, key: Key[Array, ""]) -> QueryResult:
        """Look an architecture up; one outside the space, or without a value, is answered by
        `valid` False and NaN."""
        inside, row = self._row(arch)
        if self.noise.kind == "mean":
            val, test, seconds = self.mean_val[row], self.mean_test[row], self.all_seconds[row]
        else:
            if self.noise.kind == "repeat":
                repeat = jnp.int32(self.noise.repeat)
            else:  # only repeats that were measured are drawn, each equally likely
                odds = jnp.where(jnp.isnan(self.val[row]), -jnp.inf, jnp.float32(0))
                repeat = jax.random.categorical(key, odds)
            val, test, seconds = (x[row, repeat] for x in (self.val, self.test, self.seconds))
        valid = inside & ~jnp.isnan(val)
        nan = jnp.float32(jnp.nan)
        val, test, seconds = (jnp.where(valid, x, nan) for x in (val, test, seconds))
        return QueryResult(val, test, seconds, valid)

    def reported(self, arch: Arch) -> Float32[Array, ""]:
        inside, row = self._row(arch)
        return jnp.where(inside, (self.mean_test if self.by_test else self.mean_val)[row], jnp.nan)

    def answer(self, arch: Arch, key: Any = None, at: str = "", advice: str = "") -> QueryResult:
        """Python side: `query`, but `UserError` where there is no value, or no key to draw a
        repeat with. at, advice: said of the first."""
        result = self.query(arch, key_for(self.noise, key))
        if not result.valid:
            raise UserError(
                f"cell {self.space.format(arch)} has no value{at} under noise '{self.noise}' in "
                f"{self.name}; {advice}"
            )
        return result

    def _row(self, arch: Arch) -> tuple[Any, Int[Array, ""]]:
        """(whether `arch` is in the table, its row or a wrong one)."""
        row, rows = self.space.index(arch), self.mean_val.shape[0]
        return (row >= 0) & (row < rows), jnp.clip(row, 0, rows - 1)

    def part(self, space: Any, places: np.ndarray) -> Any:
        """The benchmark of the rows `places`, which `space` numbers in that order; its optimum is
        theirs."""
        names = ["val", "test", "seconds", "mean_val", "mean_test", "all_seconds"]
        names += [] if self.columns is None else ["columns"]
        columns = {name: getattr(self, name)[places] for name in names}
        best = jnp.nanmax(columns["mean_test" if self.by_test else "mean_val"])
        return replace(self, space=space, optimum=best, **columns)

    def describe(self) -> dict[str, Any]:
        facts = {
            "name": self.name,
            "family": self.family,
            "epochs": self.epochs,
            "noise": str(self.noise),
            "reports": self.reports,
            "cells": int(self.space.size),
            "repeats": int(self.val.shape[1]),
            "optimum": float(self.optimum),
            "sha256": self.sha256,
        }
        if self.values and facts["repeats"] == 1:
            facts["repeats"] = None  # what is one value here was several trainings
        said = {"about": self.about, "values": self.values}
        return facts | {key: text for key, text in said.items() if text}
