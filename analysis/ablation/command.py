"""`rlnas ablate`: a grid of trainings, as jobs that are independent and resumable."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlnas import agents, bench
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Ablate:
    """Train an agent over a grid of settings and say how the result depends on them.

    Trains every combination of --alpha, --neighbours and --vary, several seeds each, and lets each
    trained agent search. A training that is done is kept: interrupted, the same command goes on.
    One that fails is reported at the end, and the rest goes on. Writes
    OUT/ablate-<hash>/{results.parquet, results.csv, figure.png, figure.svg}.

    Examples:
      rlnas ablate --preset smoke
      rlnas ablate --alpha 1 2 4 6 8 16 32 50 --neighbours 5 10 25 --seeds 5
      rlnas ablate --alpha 6 --neighbours 25 --vary gamma=0.5,0.9,0.99 network.width=32,64
    """

    agent: str = agents.TRAINED
    """What to train, an agent that `rlnas train` can."""
    preset: Literal["default", "smoke", "paper"] = "default"
    """The grid and the size of a training to start from; options beside it go before it."""
    benchmark: str = "nb101-digits"
    """What to train and search on: a name that `rlnas bench list` shows, or the path of a table."""
    alpha: tuple[float, ...] = ()
    """Shaping exponents; default: the preset's."""
    neighbours: tuple[int, ...] = ()
    """Neighbour counts N; default: the preset's."""
    vary: tuple[str, ...] = ()
    """FIELD=value,value,... for any other setting of `rlnas train`, e.g. gamma=0.5,0.9 or
    network.layers=1,2."""
    seeds: int | None = None
    """Trainings of each combination; default: the preset's."""
    steps: int | None = None
    """Environment steps of a training; default: the preset's."""
    evaluation_seeds: int = 100
    """Searches of 50 queries that each trained agent is judged by."""
    seed: int = 0
    """Root of all randomness."""
    workers: int = os.cpu_count() or 1
    """Worker processes; a row of the grid (all its alphas and seeds) is one job."""
    out: Path = Path("runs")
    """Folder of all runs."""

    def run(self) -> None:
        """Run what is missing, then write table and figure."""
        from rlnas.analysis.ablation import data, figure, jobs, plan, text
        from rlnas.analysis.text import tell

        benchmark = bench.load(self.benchmark)
        rows, folder = plan.plan(self, benchmark.describe())
        failures = jobs.run_jobs(rows, self.workers)
        if any(row.cell(alpha).exists() for row in rows for alpha in row.alphas):
            frame = data.collect(rows, benchmark)
            data.write(frame, folder)
            png, svg = figure.write(folder, frame, benchmark, self.agent)
            files = {"figure": png, "": svg, "results": folder / "results.csv"}
            tell(text.table(frame, benchmark, self.agent), folder, files)
        if failures:
            raise UserError(
                f"{len(failures)} of {len(rows)} jobs failed, first {failures[0]}; the same "
                "command retries them"
            )
