"""What callers pass, coerced once; whatever else it is, it is a `UserError` of one line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from pathlib import Path
from typing import Any

from rlnas.bench.errors import UserError

LONGEST = 120
"""Characters of a value that a message repeats."""


def shown(value: Any) -> str:
    """A value in a message: one line, not too long, numbers without their library's name."""
    try:
        text = " ".join(repr(plain(value)).split())
    except Exception:  # a class of the caller's
        text = f"a {type(value).__name__}"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."


def plain(value: Any) -> Any:
    """Numbers of numpy, JAX and others as Python's own; anything else as it is."""
    return value.tolist() if getattr(value, "shape", None) == () and has(value, "tolist") else value


def has(value: Any, method: str) -> bool:
    return not isinstance(value, type) and callable(getattr(value, method, None))


def whole(value: Any, what: str, least: int | None = 0, most: int | None = None) -> int:
    """Of an integer of any library, a float without a fraction (20.0), or their text."""
    found = plain(value)
    if isinstance(found, str) and re.fullmatch(r"\s*-?[0-9]{1,18}(\.0*)?\s*", found):
        found = int(found.partition(".")[0])
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        raise UserError(f"{what} is {shown(value)}; expected a whole number")
    if (least is not None and found < least) or (most is not None and found > most):
        allowed = f"at least {least}" if most is None else f"{least} to {most}"
        raise UserError(f"{what} is {shown(value)}; expected {allowed}")
    return found


def text(value: Any, what: str) -> str:
    """Of a text or a path."""
    if not isinstance(value, str | Path):
        raise UserError(f"{what} is {shown(value)}; expected a text")
    return str(value)


def sequence(value: Any, what: str, of: str) -> list[Any]:
    """The items of a list, an array of any library, a data frame; a text or a set is none. of: what
    the items are."""
    if has(value, "to_numpy"):
        value = value.to_numpy()
    if has(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str | bytes | Mapping | Set) or not isinstance(value, Iterable):
        raise UserError(f"{what} is {shown(value)}; expected a list of {of}")
    try:
        return list(value)
    except Exception:  # an iterator of the caller's
        raise UserError(f"{what} is {shown(value)}; expected a list of {of}") from None
