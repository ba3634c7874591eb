"""Drawing without replacement from ranges of varying length, in fixed shapes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, UInt32

ROUNDS = 8
"""Swap-or-not rounds: an element left in place by all of them has probability 2^-8; the rotation
spreads it evenly."""


def _mix(x: UInt32[Array, ...]) -> UInt32[Array, ...]:
    """murmur3's 32-bit finaliser."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def _wrap(x: UInt32[Array, ...], size: UInt32[Array, ""]) -> UInt32[Array, ...]:
    """x modulo size, for x < 2 size."""
    return jnp.where(x >= size, x - size, x)


def draw(
    key: Key[Array, ""], size: Int[Array, ""], n: int
) -> tuple[Int[Array, " n"], Bool[Array, " n"]]:
    """min(n, size) distinct integers of [0, size), size < 2^16, in random order, and the mask of
    real ones.

    Place i is the image of i under a random permutation of [0, size): a rotation and rounds of the
    swap-or-not shuffle (Hoang, Morris, Rogaway 2012), each place on its own, so nothing is sorted
    and nothing has the length of the longest range. Every element is equally likely in every place;
    pairs are uniform to about 2^-8. Masked places hold 0.
    """
    size = size.astype(jnp.uint32)
    words = jax.random.bits(key, (ROUNDS + 1,), jnp.uint32)
    below = (
        words >> 16
    ) * size >> 16  # uniform in [0, size) to size / 2^16; a division would not vectorise
    start = jnp.arange(n, dtype=jnp.uint32)
    mask = start < size
    place = _wrap(jnp.where(mask, start, 0) + below[ROUNDS], size)
    for i in range(ROUNDS):
        partner = _wrap(below[i] + size - place, size)
        swap = _mix(jnp.maximum(place, partner) ^ _mix(words[i])) & 1
        place = jnp.where(swap == 1, partner, place)
    return jnp.where(mask, place, 0).astype(jnp.int32), mask
