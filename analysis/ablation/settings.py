"""The options of `rlnas ablate`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rlnas.agents import registry
from rlnas.bench.bounds import Folder, Seed, Within, Workers
from rlnas.bench.executor import LOCAL, Executor


@dataclass(frozen=True)
class AblateSettings:
    """Which grid of trainings, and where it goes."""

    agent: str = registry.TRAINED
    """What to train, an agent that `rlnas train` can."""
    preset: Literal["default", "smoke", "paper"] = "default"
    """The grid and the size of a training to start from; options beside it go before it."""
    benchmark: str = "nb101-digits"
    """What to train and search on: a name that `rlnas bench list` shows, or the path of a table."""
    alpha: Annotated[tuple[float, ...], Within(0, 1000)] = ()
    """Shaping exponents; default: the preset's."""
    neighbours: Annotated[tuple[int, ...], Within(1, 10000)] = ()
    """Neighbour counts N; default: the preset's."""
    vary: tuple[str, ...] = ()
    """FIELD=value,value,... for any other setting of `rlnas train`, e.g. gamma=0.5,0.9 or
    network.layers=1,2."""
    seeds: Annotated[int | None, Within(1, 10000)] = None
    """Trainings of each combination; default: the preset's."""
    steps: Annotated[int | None, Within(1)] = None
    """Environment steps of a training; default: the preset's."""
    evaluation_seeds: Annotated[int, Within(1, 100000)] = 100
    """Searches of 50 queries that each trained agent is judged by."""
    seed: Seed = 0
    """Root of all randomness."""
    workers: Workers | None = None
    """Jobs at once; a row of the grid (all its alphas and seeds) is one, on Ray an alpha of it.
    Default: one a core."""
    where: tyro.conf.OmitArgPrefixes[Executor] = LOCAL
    """Where the jobs run."""
    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""
    out: Folder = Path("runs")
    """Folder of all runs."""
