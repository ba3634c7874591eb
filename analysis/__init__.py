"""What came of it: stored runs, curves, statistics, figures, reports and the command line.
Nothing heavy is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlnas.bench.lazy import lazy

if TYPE_CHECKING:
    from rlnas.analysis.comparison.figure import plot_runs
    from rlnas.analysis.comparison.runs import collect
    from rlnas.analysis.comparison.sweep import compare
    from rlnas.analysis.comparison.write import write
    from rlnas.analysis.frames import load_runs
    from rlnas.analysis.store import Run

__all__ = ["Run", "collect", "compare", "load_runs", "plot_runs", "write"]

_LAZY = {
    "Run": "store",
    "collect": "comparison.runs",
    "compare": "comparison.sweep",
    "load_runs": "frames",
    "plot_runs": "comparison.figure",
    "write": "comparison.write",
}

__getattr__, __dir__ = lazy(__name__, _LAZY)
