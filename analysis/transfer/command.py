"""`rlnas transfer`: what the values of one benchmark are worth in a search of another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.bounds import Folder, Queries, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once

TRANSNAS = ("class_scene", "class_object", "segmentsemantic", "autoencoder")


@dataclass(frozen=True)
class Transfer:
    """Search each of several benchmarks with what is known of each other one.

    A source is known as a whole: all its values are paid before. Zero-shot, its ranking is asked as
    a list, best first; informed, an agent begins with it (`gp:prior=SOURCE`); alone, the agent
    knows nothing. Differences are to alone, paired by seed. Runs are those of `rlnas compare`: kept
    in OUT, and reused.

    The setting is that of Cassimon et al. (2024, arXiv 2412.01420), who train on one task of
    TransNAS-Bench-101 and search another; sources known as a whole, and the Gaussian process, are
    ours.

    Examples:
      rlnas transfer
      rlnas transfer --benchmarks nb201-cifar100 nb201-cifar10-valid --budget 20
    """

    benchmarks: tuple[str, ...] = tuple(f"tnb101-{task}" for task in TRANSNAS)
    """Benchmarks over the same architectures, each a source and a target."""

    agent: str = "gp"
    """Who searches: an agent with an option `prior`, as `rlnas compare` takes it."""

    budget: Annotated[int, Within(2, 1_000_000, " queries")] = 50
    """Queries of a search."""

    points: tuple[Queries, ...] = (10, 20)
    """Queries after which to look, too."""

    seeds: Annotated[int, Within(2, 1_000_000, ", an interval needs them")] = 100
    """Searches of each kind."""

    seed: Seed = 0
    """Root of all randomness."""

    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder transfer-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        names = self.benchmarks
        if len(names) < 2 or len(set(names)) < len(names):
            found = " ".join(names) or "empty"
            raise UserError(f"--benchmarks is {found}; expected at least 2 different ones")
        check_at_least(2, " queries", budget=self.budget)
        for point in self.points:
            if not 1 <= point <= self.budget:
                raise UserError(f"--points has {point}; expected 1 to the budget, {self.budget}")
        check_at_least(2, ", an interval needs them", seeds=self.seeds)
        check_seed(self.seed)
        check_folder(self.out)

    def run(self) -> None:
        """Search, print the matrices, write figure and numbers."""
        from rlnas import bench
        from rlnas.analysis import store
        from rlnas.analysis.style import save
        from rlnas.analysis.text import tell
        from rlnas.analysis.transfer.figure import figure
        from rlnas.analysis.transfer.measures import measure
        from rlnas.analysis.transfer.text import text

        self.check()
        there = {name: bench.load(name) for name in self.benchmarks}
        points = sorted({*self.points, self.budget})
        found, identity = measure(
            there, self.agent, points, seeds=self.seeds, seed=self.seed, out=self.out
        )
        folder = store.folder_of(self.out, "transfer", identity)
        rows = [cell.row() for cell in found]
        table, numbers = folder / "transfer.csv", folder / "transfer.json"
        said = text(found, points, self.agent, self.seeds)
        with at_once():
            png, svg = save(figure(found, points, self.agent), folder)
            store.write_csv(table, rows)
            store.write_json(numbers, {"cells": rows})
            tell(said, folder, {"figure": png, "": svg, "numbers": numbers, "table": table})
            store.write_json(folder / store.MANIFEST, {"format": "rlnas-transfer", **identity})
