"""The options of `rlnas ablate`. Light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlnas.agents import registry


@dataclass(frozen=True)
class AblateSettings:
    """Which grid of trainings, and where it goes."""

    agent: str = registry.TRAINED
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
    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""
    out: Path = Path("runs")
    """Folder of all runs."""
