"""Drawing without replacement from ranges of varying length, in fixed shapes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
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


def below(word: UInt32[Array, ""], size: int) -> Int[Array, ""]:
    """An integer of [0, size), size < 2^31, by a random word: each equally likely to size / 2^32.

    The high half of word * size, in halves of 16 bits; `randint` takes three times the generator.
    """
    high, low = jnp.uint32(size >> 16), jnp.uint32(size & 0xFFFF)
    first, second = word >> 16, word & 0xFFFF
    middle = first * low + (second * low >> 16)
    carry = (second * high + (middle & 0xFFFF)) >> 16
    return (first * high + (middle >> 16) + carry).astype(jnp.int32)


# Sets of small numbers: bit i % 32 of word i // 32 is number i.


def packed(mask: Bool[Array, " n"]) -> UInt32[Array, " words"]:
    """The places where `mask` is True, as a set."""
    mask = jnp.pad(mask, (0, -mask.shape[0] % 32)).reshape(-1, 32)
    return jnp.where(mask, _BITS, 0).sum(1, dtype=jnp.uint32)


def one_of(word: UInt32[Array, ""], bits: UInt32[Array, " words"]) -> Int[Array, ""]:
    """A number of a set of at most 2^16, each equally likely to size / 2^16; 0 of none."""
    count = jax.lax.population_count(bits)
    rank = (word >> 16) * count.sum(dtype=jnp.uint32) >> 16
    rank = rank - (jnp.cumsum(count, dtype=jnp.uint32) - count)  # in each word; no such: large
    place, left, rest = jnp.zeros_like(bits), bits, rank
    for half in (16, 8, 4, 2, 1):  # whether it is in the lower half of what is left of the word
        lower = jax.lax.population_count(left & jnp.uint32((1 << half) - 1))
        upper = rest >= lower
        left = jnp.where(upper, left >> half, left)
        rest = jnp.where(upper, rest - lower, rest)
        place = jnp.where(upper, place + half, place)
    start = 32 * jnp.arange(len(bits), dtype=jnp.uint32)
    return jnp.where(rank < count, start + place, 0).sum(dtype=jnp.uint32).astype(jnp.int32)


def without(bits: UInt32[Array, " words"], number: Int[Array, ""]) -> UInt32[Array, " words"]:
    """The set without one of its numbers."""
    there = jnp.arange(len(bits)) == number >> 5
    return bits & ~jnp.where(there, jnp.uint32(1) << (number & 31).astype(jnp.uint32), 0)


_BITS = np.uint32(1) << np.arange(32, dtype=np.uint32)
