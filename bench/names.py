"""Names and texts from files, options and packages: what may stand in a file's name, and on a
terminal."""

from __future__ import annotations

from typing import Any

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError

LONGEST = 100


def valid_name(name: Any, what: str) -> str:
    """A name that can be a file's: it leads out of no folder, hides nothing, fits everywhere.
    `UserError` says what it is the name of."""
    text = name if isinstance(name, str) else ""
    fits = text[:1] not in ("", ".", "-") and all(c.isalnum() or c in "._-" for c in text)
    if not fits or len(text) > LONGEST:
        raise UserError(
            f"{what} {shown(name)}; expected at most {LONGEST} letters, digits, '.', '_' and '-', "
            "none of '.' and '-' first"
        )
    return text


def valid_text(text: str, what: str) -> str:
    """`UserError` for control characters, which would move the cursor or end a line."""
    if not text.isprintable():
        raise UserError(f"{what} is {shown(text)}; expected a text without control characters")
    return text


def visible(text: str) -> str:
    """The same on one line of a terminal: what cannot be printed is spelled, e.g. `\\x1b`."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
