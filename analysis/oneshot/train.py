"""From options to the files of `rlnas oneshot`: the supernets, their scores, and their time beside
real trainings."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from rlnas.analysis import store
from rlnas.analysis.oneshot.data import ground_of, read_scored, write_scored
from rlnas.analysis.oneshot.measures import compare
from rlnas.analysis.oneshot.report import Scored
from rlnas.analysis.oneshot.settings import OneShotSettings
from rlnas.analysis.oneshot.write import ONESHOT, lines, write
from rlnas.bench.checks import Each, Fields, Number, check
from rlnas.bench.errors import UserError
from rlnas.bench.executor import check_same
from rlnas.bench.nb101 import supernet, supernet_training
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.sharing import parts
from rlnas.bench.progress import bar
from rlnas.bench.reading import read_json, write_json
from rlnas.bench.retrain import device, networks
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.fit import Fit
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.workers import Failure, Tell

TIMED = "timed.json"
SUPERNET = "rlnas.bench.nb101.supernet_training"
"""The module that trains and scores."""
OPEN = ("benchmark", "preset", "seeds", "seed", "score", "trainings", "where", "out")
"""Options that are named otherwise, or add to a folder and do not change what is there."""
AGAIN = "delete it and run again"
TIMES = Fields({"seconds": Each(Each(Number(0), 3))})
SAMPLE = 50  # steps, and cells scored, whose time is taken together


def finish(config: OneShotSettings) -> None:
    """Train what is missing, compare, write the files, print the table and where they lie."""
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    truth, recipe, images, _, facts, _ = ground
    identity = ONESHOT.identity(config, OPEN, (SUPERNET,), benchmark=facts)
    folder = store.folder_of(config.out, "oneshot", identity)
    scored = train_and_score(config, len(truth.cells), folder, facts)
    timed = time_apart(config, truth.cells, images, recipe, folder)
    supernets = len(parts(truth.cells, config.split))
    steps = config.epochs * config.steps * supernets
    report = compare(truth, scored, config.score, timed, steps)
    asked = {
        "seed": config.seed,
        "seeds": config.seeds,
        "score": config.score,
        "recipe": asdict(recipe),
    }
    versions = store.versions() | {"torch": version("torch")}
    summary = identity | asked | {"results": report.summary(), "versions": versions}
    ONESHOT.write(folder, summary, lines(truth, scored))
    write(folder)


@dataclass(frozen=True)
class Task:
    """One supernet. about: what tells the table from another of that name."""

    config: OneShotSettings
    folder: Path
    seed: int
    about: Mapping[str, Any]

    def __str__(self) -> str:
        return f"supernet of seed {self.seed}"

    @property
    def path(self) -> Path:
        return self.folder / f"seed-{self.seed}.npz"

    @property
    def parts(self) -> Path:
        """The scores of the parts that are done."""
        return self.folder / f"seed-{self.seed}.parts.npz"

    def checkpoint(self, part: int) -> Path:
        return self.folder / f"seed-{self.seed}-{part}.safetensors"

    def clean(self) -> None:
        """Without what only going on needs; another such command may have been as far."""
        for path in (self.parts, *self.folder.glob(f"seed-{self.seed}-*.safetensors")):
            path.unlink(missing_ok=True)


def train_and_score(
    config: OneShotSettings, cells: int, folder: Path, about: Mapping[str, Any]
) -> list[Scored]:
    """Every seed, from its file where it is done. cells: so many are scored. about: see `Task`."""
    seeds = range(config.seed, config.seed + config.seeds)
    tasks = [Task(config, folder, seed, about) for seed in seeds]
    there = [task.path for task in tasks if task.path.exists()]
    store.tell_reused("supernets", there, config.seeds)
    missing = [task for task in tasks if not task.path.exists()]
    failures: dict[int, str] = {}

    def done(number: int, found: Scored | Failure) -> None:
        task = missing[number]
        if isinstance(found, Failure):
            failures[number] = f"{task}: {found.reason}"
            return
        folder.mkdir(parents=True, exist_ok=True)
        write_scored(task.path, found)
        task.clean()

    config.where.run_all(train_one, missing, 0, lambda number, told: None, done)
    if failures:
        raise UserError(
            f"{len(failures)} of {len(missing)} supernets failed, first "
            f"{failures[min(failures)]}; the same command goes on"
        )
    return [read_scored(task.path, task.seed, cells) for task in tasks]


def train_one(task: Task, told: Tell) -> Scored:
    """One task: a supernet of each part of the cells after the other, all from the same seed, from
    the last epoch on where that is there."""
    config, seed = task.config, task.seed
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    check_same(config.benchmark, ground.facts, task.about)
    cells, recipe, images = ground.truth.cells, ground.recipe, ground.images
    shared = parts(cells, config.split)
    task.folder.mkdir(parents=True, exist_ok=True)
    scored = read_scored(task.parts, seed) if task.parts.exists() else Scored.none(seed)
    places, sizes = np.concatenate(shared), np.cumsum([0, *map(len, shared)]).tolist()
    if len(scored.loss) not in sizes:
        raise UserError(f"{task.parts} ends within a part; {AGAIN}")
    with bar(f"seed {seed}: train and score", len(cells), unit="cell") as shown:
        shown.update(len(scored.loss))
        for number in range(sizes.index(len(scored.loss)), len(shared)):
            some, own = [cells[i] for i in shared[number]], task.checkpoint(number)
            scored = scored.and_then(part_of(config, some, images, recipe, seed, own, shown))
            if number + 1 < len(shared):
                write_scored(task.parts, scored)
                own.unlink(missing_ok=True)
    order = np.argsort(places)
    return scored._replace(accuracy=scored.accuracy[order], loss=scored.loss[order])


def part_of(
    config: OneShotSettings,
    cells: Sequence[Cell],
    images: Dataset,
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
    shown: Any,
) -> Scored:
    """A supernet of some cells, and their scores. shown: the progress bar of cells scored."""

    def show(done: supernet_training.Progress) -> None:
        shown.set_postfix(epoch=f"{done.epoch} of {config.epochs}", loss=f"{done.loss:.3f}")

    schedule = schedule_of(config, config.epochs, config.steps)
    net, seconds = supernet_training.train(cells, images, recipe, schedule, seed, checkpoint, show)
    start = time.perf_counter()
    accuracy, loss = supernet.score(net, cells, images, shown.update)
    return Scored(seed, accuracy, loss, seconds, time.perf_counter() - start)


def schedule_of(config: OneShotSettings, epochs: int, steps: int) -> supernet_training.Schedule:
    return supernet_training.Schedule(epochs, steps, config.learning_rate, config.sampling)


def time_apart(
    config: OneShotSettings, cells: Sequence[Cell], images: Dataset, recipe: Recipe, folder: Path
) -> list[tuple[float, float, float]]:
    """Seconds of (training a cell for real and measuring it, a step of the supernet, scoring a
    cell), many times.

    Processor time of one thread, the three by turns, so that a busy machine slows them alike: the
    seconds that the supernet took on the clock would tell more of what else was running. Kept in a
    file, which more may be added to.
    """
    path = folder / TIMED
    found: list[tuple[float, float, float]] = []
    if path.exists():
        timed = check(read_json(path, hint=AGAIN), TIMES, path, AGAIN)
        found = [(real, step, scoring) for real, step, scoring in timed["seconds"]]
    drawn = np.random.default_rng(0).integers(len(cells), size=config.trainings)
    schedule = schedule_of(config, 1, SAMPLE)

    with tempfile.TemporaryDirectory() as scratch:

        def train() -> Any:
            state = Path(scratch) / "state"
            return supernet_training.train(cells, images, recipe, schedule, 0, state)[0]

        if len(found) < config.trainings:
            net = train()  # what a first time costs is not counted
            really(cells[0], images, replace(recipe.settings, epochs=1))
        rng = np.random.default_rng(1)
        left = drawn[len(found) :].tolist()
        with bar("timing", len(left), unit="training") as shown:
            for place in left:
                (Path(scratch) / "state").unlink()
                some = [cells[i] for i in rng.integers(len(cells), size=SAMPLE).tolist()]
                real = seconds_of(lambda place=place: really(cells[place], images, recipe.settings))  # type: ignore[misc]
                step = seconds_of(train) / SAMPLE
                scoring = seconds_of(lambda some=some: supernet.score(net, some, images)) / SAMPLE  # type: ignore[misc]
                found.append((real, step, scoring))
                write_json(path, {"seconds": found})
                shown.update()
    return found[: config.trainings]


def really(cell: Cell, images: Dataset, settings: Settings) -> None:
    """Train one cell for real and measure it, in one thread."""
    device.one_thread()
    plan, channels, classes = CellNetwork(cell), images.channels, images.classes
    fit = Fit(*networks.make(plan, settings, channels, classes, 0), images, settings, 0)
    while not fit.done:
        fit.epoch()
    fit.measure()


def seconds_of(work: Callable[[], Any]) -> float:
    """Processor time."""
    start = process_time()
    work()
    return process_time() - start
