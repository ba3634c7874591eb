"""`rlnas fidelity`: what shorter trainings tell, and what agents make of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from rlnas.bench.bounds import Epochs, Seed, Within
from rlnas.bench.errors import UserError

AGENTS = (
    "random_search", "local_search", "evolution", "gp", "successive_halving", "hyperband", "bohb",
    "early_stopping", "reinforce_fidelity",
)  # fmt: skip
TRAININGS = 100
"""Whole trainings of mean length that a run may spend unless told otherwise."""


@dataclass(frozen=True)
class Fidelity:
    """See how shorter trainings rank architectures, and search by seconds.

    How validation accuracy at each fidelity, a number of epochs, is correlated with that of whole
    trainings: over all architectures, and inside the best tenth, where a search ends up. Then
    agents that ask shorter trainings, beside those that ask whole ones, by the simulated seconds
    that they have spent. Where a longer training goes on with a shorter one it costs the
    difference, else the whole; `rlnas bench info` says which. An agent that cannot search there is
    named, and the others go on.

    Writes OUT/fidelity-<hash>/: figure, agreement.csv, table.csv, report.txt. Runs are kept in OUT
    and reused.

    Examples:
      rlnas fidelity nb101-digits
      rlnas fidelity nb301-yahpo --seconds 1e6 --agents random_search hyperband bohb
      rlnas fidelity nb101-full --fidelities 4 12 36
    """

    benchmark: Positional[str] = "nb101-digits"
    """A benchmark with several training budgets, by its name or path."""

    agents: tuple[str, ...] = AGENTS
    """Who searches, as `rlnas compare` takes them."""

    seconds: Annotated[float | None, Within(0, 1e12, open=True)] = None
    """Simulated seconds that a run may spend; None: those of a hundred whole trainings."""

    seeds: Annotated[int, Within(2, 1_000_000, ", an interval needs them")] = 100
    """Independent runs of each agent."""

    seed: Seed = 0
    """Root of all randomness."""

    fidelities: tuple[Annotated[int, Within(1)], ...] = ()
    """Epochs that are compared with whole trainings; none: all, or some of many."""

    architectures: Annotated[int, Within(10, 1_000_000)] = 12_000
    """Of larger spaces, uniform draws that correlations are over."""

    noise: str = "mean"
    """As of `rlnas compare`."""

    epochs: Epochs = None
    """Budget of a whole training; None takes the longest."""

    reference: str = ""
    """As of `rlnas compare`."""

    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""

    out: Path = Path("runs")
    """Folder of all runs."""

    redo: bool = False
    """Run again what is done already."""

    def run(self) -> None:
        """Measure, search, print both tables, write the figure."""
        from rlnas.analysis.fidelity.measures import agreements, answers, shown
        from rlnas.analysis.seconds.sweep import check_seconds, costs_of
        from rlnas.analysis.seconds.write import opened, run
        from rlnas.bench.fidelity import check_fidelity

        there = opened(self.benchmark, self.epochs, self.noise, self.rehearsal)
        budgets, name = there.budgets, there.benchmark.name
        if budgets.top == 0:
            raise UserError(
                f"{name} knows {budgets.caption}; expected a benchmark with several training "
                "budgets (`rlnas bench list` shows them)"
            )
        for epochs in self.fidelities:
            check_fidelity(budgets, epochs, name)
        whole = budgets.epochs[-1]
        asked = sorted({*(self.fidelities or shown(budgets.epochs)), whole})
        seconds = self.seconds or TRAININGS * costs_of(there).whole
        check_seconds(there, seconds)
        found = agreements(asked, answers(there, asked, self.architectures, self.seed), self.seed)
        run(
            there, self.agents, kind="fidelity", seconds=seconds, seeds=self.seeds, seed=self.seed,
            out=self.out, redo=self.redo, reference=self.reference, agreement=found, lenient=True,
        )  # fmt: skip
