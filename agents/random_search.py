"""Random search: the baseline every other agent has to beat."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import SearchSpace


@dataclass(frozen=True)
class RandomSearch:
    """Architectures drawn uniformly, with replacement (as in Ying et al. 2019)."""

    def build(self, space: SearchSpace) -> Agent:
        return Agent(
            init=lambda key: (),
            ask=lambda key, state: (space.sample(key), state),
            tell=lambda state, arch, result: state,
        )
