"""Safetensors files with their own digest: weights, and JSON beside them.

A file's metadata hold the JSON as the text `about`, and `digest`, the SHA-256 of the whole file
with zeros in the digest's place. Needs no torch: who saves and parses is the caller's library.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.reading import DIGEST, UNREADABLE, canonical, content, parse_json, reason

ZEROS = "0" * 64
ABOUT = "about"
MOST_BYTES = 1 << 36
MOST_HEADER = 1 << 24


def save_tensors(
    path: Path,
    tensors: Mapping[str, Any],
    about: Mapping[str, Any],
    save: Callable[..., bytes],
) -> None:
    """Written whole or not at all. save(tensors, metadata): of `safetensors.torch` or
    `safetensors.numpy`."""
    data = save(dict(tensors), {ABOUT: canonical(about), DIGEST: ZEROS})
    digest = hashlib.sha256(data).hexdigest().encode()
    place = _place(data, ZEROS.encode())
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(data[:place])
        file.write(digest)
        file.write(data[place + len(digest) :])


def read_tensors(
    path: Path, load: Callable[[bytes], Mapping[str, Any]], hint: str = "make it again"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(tensors, what they are about) of what `save_tensors` wrote; `UserError` for anything else.
    load: of `safetensors.torch` or `safetensors.numpy`."""
    data = content(path, hint, MOST_BYTES)
    try:
        size = int.from_bytes(data[:8], "little")
        if not 0 < size <= min(len(data) - 8, MOST_HEADER):
            raise ValueError("no header")
        facts = parse_json(data[8 : 8 + size], path, hint)["__metadata__"]
        digest, about = facts[DIGEST], facts[ABOUT]
        place = _place(data[: 8 + size], digest.encode())
        whole = hashlib.sha256(data[:place])
        whole.update(ZEROS.encode())
        whole.update(memoryview(data)[place + len(ZEROS) :])
        if whole.hexdigest() != digest:
            raise ValueError(f"its {DIGEST} is another")
        found = parse_json(about, path, hint)
        if not isinstance(found, dict):
            raise ValueError("it does not say what it is")
        return dict(load(data)), found
    except UserError:
        raise
    except UNREADABLE as error:
        raise UserError(f"{path} was edited or damaged ({reason(error)}); {hint}") from None
    except Exception as error:  # SafetensorError, which is a plain one
        if type(error).__name__ != "SafetensorError":
            raise
        raise UserError(f"{path} is damaged ({reason(error)}); {hint}") from None


def _place(data: bytes, digest: bytes) -> int:
    """Where the digest stands in the header."""
    size = 8 + int.from_bytes(data[:8], "little")
    mark = f'"{DIGEST}":"'.encode()
    place = data.find(mark + digest, 0, size)
    if place < 0 or len(digest) != len(ZEROS):
        raise ValueError(f"no {DIGEST}")
    return place + len(mark)
