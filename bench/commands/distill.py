"""`rlnas bench distill`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional

from rlnas.bench.bounds import Seed, TableFile, Within
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor


@dataclass(frozen=True)
class Distill:
    """Fit a small network to a surrogate of NAS-Bench-301; say how well it imitates it.

    Agents may train on what comes of it (`rlnas train --benchmark nb301-distilled-...`); searches
    are compared on the exact surrogate. Prints rank correlations and errors on held-out
    architectures.
    """

    surrogate: Positional[str] = "nb301"
    """What to imitate: the name of a surrogate that `rlnas bench list` shows."""
    labels: Annotated[int, Within(64, 100000000)] = 24_000
    """Exact look-ups, half of them uniform draws, the rest where climbs on the network lead."""
    rounds: Annotated[int, Within(0, 1000)] = 3
    """How often climbs add labels; 0: all are uniform draws."""
    width: Annotated[int, Within(1, 100000)] = 256
    """Of the two hidden layers."""
    steps: Annotated[int, Within(1, 100000000)] = 6_000
    """Batches of 256 learnt from in each round."""
    seed: Seed = 0
    """Root of all randomness."""
    where: OmitArgPrefixes[Executor] = LOCAL
    """Where architectures are labelled; `local`: in this process."""
    out: TableFile = None
    """File to write; default: the cache folder, as nb301-distilled-<surrogate>."""

    def __post_init__(self) -> None:
        for name, least in {"labels": 64, "rounds": 0, "width": 1, "steps": 1, "seed": 0}.items():
            if getattr(self, name) < least:
                raise UserError(f"--{name} is {getattr(self, name)}; expected at least {least}")

    def run(self) -> None:
        self.where.check()
        from rlnas.bench.nb301.distill import Fitting, write_distilled

        how = Fitting(self.labels, self.rounds, self.width, self.steps, self.seed)
        print(write_distilled(self.surrogate, how, self.out, self.where))
