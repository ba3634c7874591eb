"""Who searches: `config(name)` gives an agent's settings class, `names()` all registered agents."""

from __future__ import annotations

from bench.registry import Registry

REGISTRY = Registry(
    "rlnas.agents",
    {
        "random_search": "agents.random_search:RandomSearch",
        "random_walk": "agents.random_walk:RandomWalk",
        "local_search": "agents.local_search:LocalSearch",
        "evolution": "agents.evolution:Evolution",
        "dqn": "agents.dqn_search:DQN",
    },
)
names = REGISTRY.names
config = REGISTRY.load
