"""What a command has said."""

from __future__ import annotations

import re

PROGRESS = re.compile(r"\[\d\d:\d\d[<,]")


def complaints(stderr: str) -> str:
    """What is left of stderr without the lines that slow machines make of progress."""
    kept = [line for line in stderr.splitlines(keepends=True) if not PROGRESS.search(line)]
    return "".join(kept)
