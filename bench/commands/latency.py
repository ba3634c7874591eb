"""`rlnas bench latency`. Light: what is heavy is imported when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError
from rlnas.bench.retrain.engine import require

Some = Annotated[int, Within(1, 100_000)]


@dataclass(frozen=True)
class Latency:
    """Measure how long each architecture's network takes to answer on this machine.

    The networks are those that the table trained; torch, one thread of the CPU, evaluation mode.
    All are measured round after round, each round in another order; what counts is the median over
    the rounds of the median of the runs. Survives kill -9: the same command goes on where it was.
    `rlnas bench add-columns` puts the file it writes into the table. Measure on a quiet machine.
    Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).

    Examples:
      rlnas bench latency nb101-digits
      rlnas bench latency nb101-digits --cells 10 --rounds 1
    """

    benchmark: Positional[str] = "nb101-digits"
    """A table whose trainings rlnas knows."""
    batches: tuple[int, ...] = (1, 64)
    """Images a batch; each is a column."""
    runs: Some = 25
    """Forward passes a round, of which the median counts."""
    rounds: Some = 3
    """How often all are measured."""
    cells: Annotated[int, Within(0, 10**9)] = 0
    """Measure only so many, drawn at random; 0: all."""
    folder: Path | None = None
    """Where finished measurements are kept; default: runs/latency-<benchmark>."""
    out: Path | None = None
    """The CSV file to write; default: <benchmark>-latency.csv here."""

    def __post_init__(self) -> None:
        if not self.batches or min(self.batches) < 1 or len({*self.batches}) < len(self.batches):
            raise UserError(f"--batches is {self.batches}; expected different sizes of at least 1")

    def run(self) -> None:
        require()
        from rlnas.bench.latency import measure

        name = Path(self.benchmark).stem if self.benchmark.endswith(".npz") else self.benchmark
        folder = self.folder or Path("runs") / f"latency-{name}"
        out = self.out or Path(f"{name}-latency.csv")
        print(
            measure(self.benchmark, self.batches, self.runs, self.rounds, folder, out, self.cells)
        )
