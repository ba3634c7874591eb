"""The registered agents: ours, and those of installed packages (entry points `rlnas.agents`)."""

from __future__ import annotations

from rlnas.bench.registry import Registry

REGISTRY = Registry(
    "rlnas.agents",
    {
        "random_search": "rlnas.agents.random_search:RandomSearch",
        "random_walk": "rlnas.agents.random_walk:RandomWalk",
        "local_search": "rlnas.agents.local_search:LocalSearch",
        "evolution": "rlnas.agents.evolution:Evolution",
        "dqn": "rlnas.agents.dqn:DQN",
        "reinforce": "rlnas.agents.reinforce:Reinforce",
        "ppo": "rlnas.agents.ppo:PPO",
        "enas_controller": "rlnas.agents.enas_controller:EnasController",
        "metaqnn": "rlnas.agents.metaqnn:MetaQNN",
        "blockqnn": "rlnas.agents.blockqnn:BlockQNN",
        "irlas": "rlnas.agents.irlas:IRLAS",
        "gp": "rlnas.agents.gp:GP",
        "bananas": "rlnas.agents.bananas:Bananas",
        "alphax": "rlnas.agents.alphax:AlphaX",
        "bridge": "rlnas.agents.bridge:Bridge",
        "incontext": "rlnas.agents.incontext:InContext",
        "lanas": "rlnas.agents.lanas:LaNAS",
        "nsga2": "rlnas.agents.nsga2:NSGA2",
        "weighted": "rlnas.agents.weighted:Weighted",
        "successive_halving": "rlnas.agents.successive_halving:SuccessiveHalving",
        "hyperband": "rlnas.agents.hyperband:Hyperband",
        "bohb": "rlnas.agents.bohb:BOHB",
        "early_stopping": "rlnas.agents.early_stopping:EarlyStopping",
        "freeze_thaw": "rlnas.agents.freeze_thaw:FreezeThaw",
        "reinforce_fidelity": "rlnas.agents.reinforce_fidelity:ReinforceFidelity",
        "filter": "rlnas.agents.filter:Filter",
    },
)
names = REGISTRY.names
config = REGISTRY.load

TRAINED = "dqn"
"""The agent that `rlnas train` and `rlnas ablate` train unless told otherwise."""
