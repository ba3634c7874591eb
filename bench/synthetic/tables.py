"""Invented tables as benchmarks: an endless supply of them, and single ones by number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from rlnas.bench.coded import Coded
from rlnas.bench.noise import MEAN
from rlnas.bench.synthetic.landscape import Prior, invent
from rlnas.bench.table_benchmark import TEST, TableBenchmark


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Inventor:
    """Draws tables over the architectures of one space. coded: of that space."""

    coded: Coded
    prior: Prior = field(default=Prior(), metadata={"static": True})

    def draw(self, key: Key[Array, ""]) -> TableBenchmark:
        """A table. What is reported, and the optimum, is the truth; what look-ups answer is a mean
        of one to three repeats. jit- and vmap-safe."""
        table_key, noise_key, many_key = jax.random.split(key, 3)
        drawn: Any = invent(table_key, self.coded, self.prior)
        repeats = jax.random.randint(many_key, (), 1, 4, jnp.int32).astype(jnp.float32)
        noise = jax.random.normal(noise_key, drawn.truth.shape, jnp.float32)
        val = drawn.truth + drawn.deviation / jnp.sqrt(repeats) * noise
        val = jnp.clip(val, 0.0, 1.0)
        nothing = jnp.zeros_like(val)
        return TableBenchmark(
            self.coded.space, val[:, None], drawn.truth[:, None], nothing[:, None], val,
            drawn.truth, nothing, drawn.truth.max(), "synthetic", "synthetic", None, MEAN, True,
            TEST, "", "", "",
        )  # fmt: skip
