"""A small report page of hostile runs, for the tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from rlnas import bench
from rlnas.analysis import compare
from rlnas.analysis.report import page
from rlnas.analysis.text import tell

EVIL = "</script><script>document.title.concat('owned')</script><img src onerror>\"'><svg onload>"
AGENTS = ("random_search", "a walk=random_walk", f"{EVIL}=evolution:population=4,tournament=2")
BUDGET, SEEDS = 12, 6


def write_runs(out: Path, table: Path) -> None:
    """Runs of three agents, one with a hostile label, on a benchmark with a hostile name; and a
    kept report with a hostile text and figure."""
    searched = dataclasses.replace(bench.load(str(table)), name=f"small{EVIL}")
    compare(searched, AGENTS, budget=BUDGET, seeds=SEEDS, out=out)
    said = out / "landscape-0123456789abcdef"
    said.mkdir()
    tell(f"What it said: {EVIL}", said, {})
    (said / "figure.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{EVIL}</svg>")


def write_page(out: Path, table: Path, path: Path) -> Path:
    page.write(sorted(out.iterdir()), path, opened=bench.load(str(table)))
    return path
