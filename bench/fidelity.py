"""A benchmark at several training budgets: what a look at one of them answers, and whether a longer
training goes on with a shorter one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import Arch, QueryResult
from rlnas.bench.errors import UserError

GOES_ON = "checkpoints of one training: to go on costs the difference"
APART = "each a training of its own: it costs the whole"

ESTIMATED = "what shorter ones took is not known: their share of the epochs"


class Budgets(NamedTuple):
    """What an agent knows of the fidelities before it asks. epochs: ascending; a fidelity is a
    place in it. continues: whether a longer training goes on with a shorter one. estimated: whether
    what shorter ones took is not known, and taken to be their share of the epochs."""

    epochs: tuple[int, ...]
    continues: bool = False
    estimated: bool = False

    @property
    def top(self) -> int:
        """The fidelity of the whole training."""
        return len(self.epochs) - 1

    @property
    def caption(self) -> str:
        """As `rlnas bench info` says it."""
        if len(self.epochs) == 1:
            return f"{self.epochs[0]} epochs alone"
        steps = {b - a for a, b in zip(self.epochs, self.epochs[1:], strict=False)}
        every = len(self.epochs) > 4 and steps == {1}
        listed = f"{self.epochs[0]} to {self.epochs[-1]}" if every else ", ".join(
            map(str, self.epochs)
        )  # fmt: skip
        guess = f"; {ESTIMATED}" if self.estimated else ""
        return f"{listed} epochs, {GOES_ON if self.continues else APART}{guess}"


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
