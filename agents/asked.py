"""Which architectures a search has asked: one bit each where they are numbered, else fingerprints
of the latest."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

from rlnas.bench.benchmark import Arch, Indexed, SearchSpace

MOST = 1 << 20
"""Numbered spaces up to this size have a bit for every architecture: 128 KiB a search."""

PLACES = 512
"""Of other spaces so many of the latest queries are remembered."""


class Latest(NamedTuple):
    """prints: `fingerprint`s; number t lies in column t % places until t + places replaces it.
    queries: how many there were."""

    prints: UInt32[Array, "2 places"]
    queries: Int32[Array, ""]


Asked = UInt32[Array, " words"] | Latest
"""Bit i % 32 of word i // 32 is architecture number i; bit 31 of the last word is none's, and marks
what is outside the space (number -1). Or the `Latest`."""


def numbered(space: SearchSpace) -> bool:
    """Whether all that is asked in `space` can be remembered."""
    return isinstance(space, Indexed) and space.size <= MOST


def nothing(space: SearchSpace, places: int = PLACES) -> Any:
    """No architecture. places: how many of the latest are remembered where they have no numbers;
    0: none, in any space."""
    if places and numbered(space):
        return jnp.zeros(space.size // 32 + 1, jnp.uint32)
    return Latest(jnp.zeros((2, places), jnp.uint32), jnp.int32(0))


def note(space: SearchSpace, asked: Any, arch: Arch) -> Any:
    """`asked`, and `arch`."""
    if isinstance(asked, Latest):
        prints, queries = asked
        if places := prints.shape[1]:
            prints = prints.at[:, queries % places].set(fingerprint(arch))
        return Latest(prints, queries + 1)
    word, bit = _bit(space, arch)
    return asked.at[word].set(asked[word] | bit)


def knows(space: SearchSpace, asked: Any, arch: Arch) -> Bool[Array, ""]:
    """Whether `arch` is among the asked."""
    if isinstance(asked, Latest):
        same = (asked.prints == fingerprint(arch)[:, None]).all(0)
        return (same & (jnp.arange(len(same)) < asked.queries)).any()
    word, bit = _bit(space, arch)
    return (asked[word] & bit) > 0


def around(space: SearchSpace, arch: Arch) -> tuple[Arch, Bool[Array, " max_degree"]]:
    """All neighbours of `arch` by number, [max_degree], and which of them are real."""
    numbers = jnp.arange(space.max_degree, dtype=jnp.int32)
    near = jax.vmap(lambda number: space.neighbour(arch, number))(numbers)
    return near, numbers < space.degree(arch)


def unasked(
    space: SearchSpace, asked: Any, arch: Arch, due: bool | Bool[Array, ""] = True
) -> Bool[Array, " max_degree"]:
    """Which neighbours of `arch` have not been asked; anything where nobody is `due` to know.

    Of many searches side by side few need it at a time, while all of them look. Those that do not
    look at the same place, which the processor's cache has: a tenth of a climb on large tables."""
    near, real = around(space, jnp.where(due, arch, 0))
    return real & ~jax.vmap(lambda arch: knows(space, asked, arch))(near)


def _bit(space: Any, arch: Arch) -> tuple[Int32[Array, ""], UInt32[Array, ""]]:
    number = space.index(arch)
    return number >> 5, jnp.uint32(1) << (number & 31).astype(jnp.uint32)


def fingerprint(arch: Arch) -> UInt32[Array, " 2"]:
    """64 bits, linear in the digits with random odd weights: that two architectures share them has
    a probability of some 2^-62."""
    digits = jnp.asarray(arch).astype(jnp.uint32).reshape(-1)
    weights = np.random.default_rng(0).integers(1 << 31, size=(2, len(digits)), dtype=np.uint32)
    return (jnp.asarray(2 * weights + 1) * digits).sum(1, dtype=jnp.uint32)
