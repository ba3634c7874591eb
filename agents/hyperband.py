"""Hyperband: brackets of successive halving, from many short trainings to few whole ones."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.agents.brackets import Kind, check_eta, hyperband, racing, rungs, uniform
from rlnas.agents.fidelity import FidelityAgent
from rlnas.agents.protocol import Agent
from rlnas.agents.random_search import RandomSearch
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.budgets import Budgets


@dataclass(frozen=True)
class Hyperband:
    """Hyperband (Li et al. 2018, arXiv 1603.06560): uniform draws, raced in brackets.

    A bracket trains many architectures for a short budget, keeps the best 1 / eta of them for eta
    times the budget, and so on to the whole. Brackets differ by the budget that they begin with;
    after the last all begins again. With 4, 12, 36 and 108 epochs HpBandSter's are 27-9-3-1, 9-3-1,
    6-2 and 4, the paper's 27-9-3-1, 12-4-1, 6-2 and 4. Of the budgets that a table has, the largest
    up to those that eta gives are taken (ours). Where there is one budget it is random search.
    """

    brackets: Kind = "hpbandster"
    """Whose numbers: HpBandSter rounds before it multiplies, the paper after."""

    eta: float = 3.0
    """Of the architectures of a rung 1 / eta go on, to eta times the epochs."""

    min_epochs: int = 0
    """The fewest epochs that are asked; 0: the fewest there are."""

    def __post_init__(self) -> None:
        check_eta("hyperband", self.eta, self.min_epochs)

    def build(self, space: SearchSpace) -> Agent:
        return RandomSearch().build(space)

    def build_for(self, space: SearchSpace, budgets: Budgets) -> FidelityAgent:
        ladder = rungs(budgets, self.eta, self.min_epochs)
        return racing(space, hyperband(ladder, self.eta, self.brackets), uniform(space))
