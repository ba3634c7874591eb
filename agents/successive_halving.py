"""Successive halving: the same bracket again and again, with new architectures."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.agents.brackets import bracket, check_eta, racing, rungs, uniform
from rlnas.agents.fidelity import FidelityAgent
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class SuccessiveHalving:
    """Successive halving (Karnin et al. 2013; Jamieson and Talwalkar 2016, arXiv 1502.07943):
    uniform draws at the smallest budget, of which the best 1 / eta go on to eta times the epochs.

    It is Hyperband's most aggressive bracket, again and again: 27-9-3-1 with 4, 12, 36 and 108
    epochs. Where there is one budget it is random search.
    """

    n: int = 0
    """Architectures that a bracket begins with; 0: as many as leave one at the end."""

    eta: float = 3.0
    """As of `hyperband`."""

    min_epochs: int = 0
    """As of `hyperband`."""

    def __post_init__(self) -> None:
        check_eta("successive_halving", self.eta, self.min_epochs)
        if not 0 <= self.n <= 4096:
            raise UserError(f"successive_halving has n={self.n}; expected 0 to 4,096")

    def build(self, space: SearchSpace) -> Agent:
        return RandomSearch().build(space)

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        ladder = rungs(budgets, self.eta, self.min_epochs)
        s = len(ladder) - 1
        n = self.n or int(self.eta**s + 1e-9)
        return racing(space, [bracket(n, s, ladder, self.eta)], uniform(space))
