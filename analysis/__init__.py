"""What came of it: stored runs, curves, statistics, figures, reports and the command line.
Nothing heavy is imported before it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlnas.analysis.comparison.runs import collect
    from rlnas.analysis.comparison.sweep import compare
    from rlnas.analysis.comparison.write import write
    from rlnas.analysis.store import Run

__all__ = ["Run", "collect", "compare", "write"]

_LAZY = {
    "Run": "store",
    "collect": "comparison.runs",
    "compare": "comparison.sweep",
    "write": "comparison.write",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"rlnas.analysis.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
