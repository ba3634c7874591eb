"""What all spaces share whose architectures are rows with listed neighbours."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32, Key

from rlnas.bench.draw import draw


class NeighbourLists:
    """Rows 0..M-1. A derived pytree has offsets, int32 [M + 1], and flat, int32 [E]: the neighbours
    of row i are flat[offsets[i] : offsets[i + 1]]."""

    offsets: Any
    flat: Any

    arch_shape = ()

    @property
    def size(self) -> int:
        return int(self.offsets.shape[-1]) - 1

    def sample(self, key: Key[Array, ""]) -> Int32[Array, ""]:
        """A row, uniformly."""
        return jax.random.randint(key, (), 0, self.size, jnp.int32)

    def contains(self, arch: Int32[Array, ""]) -> Bool[Array, ""]:
        return (arch >= 0) & (arch < self.size)

    def index(self, arch: Int32[Array, ""]) -> Int32[Array, ""]:
        """The row itself; -1 for one that is not there."""
        return jnp.where((arch >= 0) & (arch < self.size), arch, -1)

    def at(self, index: Int32[Array, ""]) -> Int32[Array, ""]:
        return index

    def degree(self, arch: Int32[Array, ""]) -> Int32[Array, ""]:
        return self.offsets[arch + 1] - self.offsets[arch]

    def neighbour(self, arch: Int32[Array, ""], index: Int[Array, "*n"]) -> Int32[Array, "*n"]:
        return self.flat[self.offsets[arch] + index]

    def neighbours(
        self, key: Key[Array, ""], arch: Int32[Array, ""], n: int
    ) -> tuple[Int32[Array, " n"], Bool[Array, " n"]]:
        index, mask = draw(key, self.degree(arch), n)
        return jnp.where(mask, self.neighbour(arch, index), arch), mask
