"""Some architectures of a space that lists all its neighbours, as a space."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int32, Key

from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import Arch, Decisions
from rlnas.bench.draw import draw
from rlnas.bench.errors import UserError


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PartSpace:
    """M of the N architectures of `full`, and the moves between them. They look as they do there
    and are numbered anew, in the same order.

    rows: int32 [M], ascending, their numbers in `full`. places: int32 [N], numbers here, -1 for
    those that are gone. offsets, flat: the neighbour lists (`Listed`), in the order of `full`'s.
    """

    full: Any
    rows: Int32[Array, " M"]
    places: Int32[Array, " N"]
    offsets: Int32[Array, " bounds"]
    flat: Int32[Array, " E"]
    max_degree: int = field(metadata={"static": True})

    @classmethod
    def of(cls, space: Any, rows: np.ndarray) -> Any:
        """The architectures number `rows` (ascending) of a `Listed` space, or of a part of one."""
        if isinstance(space, PartSpace):
            space, rows = space.full, np.asarray(space.rows)[rows]
        places = np.full(space.size, -1, np.int32)
        places[rows] = np.arange(len(rows), dtype=np.int32)
        bounds = np.asarray(space.offsets)
        source = np.repeat(places, np.diff(bounds))
        target = places[np.asarray(space.flat)[: bounds[-1]]]
        inside = (source >= 0) & (target >= 0)
        degree = np.bincount(source[inside], minlength=len(rows))
        return cls(
            space,
            jnp.asarray(rows, jnp.int32),
            jnp.asarray(places),
            jnp.asarray(np.concatenate([[0], np.cumsum(degree)]), jnp.int32),
            jnp.asarray(np.append(target[inside], 0), jnp.int32),  # a gather needs an element
            max(1, int(degree.max())),
        )

    @property
    def size(self) -> int:
        return int(self.rows.shape[0])

    @property
    def whole(self) -> int:
        return int(self.full.size)

    @property
    def arch_shape(self) -> tuple[int, ...]:
        return tuple(self.full.arch_shape)

    @property
    def num_features(self) -> int:
        return int(self.full.num_features)

    def sample(self, key: Key[Array, ""]) -> Arch:
        return self.at(jax.random.randint(key, (), 0, self.size, jnp.int32))

    def at(self, index: Int[Array, ""] | int) -> Arch:
        return self.full.at(self.rows[index])

    def index(self, arch: Arch) -> Int32[Array, ""]:
        number = self.full.index(arch)
        return jnp.where(number < 0, -1, self.places[number])

    def contains(self, arch: Arch) -> Bool[Array, ""]:
        """Of the space it is a part of."""
        found: Bool[Array, ""] = self.full.contains(arch)
        return found

    def degree(self, arch: Arch) -> Int32[Array, ""]:
        place = self.index(arch)
        return self.offsets[place + 1] - self.offsets[place]

    def neighbour(self, arch: Arch, index: Int[Array, ""]) -> Arch:
        return self.at(self.flat[self.offsets[self.index(arch)] + index])

    def neighbours(self, key: Key[Array, ""], arch: Arch, n: int) -> tuple[Arch, Bool[Array, " n"]]:
        index, mask = draw(key, self.degree(arch), n)
        archs = jax.vmap(self.neighbour, (None, 0))(arch, index)
        return jnp.where(mask.reshape(-1, *[1] * len(self.arch_shape)), archs, arch), mask

    def encode(self, arch: Arch) -> Any:
        return self.full.encode(arch)

    @property
    def decisions(self) -> Decisions:
        """Those of `full`: what they build may not be here."""
        return self.full.decisions

    def parse(self, text: Any) -> Arch:
        arch = self.full.parse(text)
        if int(self.index(arch)) < 0:
            raise UserError(
                f"found {shown(text)}, which is not among the {self.size:,} architectures of this "
                "part; choose one that is"
            )
        return arch

    def format(self, arch: Any) -> str:
        return str(self.full.format(arch))
