"""What the commands print."""

from __future__ import annotations

from collections.abc import Sequence

from rlnas.bench.family import Made
from rlnas.bench.files import quoted
from rlnas.bench.names import visible


def aligned(lines: Sequence[tuple[str, ...]]) -> str:
    """Columns two spaces apart; the last one as long as it likes."""
    lines = [tuple(map(visible, line)) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def announced(made: Sequence[Made]) -> str:
    """The files that were made, and what to do with the first."""
    lines = []
    for file in made:
        lines += [
            f"{quoted(file.path)}: {file.what}",
            *(f"note: {visible(note)}" for note in file.notes),
        ]
    return "\n".join([*lines, f"next: rlnas bench info {quoted(made[0].name)}"])
