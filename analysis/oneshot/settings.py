"""The options of `rlnas oneshot`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.bounds import Folder, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.retrain.engine import require

PRESETS: dict[str, dict[str, Any]] = {
    # Chosen on seed 0 by the rank correlation with the table; what is reported has other seeds.
    "default": {},
    # One supernet of all cells (Guo et al. 2020).
    "single": {
        **{"split": "none", "epochs": 10, "steps": 1000, "learning_rate": 0.015},
        "score": "loss",
    },
    # Seconds, for tests and first looks.
    "smoke": {"max_vertices": 4, "epochs": 1, "steps": 10, "seeds": 1, "trainings": 1},
}


@dataclass(frozen=True)
class OneShotSettings:
    """What to train and compare, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table to compare with, of cells trained by `rlnas bench tabulate`: a name, or the path of
    a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "single", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: Annotated[int, Within(3, 7)] = 5
    """Only the cells with at most so many vertices."""
    epochs: Annotated[int, Within(1, 1000000)] = 1
    """Length of each supernet's training; a checkpoint is written after each."""
    steps: Annotated[int, Within(1, 10000000)] = 60
    """Batches an epoch."""
    learning_rate: Annotated[float, Within(0, 10, open=True)] = 0.2
    """At first; cosine to 0. The rest of the optimiser is the table's own recipe."""
    sampling: Literal["uniform", "fair", "sandwich"] = "uniform"
    """Cells that a batch trains: one, drawn uniformly; three of one graph, so that every operation
    is trained equally often at every position; or one, the largest and the smallest."""
    split: Literal["none", "operations", "graph"] = "operations"
    """Cells that share weights: all; or, in supernets of their own, those with the same operations
    and as many vertices before the output, or of the same graph."""
    seeds: Annotated[int, Within(1, 10000)] = 3
    """Supernets to train, each from its own seed; of split cells, a set of them a seed."""
    seed: Seed = 1
    """The first one. The settings were chosen on seed 0."""
    score: Literal["loss", "accuracy"] = "accuracy"
    """What ranks the cells: validation cross-entropy or accuracy with shared weights. Both are
    written."""
    trainings: Annotated[int, Within(1, 1000000)] = 10
    """Cells, drawn uniformly, that are really trained here for their time, as the table's was
    another machine's."""
    where: tyro.conf.OmitArgPrefixes[Executor] = LOCAL
    """Where the supernets train; `local`: one after another in this process. Times are measured
    here."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder oneshot-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range, or without what it needs."""
        check_at_least(
            1, epochs=self.epochs, steps=self.steps, seeds=self.seeds, trainings=self.trainings
        )
        self.where.check()
        if not 3 <= self.max_vertices <= 7:
            raise UserError(f"--max-vertices is {self.max_vertices}; expected 3 to 7")
        if not 0 < self.learning_rate < 10:
            raise UserError(
                f"--learning-rate is {self.learning_rate}; expected a number from 0 to 10"
            )
        if (self.sampling, self.split) == ("fair", "operations"):
            raise UserError(
                "--sampling fair trains every operation, where --split operations shares weights "
                "among cells of the same ones; choose another --split or --sampling"
            )
        check_seed(self.seed)
        check_folder(self.out)
        require()


ENAS_PRESETS: dict[str, dict[str, Any]] = {
    # As the supernet of all cells (`single`); the controller's steps as in ENAS' code.
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {
        **{"max_vertices": 4, "epochs": 2, "steps": 5, "controller_steps": 1, "samples": 12},
        **{"seeds": 1, "trainings": 1, "table_seeds": 10},
    },
}


@dataclass(frozen=True)
class EnasSettings:
    """What to search, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table to compare with, of cells trained by `rlnas bench tabulate`: a name, or the path of
    a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: Annotated[int, Within(3, 7)] = 5
    """Only the cells with at most so many vertices."""
    epochs: Annotated[int, Within(1, 1000000)] = 10
    """Turns of the shared weights and the controller; a checkpoint is written after each."""
    steps: Annotated[int, Within(1, 10000000)] = 1000
    """Batches of the shared weights a turn, each of one cell that the controller draws."""
    learning_rate: Annotated[float, Within(0, 10, open=True)] = 0.015
    """Of the shared weights, at first; cosine to 0. The rest of the optimiser is the table's own
    recipe."""
    controller_steps: Annotated[int, Within(1, 1000000)] = 30
    """Updates of the controller a turn, each from the rewards of 10 cells."""
    samples: Annotated[int, Within(1, 1000000)] = 100
    """Cells drawn from the controller at the end, scored with the shared weights; the best 10 are
    trained for real."""
    seeds: Annotated[int, Within(1, 10000)] = 3
    """Searches, each from its own seed. More may be added later."""
    seed: Seed = 1
    """The first one."""
    trainings: Annotated[int, Within(1, 1000000)] = 5
    """Cells, drawn uniformly, that are really trained here for their time, as the table's was
    another machine's."""
    table_seeds: Annotated[int, Within(1, 10000)] = 100
    """Searches of the same controller on the table, where each query is a training, to compare
    with."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder enas-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` without what it needs."""
        if not 3 <= self.max_vertices <= 7:
            raise UserError(f"--max-vertices is {self.max_vertices}; expected 3 to 7")
        check_seed(self.seed)
        check_folder(self.out)
        require()
