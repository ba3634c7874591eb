"""What `rlnas show` prints and draws."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from rlnas.analysis import store
from rlnas.analysis.show.data import look_up
from rlnas.analysis.show.figure import figure
from rlnas.analysis.show.text import text
from rlnas.analysis.style import RC
from rlnas.analysis.text import places
from rlnas.bench.files import atomic_path

DEFAULT = Path("figures")


def show(cell: str, benchmark: str, epochs: int | None, out: Path | None) -> Path:
    """Look an architecture up, print what is known, draw it to `out`."""
    seen = look_up(cell, benchmark, epochs)
    if out is None:
        out = DEFAULT / f"cell-{store.hash_of([seen.benchmark.describe(), seen.text])}.png"
    drawn = figure(seen)
    dated = {"Date": None} if out.suffix.lower() == ".svg" else {"Software": None}
    with matplotlib.rc_context(RC), atomic_path(out) as temporary:
        drawn.savefig(temporary, format=out.suffix.lower()[1:], dpi=150, metadata=dated,
                      facecolor="white")  # fmt: skip
    print(f"{text(seen)}\n\n{places({'picture': out})}")
    return out
