"""Numbers, durations, tables and paths for a terminal."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from rlnas.analysis.outcome import finished
from rlnas.analysis.stats import Interval
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, quoted
from rlnas.bench.reading import content

REPORT, DIGEST = "report.txt", "report.sha256"
"""In the folders of what is not drawn again from its numbers: what was printed, and its SHA-256 as
`sha256sum` writes it."""


def number(value: float | None, scale: float = 1.0, digits: int = 2) -> str:
    """`value` times `scale`; `-` where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value * scale:,.{digits}f}"


def percent(value: float | None) -> str:
    """A fraction in percent."""
    return number(value, 100.0)


def plain(
    interval: Interval, scale: float = 1.0, none: str = "no interval: too few, or all alike"
) -> str:
    """`value [low, high]` in 2 digits, or in 3 or 4 where these tell the ends apart. none: said
    where there is a value and no interval."""
    value, low, high = (scale * x for x in interval)
    if math.isnan(value):
        return "-"
    for digits in (2, 3, 4):
        a, b = (number(end, digits=digits) for end in (low, high))
        if a != b:
            return f"{number(value, digits=digits)} [{a}, {b}]"
    return f"{number(value)} [{none}]"


def points(interval: Interval) -> str:
    """A difference of fractions in percentage points."""
    return plain(interval, 100.0)


def humanise(seconds: float | None) -> str:
    """A duration with its unit: 7.2 s, 12.0 min, 3.4 h, 5.1 days."""
    if seconds is None or math.isnan(seconds):
        return "-"
    for unit, size, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:,.1f} days"


def aligned(rows: Sequence[Sequence[str]], right: Collection[int]) -> str:
    """Columns, with a rule under the first row. right: which columns stand to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(
        line.rstrip() for line in [lines[0], "  ".join("-" * w for w in widths), *lines[1:]]
    )


def tell(said: str, folder: Path, paths: Mapping[str, Path]) -> None:
    """Print a report, which the folder keeps for `rlnas report`, and what lies where."""
    keep(said, folder)
    print(f"{said}\n\n{places(paths)}")


def keep(said: str, folder: Path) -> None:
    """Write a report into its folder, the digest last."""
    data = f"{said}\n".encode()
    with atomic_path(folder / REPORT) as temporary:
        temporary.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    with atomic_path(folder / DIGEST) as temporary:
        temporary.write_text(f"{digest}  {REPORT}\n", encoding="utf-8")
    finished(folder)


def kept(folder: Path) -> str:
    """The report that `keep` wrote; `UserError` where it is another one now."""
    path, hint = folder / REPORT, "run the same command again"
    found = content(path, hint)
    written = content(folder / DIGEST, hint).split(b" ")[0].decode("ascii", "replace")
    if hashlib.sha256(found).hexdigest() != written:
        raise UserError(f"{path} was edited or damaged: its {DIGEST} is of another; {hint}")
    return found.decode("utf-8", "replace")


def places(paths: Mapping[str, Path]) -> str:
    """What lies where: a line a path, as a shell reads it back."""
    return "\n".join(f"{what:8} {quoted(path)}" for what, path in paths.items())
