"""Who searches: `config(name)` gives an agent's settings class, `names()` all registered agents,
`run_seeds` and `run_search` let one search. Nothing heavy is imported before it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from rlnas.bench.registry import Registry

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

REGISTRY = Registry(
    "rlnas.agents",
    {
        "random_search": "rlnas.agents.random_search:RandomSearch",
        "random_walk": "rlnas.agents.random_walk:RandomWalk",
        "local_search": "rlnas.agents.local_search:LocalSearch",
        "evolution": "rlnas.agents.evolution:Evolution",
        "dqn": "rlnas.agents.dqn:DQN",
    },
)
names = REGISTRY.names
config = REGISTRY.load

TRAINED = "dqn"
"""The agent that `rlnas train` and `rlnas ablate` train unless told otherwise."""

_LAZY = {name: "protocol" for name in __all__ if name not in ("config", "names", "parse")}
_LAZY["parse"] = "spec"


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"rlnas.agents.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
