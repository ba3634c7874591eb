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
    mixed, mirror = _mix(words), below + size
    for i in range(ROUNDS):
        partner = _wrap(mirror[i] - place, size)
        swap = _mix(jnp.maximum(place, partner) ^ mixed[i]) & 1
        place = jnp.where(swap == 1, partner, place)
    return jnp.where(mask, place, 0).astype(jnp.int32), mask


def below(word: UInt32[Array, ""], size: int) -> Int[Array, ""]:
    """An integer of [0, size), size < 2^31, by a random word: each equally likely to size / 2^32.

    The high half of word * size, in halves of 16 bits; `randint` takes three times the generator.
    """
    high, low = jnp.uint32(size >> 16), jnp.uint32(size & 0xFFFF)
    first, second = word >> 16, word & 0xFFFF
    middle = first * low + (second * low >> 16)
    carry = (second * high + (middle & 0xFFFF)) >> 16
    return (first * high + (middle >> 16) + carry).astype(jnp.int32)


def one_of(word: UInt32[Array, ""], mask: Bool[Array, " n"]) -> Int[Array, ""]:
    """A place where `mask` is True, by a random word; 0 where none is.

    Every place gets a random rank, its number in the low bits, and the highest wins: n <= 2^16
    leaves ranks of 16 bits or more, so each is equally likely to about 2^-16.
    """
    place = jnp.arange(mask.shape[0], dtype=jnp.uint32)
    low = jnp.uint32((1 << (mask.shape[0] - 1).bit_length()) - 1)
    rank = _mix(word ^ _mix(place)) & ~low
    return (jnp.where(mask, rank | place, 0).max() & low).astype(jnp.int32)
