"""MD5 (RFC 1321) of many messages of one length at once, in numpy."""

from __future__ import annotations

import math

import numpy as np

_SINES = np.array([int(abs(math.sin(i + 1)) * 2**32) for i in range(64)], np.uint32)
_SHIFTS = np.array(
    [
        r
        for four in ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
        for r in 4 * four
    ]
)
_SHIFTS = _SHIFTS.astype(np.uint32)
_WORDS = [(i, 5 * i + 1, 3 * i + 5, 7 * i)[i // 16] % 16 for i in range(64)]
_START = np.array([0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476], np.uint32)
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)


def md5_hex(messages: np.ndarray) -> np.ndarray:
    """uint8 [K, 32], the ASCII digits of the md5 of every row of `messages`, uint8 [K, length]."""
    digest = _md5_words(messages).T.astype("<u4").copy().view(np.uint8)  # [K, 16]
    return np.stack([_DIGITS[digest >> 4], _DIGITS[digest & 15]], axis=-1).reshape(
        len(messages), 32
    )


def _md5_words(messages: np.ndarray) -> np.ndarray:
    """uint32 [4, K]: the digests' words."""
    count, length = messages.shape
    blocks = (length + 8) // 64 + 1
    padded = np.zeros((count, blocks * 64), np.uint8)
    padded[:, :length] = messages
    padded[:, length] = 0x80
    padded[:, -8:] = np.frombuffer((8 * length).to_bytes(8, "little"), np.uint8)
    words = np.ascontiguousarray(padded.view("<u4").T.astype(np.uint32))  # [blocks * 16, K]

    state = np.repeat(_START[:, None], count, axis=1)
    for block in range(blocks):
        a, b, c, d = state
        for i in range(64):
            if i < 16:
                f = d ^ (b & (c ^ d))  # b ? c : d
            elif i < 32:
                f = c ^ (d & (b ^ c))  # d ? b : c
            elif i < 48:
                f = b ^ c ^ d
            else:
                f = c ^ (b | ~d)
            f = f + a + words[block * 16 + _WORDS[i]] + _SINES[i]
            a, d, c = d, c, b
            b = b + (f << _SHIFTS[i] | f >> (np.uint32(32) - _SHIFTS[i]))
        state = state + np.stack([a, b, c, d])
    return state
