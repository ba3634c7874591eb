"""A benchmark at several training budgets: what a look at one of them answers, and whether a longer
training goes on with a shorter one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import Arch, QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError


@runtime_checkable
class Fidelities(Protocol):
    """A benchmark whose architectures were trained for several budgets. A frozen pytree."""

    @property
    def benchmark(self) -> Any:
        """The `Benchmark` of the largest budget: what is reported, and from what regret is
        measured."""

    @property
    def budgets(self) -> Budgets:
        """Which there are."""

    def query(self, arch: Arch, fidelity: Int[Array, ""], key: Key[Array, ""]) -> QueryResult:
        """Look `arch` up after `budgets.epochs[fidelity]` epochs. sim_seconds: of that training
        from its beginning. Pure, jit- and vmap-safe."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SeveralBudgets:
    """`Fidelities` of one benchmark for each budget, of the same architectures: of tables."""

    benchmarks: tuple[Any, ...]
    budgets: Budgets = field(metadata={"static": True})

    @classmethod
    def of(cls, benchmarks: Any, continues: bool, estimated: bool = False) -> SeveralBudgets:
        """By ascending epochs; they share the space of the last."""
        epochs = tuple(benchmark.epochs or 1 for benchmark in benchmarks)
        top = benchmarks[-1]
        shared = (*(replace(one, space=top.space) for one in benchmarks[:-1]), top)
        return cls(shared, Budgets(epochs, continues, estimated))

    @property
    def benchmark(self) -> Any:
        return self.benchmarks[-1]

    def query(self, arch: Arch, fidelity: Int[Array, ""], key: Key[Array, ""]) -> QueryResult:
        answers = [benchmark.query(arch, key) for benchmark in self.benchmarks]
        if len(answers) == 1:
            return answers[0]
        found: QueryResult = jax.tree.map(lambda *each: jnp.stack(each)[fidelity], *answers)
        return found


def price(
    budgets: Budgets, result: QueryResult, paid: Float32[Array, ""] | float = 0.0
) -> Float32[Array, ""]:
    """Seconds that a look-up adds to what was `paid` for its architecture: the difference where
    trainings continue, nothing for what was passed already; the whole where not. 0 of what has no
    answer."""
    whole = result.sim_seconds
    cost = jnp.maximum(whole - paid, 0.0) if budgets.continues else whole
    return jnp.where(result.valid, cost, 0.0).astype(jnp.float32)


def check_fidelity(budgets: Budgets, epochs: int, name: str) -> int:
    """The fidelity of so many epochs; `UserError` where there is none."""
    if epochs not in budgets.epochs:
        raise UserError(f"no fidelity of {epochs} epochs in {name}; expected {budgets.caption}")
    return budgets.epochs.index(epochs)
