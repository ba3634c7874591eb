"""`rlnas bench proxies`. Light: what is heavy is imported when it runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from rlnas.bench.bounds import Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.retrain.engine import require

ProxyName = Literal["params", "flops", "synflow", "snip", "grad_norm", "jacov", "nwot"]


@dataclass(frozen=True)
class Proxies:
    """Compute zero-cost proxies of the network of every architecture, untrained.

    The networks are those that the table trained, with the weights that the seed's training began
    with, and one batch of its training images; definitions of zero-cost-nas, and nwot of Mellor et
    al. Torch, one thread of the CPU. Survives kill -9: the same command goes on where it was.
    `rlnas predict BENCHMARK --columns FILE` says what they are worth. Needs the extra `retrain`
    (torch, nasbench-pytorch, scikit-learn).

    Examples:
      rlnas bench proxies nb101-digits
      rlnas bench proxies nb101-digits --cells 20 --proxies synflow nwot
    """

    benchmark: Positional[str] = "nb101-digits"
    """A table whose trainings rlnas knows."""
    proxies: tuple[ProxyName, ...] = (
        "params", "flops", "synflow", "snip", "grad_norm", "jacov", "nwot",
    )  # fmt: skip
    """Which; each is a column."""
    batch: Annotated[int, Within(2, 4096)] = 64
    """Images in the batch."""
    seed: Seed = 0
    """Of weights and batch."""
    cells: Annotated[int, Within(0, 10**9)] = 0
    """Only so many architectures, drawn at random; 0: all."""
    folder: Path | None = None
    """Where finished ones are kept; default: runs/proxies-<benchmark>."""
    out: Path | None = None
    """The CSV file to write (.csv, .csv.gz or .parquet); default: <benchmark>-proxies.csv here."""

    def __post_init__(self) -> None:
        if not self.proxies or len({*self.proxies}) < len(self.proxies):
            found = " ".join(self.proxies) or "empty"
            raise UserError(f"--proxies is {found}; expected different ones, at least 1")

    def run(self) -> None:
        """Compute what is missing, write the file."""
        require()
        from rlnas.bench.proxies import compute

        name = Path(self.benchmark).stem if self.benchmark.endswith(".npz") else self.benchmark
        folder = self.folder or Path("runs") / f"proxies-{name}"
        out = self.out or Path(f"{name}-proxies.csv")
        print(
            compute(
                self.benchmark, self.proxies, self.batch, self.seed, self.cells, folder, out
            )
        )  # fmt: skip
