"""The options of `rlnas oneshot ghn`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rlnas.analysis.settings import check_folder
from rlnas.bench.bounds import Folder, Rate, Seed, Within
from rlnas.bench.retrain.engine import require

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {"max_vertices": 4, "held": 30, "epochs": 2, "steps": 10, "seeds": 1, "trainings": 1},
}


@dataclass(frozen=True)
class GhnSettings:
    """What is trained and judged, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table that tells the truth, of cells trained by `rlnas bench tabulate`: a name, or the
    path of a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: Annotated[int, Within(4, 7)] = 5
    """Only cells with at most so many vertices."""
    held: Annotated[int, Within(20, 100000)] = 500
    """Cells, drawn by each seed, that are never trained on; as many others are scored, too."""
    epochs: Annotated[int, Within(1, 100000)] = 10
    """Of a network's training; a checkpoint is written after each."""
    steps: Annotated[int, Within(1, 1000000)] = 1000
    """Batches an epoch, each of one cell drawn uniformly."""
    learning_rate: Rate = 0.001
    """Of the hypernetwork's Adam, at first; cosine to 0."""
    shared_rate: Rate = 0.015
    """The same of the supernet, whose optimiser is the table's."""
    seeds: Annotated[int, Within(1, 1000)] = 3
    """Networks of each kind, each with other cells held out. More may be added later."""
    seed: Seed = 1
    """The first one."""
    trainings: Annotated[int, Within(1, 10000)] = 10
    """Cells that are really trained, for their time alone."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder ghn-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` without what it needs."""
        check_folder(self.out)
        require()
