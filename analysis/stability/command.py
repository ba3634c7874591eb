"""`rlnas stability`: how surely policies learn, over learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.bounds import Folder, Rate, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once


@dataclass(frozen=True)
class Stability:
    """Train policy gradients at several learning rates and see where they end.

    What is measured is what the policy asks in the last tenth of its queries, not the best that it
    met on the way. A training has collapsed when it has settled there on an architecture that is
    worse than what random search finds with as many queries. Runs are those of `rlnas compare`:
    kept in OUT, and reused.

    Examples:
      rlnas stability
      rlnas stability --agents ppo:batch=10 ppo:batch=40 --budget 4000
    """

    benchmark: str = "nb101-digits"
    """What to train on: a name that `rlnas bench list` shows, or the path of a table."""

    agents: tuple[str, ...] = ("reinforce:policy=lstm", "ppo")
    """Agents that have a learning rate, as `rlnas compare` takes them."""

    rates: tuple[Rate, ...] = (3.5e-4, 1e-3, 3e-3, 1e-2)
    """Learning rates, in place of the agents' own."""

    option: str = "lr"
    """What the agents call it."""

    budget: Annotated[int, Within(10, 1_000_000, ", the end is a tenth of them")] = 2000
    """Queries of a training."""

    trainings: Annotated[int, Within(2, 100_000, ", a spread needs them")] = 20
    """Trainings of an agent at a rate."""

    seed: Seed = 0
    """Root of all randomness."""

    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder stability-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        if not self.rates or not all(rate > 0 for rate in self.rates):
            found = " ".join(map(str, self.rates)) or "empty"
            raise UserError(f"--rates is {found}; expected numbers above 0")
        check_at_least(1, " agent", agents=len(self.agents))
        check_at_least(10, ", the end is a tenth of them", budget=self.budget)
        check_at_least(2, ", a spread needs them", trainings=self.trainings)
        check_seed(self.seed)
        check_folder(self.out)

    def run(self) -> None:
        """Train, print the table, write figure and numbers."""
        from rlnas import bench
        from rlnas.analysis import store
        from rlnas.analysis.stability.figure import figure
        from rlnas.analysis.stability.measures import measure
        from rlnas.analysis.stability.text import text
        from rlnas.analysis.style import save
        from rlnas.analysis.text import tell

        self.check()
        there = bench.load(self.benchmark)
        rates = sorted(set(self.rates))
        chance, found = measure(
            there, self.agents, rates, self.option,
            budget=self.budget, trainings=self.trainings, seed=self.seed, out=self.out,
        )  # fmt: skip
        identity = {
            "benchmark": there.describe(), "agents": self.agents, "rates": rates,
            "option": self.option, "budget": self.budget, "trainings": self.trainings,
            "seed": self.seed,
        }  # fmt: skip
        folder = store.folder_of(self.out, "stability", identity)
        path = folder / "trainings.csv"
        rows = [
            {"agent": one.agent, "rate": one.rate, "training": i, "final": final,
             "collapsed": bool(collapsed)}
            for one in found
            for i, (final, collapsed) in enumerate(zip(one.final, one.collapsed, strict=True))
        ]  # fmt: skip
        said = text(there.name, self.budget, chance, found)
        with at_once():
            png, svg = save(figure(there.name, chance, found), folder)
            store.write_csv(path, rows)
            tell(said, folder, {"figure": png, "": svg, "trainings": path})
