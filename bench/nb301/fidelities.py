"""YAHPO's network at all its epochs: the learning curves of NAS-Bench-301 as fidelities."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int, Key

from rlnas.bench.benchmark import QueryResult
from rlnas.bench.budgets import Budgets
from rlnas.bench.nb301.benchmark import SurrogateBenchmark
from rlnas.bench.nb301.yahpo import bias_at


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class CurveFidelities:
    """A `Fidelities`, one an epoch. The curves are those of single trainings, so that to go on
    costs the difference; its network predicts some 340 s for any of the first epochs.

    biases: the first layer's at each epoch; all else is the same at all of them.
    """

    benchmark: SurrogateBenchmark
    biases: Float32[Array, "fidelities hidden"]
    budgets: Budgets = field(metadata={"static": True})

    @classmethod
    def of(
        cls, benchmark: SurrogateBenchmark, arrays: dict[str, np.ndarray], epochs: range
    ) -> CurveFidelities:
        """benchmark: at the last of `epochs`. arrays: as `rlnas.bench.nb301.yahpo.build` takes
        them."""
        biases = np.stack([bias_at(arrays, epoch) for epoch in epochs])
        return cls(benchmark, jnp.asarray(biases), Budgets(tuple(epochs), continues=True))

    def query(
        self, arch: Int[Array, " 22"], fidelity: Int[Array, ""], key: Key[Array, ""]
    ) -> QueryResult:
        model = replace(self.benchmark.model, first_bias=self.biases[fidelity])
        return replace(self.benchmark, model=model).query(arch, key)
