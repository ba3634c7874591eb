"""What every registered benchmark promises, alone and inside the MDP; a new one is tested by being
registered. And that the contract finds what is broken, with one line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import invented_cells
from rlnas import bench
from rlnas.bench.benchmark import QueryResult
from rlnas.bench.check import check_benchmark
from rlnas.bench.decisions import DigitDecisions
from rlnas.bench.errors import UserError
from rlnas.bench.stand_ins import (
    GridBenchmark,
    GridSpace,
    ListBenchmark,
    ListSpace,
    make,
    ring,
    scrambled,
)
from rlnas.bench.testing import BenchmarkContract, BrokenPromise, run_checks
from surrogates import invented_benchmark
from tables import small_benchmark

# What takes a file opens an invented one.
OPENED = {name: partial(bench.load, name) for name in bench.names()} | {
    "nb301": invented_benchmark,
    "nb201-cifar100": invented_cells,
    "part of nb201-cifar100": lambda noise="mean": invented_cells(noise).restrict(
        np.arange(0, 15_625, 7)
    ),
    "cells": small_benchmark,
    "part of the cells": partial(small_benchmark, rows=np.arange(0, 91, 2)),
}


@pytest.mark.parametrize("name", sorted(OPENED))
class TestRegistered(BenchmarkContract):
    @pytest.fixture(autouse=True)
    def named(self, name: str) -> None:
        self.load = OPENED[name]


def one_answer(benchmark: Any, noise: str) -> Any:
    """A `load(noise)` of what has one answer only."""
    if noise != "mean":
        raise UserError("it has one answer only")
    return benchmark


@pytest.mark.long
@pytest.mark.parametrize(
    "benchmark", [GridBenchmark(), scrambled(120, 4), scrambled(120, 4, missing=0.3)]
)
def test_the_made_up_ones_keep_it(benchmark: Any) -> None:
    contract = BenchmarkContract()
    contract.load = partial(one_answer, benchmark)
    found = dict(run_checks(contract))
    assert len(found) == 13 and set(found.values()) == {""}


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Percent(GridBenchmark):
    def reported(self, arch: Any) -> Any:
        return super().reported(arch) * 100


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Peeking(GridBenchmark):
    def reported(self, arch: Any) -> Any:
        return super().reported(arch) + 0.01

    def query(self, arch: Any, key: Any) -> QueryResult:
        value = super().reported(arch)
        return QueryResult(value, value, jnp.float32(1.0), ~jnp.isnan(value))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Everywhere(GridBenchmark):
    def reported(self, arch: Any) -> Any:
        return jnp.float32(0.5) + 0 * arch.sum()


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Optimistic(GridBenchmark):
    @property
    def optimum(self) -> Any:
        return jnp.float32(0.1)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Whole(ListBenchmark):
    """A part of it keeps the optimum of the whole."""

    def restrict(self, places: Any) -> Any:
        part = make([[i] for i in range(len(places))], np.asarray(self.val)[places])
        return Said(part.space, part.val, part.test)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Said(ListBenchmark):
    optimum = jnp.float32(0.99)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Misnumbered(ListSpace):
    def at(self, index: Any) -> Any:
        return self.size - 1 - index


RING = ring(np.linspace(0.1, 0.9, 9))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Stuck(GridSpace):
    def neighbour(self, arch: Any, index: Any) -> Any:
        return super().neighbour(arch, index * 0)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Blind(GridSpace):
    def encode(self, arch: Any) -> Any:
        return arch // 2


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Illiterate(GridSpace):
    def parse(self, text: str) -> Any:
        return super().parse(text[::-1])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Incomplete(GridSpace):
    decisions = DigitDecisions.chain(4, 2)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Exceeding(GridSpace):
    decisions = DigitDecisions.chain(4, 4)


FAULTS = {
    "Accuracies": (Percent(), "val is from "),
    "What is reported": (Peeking(), "reported against test: 64 of 64 differ"),
    "What is not in the space": (Everywhere(), "it answered QueryResult"),
    "What is reported is the": (Optimistic(), "is above optimum 0.1"),
    "Neighbours": (GridBenchmark(Stuck()), "a neighbour comes twice, or is itself"),
    "Neighbours are": (GridBenchmark(Blind()), " architectures have "),
    "Where it can be cut": (
        Whole(RING.space, RING.val, RING.test),
        "optimum of the part: 1 of 1 differ",
    ),
    "Where architectures have numbers": (
        ListBenchmark(Misnumbered(*jax.tree.leaves(RING.space), 2), RING.val, RING.test),
        "architecture number ",
    ),
    "Where architectures are built": (
        GridBenchmark(Incomplete()),
        "a choice of a `sequence` is not allowed",
    ),
    "Where architectures are": (
        GridBenchmark(Exceeding()),
        "allowed choices build what is not in the space",
    ),
    "The text": (GridBenchmark(Illiterate()), "parse('"),
}


@pytest.mark.parametrize("said", FAULTS)
def test_the_contract_finds(said: str) -> None:
    benchmark, reason = FAULTS[said]
    contract = BenchmarkContract()
    contract.load = partial(one_answer, benchmark)
    (found,) = [why for what, why in run_checks(contract) if what.startswith(said)]
    assert reason in found and "\n" not in found


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Undeclared(GridBenchmark):
    label: str = "a text"


class Unregistered(GridBenchmark):
    pass


def without(name: str, space: Any = GridSpace()) -> Any:  # noqa: B008
    """A benchmark like `GridBenchmark` that lacks one member."""
    members = {k: v for k, v in vars(GridBenchmark).items() if k != name and k[:2] != "__"}
    return type("Lacking", (), members | {"space": space})()


def said(**facts: Any) -> Any:
    """A benchmark whose members are replaced."""
    return jax.tree_util.register_dataclass(
        dataclass(frozen=True)(type("Said", (GridBenchmark,), facts))
    )()


def described(**facts: Any) -> Any:
    """A benchmark with other facts."""
    return said(describe=lambda self: GridBenchmark.describe(self) | facts)


UNDECLARED = {
    "no reports; expected it as in rlnas.bench.Benchmark": without("reports"),
    "no space.arch_shape; expected it as in rlnas.bench.SearchSpace": without("", space=3),
    "its field .label is str data; expected a static field, field(metadata=": Undeclared(),
    "Unregistered is no pytree; expected a dataclass under jax.": Unregistered(),
    "describe() says no 'sha256'; expected at least name, ": said(
        describe=lambda self: {"name": "", "family": "", "epochs": 1, "noise": "", "reports": ""}
    ),
    "describe() is not ready for JSON": described(best=np.float32(1)),
    "describe() says noise 'sample'; expected 'mean'": described(noise="sample"),
    "name is 3; expected str": said(name=3),
    "noise is 'mean'; expected Noise": said(noise="mean"),
    "query gives tuple; expected a QueryResult": said(query=lambda self, arch, key: (1, 2)),
    "query's val gives float32 [4]; expected floating []": said(
        reported=lambda self, arch: arch * 1.0
    ),
    "query cannot be traced by jax (TracerBoolConversionError": said(
        reported=lambda self, arch: 1.0 if arch[0] > 1 else 0.0
    ),
    "query's valid gives int32 []; expected bool": said(
        query=lambda self, arch, key: GridBenchmark.query(self, arch, key)._replace(
            valid=jnp.int32(1)
        )
    ),
}


@pytest.mark.parametrize("reason", UNDECLARED)
def test_what_a_benchmark_must_say_is_checked_in_one_line(reason: str) -> None:
    with pytest.raises(UserError) as caught:
        check_benchmark(UNDECLARED[reason])
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_the_complete_one_passes() -> None:
    check_benchmark(GridBenchmark())


def test_a_contract_without_a_benchmark_says_so() -> None:
    reasons = [why for _, why in run_checks(BenchmarkContract())]
    assert all("give the contract a `load(noise)`" in why for why in reasons)
    assert issubclass(BrokenPromise, AssertionError)
