"""Who searches: `config(name)` gives an agent's settings class, `names()` all registered agents,
`run_seeds` and `run_search` let one search. Nothing heavy is imported before it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlnas.agents.registry import config, names

if TYPE_CHECKING:
    from rlnas.agents.protocol import (
        Agent,
        AgentConfig,
        History,
        run_search,
        run_seeds,
        seed_keys,
    )
    from rlnas.agents.spec import parse

__all__ = [
    "Agent",
    "AgentConfig",
    "History",
    "config",
    "names",
    "parse",
    "run_search",
    "run_seeds",
    "seed_keys",
]

_LAZY = {name: "protocol" for name in __all__ if name not in globals() and name != "parse"}
_LAZY["parse"] = "spec"


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"rlnas.agents.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
