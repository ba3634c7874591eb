"""Who searches: `config(name)` gives an agent's settings class, `names()` all registered agents,
`run_seeds` and `run_search` let one search. Nothing heavy is imported before it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlnas.agents.registry import config, names
from rlnas.bench.lazy import lazy

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

__getattr__, __dir__ = lazy(__name__, _LAZY)
