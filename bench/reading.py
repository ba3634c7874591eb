"""JSON from files: read in one place, and sealed.

Whatever lies on disk may be damaged, edited or hostile. Here it becomes plain values or a
`UserError` of one line. What rlnas writes carries its own SHA-256 under `digest`, so that a value
that was changed by hand or by accident is found when it is read, not believed. A digest is no
signature: who computes it anew can write anything.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path

DIGEST = "digest"
MOST_JSON = 1 << 26
"""Bytes of a JSON file."""
MOST_LEVELS = 32
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no text of a file may hold: terminals obey it, or it cannot be written as UTF-8."""
LARGEST = 1 << 64
"""Whole numbers from here on fit nowhere."""
UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
              RuntimeError, MemoryError, EOFError, OSError, AssertionError)  # fmt: skip
"""What Python, numpy and zipfile raise for bytes that are not what they should be (UnicodeError,
OverflowError, RecursionError and NotImplementedError are among them)."""


def reason(error: BaseException) -> str:
    """What went wrong, short enough to stand in a message."""
    if isinstance(error, KeyError):
        return f"no {str(error)[:80]}"
    if isinstance(error, MemoryError):
        return "a size larger than memory"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def content(path: Path | str, hint: str, most: int = MOST_JSON) -> bytes:
    """All bytes of a regular file that has at most so many."""
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise UserError(f"{path} has {size:,} bytes, expected at most {most:,}; {hint}")
            return file.read()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {hint}") from None
    except (OSError, ValueError, MemoryError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} cannot be read ({reason(error)}); {hint}") from None


def open_regular(path: Path | str) -> io.BufferedReader:
    """Open a file for the caller; `OSError` for pipes and devices, without waiting for them."""
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115
    if not S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no regular file")
    return file


def _at_once(path: str, flags: int) -> int:
    """Opening a named pipe waits for no writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def twice(names: Iterable[str]) -> str | None:
    """The first name that was there before."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def parse_json(data: bytes | str, where: Path | str, hint: str) -> Any:
    """Plain values: finite numbers, no name twice in an object, texts that can be printed, not
    nested deeper than `MOST_LEVELS`. `UserError`, naming `where`, for anything else."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        _check_plain(value)
        return value
    except UNREADABLE as error:
        raise UserError(f"{where} is damaged ({reason(error)}); {hint}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        name = twice(name for name, _ in pairs) or ""
        raise ValueError(f"{name[:40]!r} stands twice in one object")
    return found


def _no_number(text: str) -> Any:
    raise ValueError(f"found {text}, which is no number")


def _check_plain(value: Any) -> None:
    level, waiting = 0, [value]
    while waiting:
        if level > MOST_LEVELS:
            raise ValueError(f"more than {MOST_LEVELS} levels")
        inside: list[Any] = []
        for found in waiting:
            if isinstance(found, dict):
                inside += found.keys()
                inside += found.values()
            elif isinstance(found, list):
                inside += found
            elif isinstance(found, str):
                if not found.isprintable() and CONTROL.search(found):
                    raise ValueError("a text with control characters")
            elif isinstance(found, float):
                if not math.isfinite(found):
                    raise ValueError("a number that is not finite")
            elif isinstance(found, int) and not -LARGEST < found < LARGEST:
                raise ValueError("a whole number of more than 64 bits")
        level, waiting = level + 1, inside


def to_json(value: Any) -> Any:
    """`value` in JSON's own types: NaN and infinities become null, tuples lists, numpy scalars
    numbers, paths text, control characters question marks."""
    if isinstance(value, Mapping):
        return {to_json(str(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | Path):
        text = str(value)
        return text if text.isprintable() else CONTROL.sub("?", text)
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"no JSON for a {type(value).__name__}: {value!r}")


def canonical(value: Any) -> str:
    """The one text of plain values: sorted keys, no spaces."""
    return json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(value: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of the canonical text of all but the digest itself."""
    rest = {key: item for key, item in value.items() if key != DIGEST}
    return hashlib.sha256(canonical(rest).encode()).hexdigest()


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values with their digest."""
    plain: dict[str, Any] = to_json(value)
    return plain | {DIGEST: digest_of(plain)}


def check_seal(
    value: Any, where: Path | str, hint: str, *, required: bool = True
) -> dict[str, Any]:
    """`value`, an object that is what its digest says. required: without one it is refused."""
    if not isinstance(value, dict):
        raise UserError(f"{where} holds no JSON object; {hint}")
    if DIGEST not in value:
        if required:
            raise UserError(f"{where} has no {DIGEST}: an older or another file; {hint}")
    elif value[DIGEST] != digest_of(value):
        raise UserError(f"{where} was edited or damaged: its {DIGEST} is another; {hint}")
    return value


def read_json(
    path: Path | str, *, hint: str = "make it again", seal: bool | None = True
) -> dict[str, Any]:
    """The object in a JSON file. seal: True, it must have its digest; None, it may. False, it is
    another program's, any JSON. `UserError` names the file and says what to do (`hint`)."""
    value = parse_json(content(path, hint), path, hint)
    return value if seal is False else check_seal(value, path, hint, required=bool(seal))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Indented and sealed, written whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps(sealed(value), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )
