"""`rlnas ablate`: a grid of trainings, as jobs that are independent and resumable."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas import bench
from rlnas.analysis.ablation.settings import AblateSettings
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once


@dataclass(frozen=True)
class Ablate(AblateSettings):
    """Train an agent over a grid of settings and say how the result depends on them.

    Trains every combination of --alpha, --neighbours and --vary, several seeds each, and lets each
    trained agent search. A training that is done is kept: interrupted, the same command goes on.
    One that fails is reported at the end, and the rest goes on. Writes
    OUT/ablate-<hash>/{results.parquet, results.csv, figure.png, figure.svg}.

    Examples:
      rlnas ablate --preset smoke
      rlnas ablate --alpha 0.3 1 3 10 --neighbours 5 10 25 --seeds 5
      rlnas ablate --alpha 1 --neighbours 25 --vary gamma=0.5,0.9,0.99 network.width=32,64
    """

    def run(self) -> None:
        """Run what is missing, then write table and figure."""
        from rlnas.analysis.ablation import data, figure, jobs, plan, text
        from rlnas.analysis.text import tell

        benchmark = bench.load(self.benchmark)
        check_rehearsal(benchmark, self.rehearsal)
        rows, folder = plan.plan(self, benchmark.describe(), benchmark)
        failures = jobs.run_jobs(rows, self.workers, self.where)
        if any(row.cell(alpha).exists() for row in rows for alpha in row.alphas):
            frame = data.collect(rows, benchmark)
            with at_once():
                data.write(frame, folder)
                png, svg = figure.write(folder, frame, benchmark, self.agent)
                files = {"figure": png, "": svg, "results": folder / "results.csv"}
                tell(text.table(frame, benchmark, self.agent), folder, files)
        if failures:
            raise UserError(
                f"{len(failures)} of {len(rows)} jobs failed, first {failures[0]}; the same "
                "command retries them"
            )
