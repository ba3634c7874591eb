"""The options of `rlnas retrain`. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from rlnas.analysis.settings import check_at_least, check_folder
from rlnas.bench.bounds import Epochs, Folder, Seed, Within
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.retrain.engine import Options, require
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.retrain.recipes import presets

if TYPE_CHECKING:
    PresetName = str
else:
    PresetName = Literal[tuple(presets())]


@dataclass(frozen=True)
class RetrainSettings:
    """What to train, how, and where it goes."""

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders, or `compare-...` folders for all of their runs."""

    top: Annotated[int | None, Within(1, 1000000)] = None
    """So many of the best architectures by validation, over all seeds of RUNS; default 5, none
    without RUNS."""

    random: Annotated[int, Within(0, 1000000)] = 0
    """So many controls, drawn uniformly from the benchmark, none of them among the top."""

    worst: Annotated[int, Within(0, 1000000)] = 0
    """So many of the worst by the table among those that RUNS looked up."""

    cells: tuple[str, ...] = ()
    """Architectures by their text, as `rlnas bench export` writes them."""

    csv: Path | None = None
    """Architectures from a CSV file, column `arch`."""

    seed: Seed = 0
    """Of the draw of the controls."""

    dataset: str = "cifar10"
    """Images: cifar10 (0.17 GB, downloaded once), digits, or an `.npz` with x_train, y_train,
    x_test, y_test."""

    data_dir: Path | None = None
    """Where CIFAR-10's archive lies or goes; default: the cache folder."""

    preset: PresetName = "nb101"
    """Recipe; default: digits for digits, else that of the benchmark of RUNS."""

    settings: tyro.conf.OmitArgPrefixes[Settings] = field(default_factory=Settings)
    """The recipe."""

    seeds: Annotated[int, Within(1, 10000)] = 3
    """Trainings of each architecture."""

    first_seed: Seed = 1000
    """Seeds count from here. An embedded table's own repeats are seeds 0, 1 and 2: they would only
    be repeated."""

    workers: Annotated[int, Within(0, 1024)] = 0
    """Trainings at once; 0: on the CPU one a core, on a GPU as many as fill it, with --executor ray
    as many as the cluster has room for."""

    where: tyro.conf.OmitArgPrefixes[Executor] = LOCAL
    """Where the trainings run; what one leaves to go on from lies below --out, so that another
    machine goes on with it where that is shared."""

    options: tyro.conf.OmitArgPrefixes[Options] = field(default_factory=Options)
    """How to run."""

    plain_loop_batches: Annotated[int, Within(0, 1000000)] = 20
    """Measure the speed of one model over so many batches, beside a plain loop; 0: do not, nor on a
    cluster."""

    keep_weights: bool = False
    """The trained weights stay (safetensors), instead of going with the checkpoint."""

    benchmark: str | None = None
    """The table to compare with, by name or path; default: that of RUNS, else nb101-digits."""

    table_epochs: Epochs = None
    """Its training budget; default: that of RUNS, else the longest."""

    out: Folder = Path("runs")
    """Folder of all runs: trainings are kept in trainings-<hash>, results go to retrain-<hash>."""

    def check(self) -> None:
        """`UserError` for an option out of its range, or a package that is missing."""
        check_at_least(1, seeds=self.seeds)
        check_at_least(
            0,
            top=self.top or 0,
            random=self.random,
            worst=self.worst,
            workers=self.workers,
            plain_loop_batches=self.plain_loop_batches,
        )
        check_folder(self.out)
        self.where.check()
        require()
