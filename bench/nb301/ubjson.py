"""UBJSON (ubjson.org, draft 12), as far as xgboost writes it: big-endian, with typed arrays as
numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

DTYPES = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
CONSTANTS = {b"Z": None, b"T": True, b"F": False}
MOST_LEVELS = 50


def read_ubjson(data: bytes) -> Any:
    """The document's one value; `ValueError` when it is damaged. Bytes behind it are not looked
    at."""
    return _Reader(data).value(0)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0
        self.left = len(data) + 1  # values that may come: one may take no bytes, but not all

    def take(self, size: int) -> bytes:
        if size < 0 or self.place + size > len(self.data):
            raise ValueError(f"cut off at byte {self.place:,}")
        self.place += size
        return self.data[self.place - size : self.place]

    def peek(self) -> bytes:
        return self.data[self.place : self.place + 1]

    def number(self, kind: bytes) -> Any:
        return np.frombuffer(self.take(np.dtype(DTYPES[kind]).itemsize), DTYPES[kind])[0].item()

    def length(self) -> int:
        kind = self.take(1)
        if kind not in DTYPES or kind in b"dD":
            raise ValueError(f"no length at byte {self.place - 1:,}")
        return int(self.number(kind))

    def text(self) -> str:
        return self.take(self.length()).decode("utf-8", "replace")

    def value(self, level: int, kind: bytes | None = None) -> Any:
        if level > MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} levels")
        self.left -= 1
        if self.left < 0:
            raise ValueError("more values than bytes")
        kind = kind or self.take(1)
        if kind in CONSTANTS:
            return CONSTANTS[kind]
        if kind in DTYPES:
            return self.number(kind)
        if kind == b"S":
            return self.text()
        if kind == b"C":
            return self.take(1).decode("latin-1")
        if kind in (b"[", b"{"):
            return self.container(level, kind == b"{")
        raise ValueError(f"unknown type {kind!r} at byte {self.place - 1:,}")

    def container(self, level: int, is_object: bool) -> Any:
        """An array or object: `[`/`{`, an optional type `$x`, an optional count `#n`, then items up
        to `]`/`}`."""
        kind = None
        if self.peek() == b"$":
            kind = self.take(2)[1:]
        count = None
        if self.peek() == b"#":
            self.take(1)
            count = self.length()
        if kind is not None and count is None:
            raise ValueError(f"a type without a count at byte {self.place:,}")
        if not is_object and kind in DTYPES and count is not None:
            dtype = np.dtype(DTYPES[kind])
            return np.frombuffer(self.take(count * dtype.itemsize), dtype).astype(
                dtype.newbyteorder("=")
            )
        if count is not None and not 0 <= count <= min(len(self.data) - self.place, self.left):
            raise ValueError(f"{count:,} items at byte {self.place:,}")
        items: list[Any] = []
        keys: list[str] = []
        end = b"}" if is_object else b"]"
        while len(items) != count:
            if count is None and self.peek() == end:
                self.take(1)
                break
            if is_object:
                keys.append(self.text())
            items.append(self.value(level + 1, kind))
        if len(set(keys)) < len(keys):
            raise ValueError("a name that stands twice in one object")
        return dict(zip(keys, items, strict=True)) if is_object else items
