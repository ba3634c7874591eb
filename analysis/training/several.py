"""Trainings of several seeds: one after another here, or as tasks in other processes and on other
machines; each in its own folder, to the bytes of one that is alone."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.agents.learner import iterations
from rlnas.analysis import store
from rlnas.analysis.trackers import Row, Tracker, named, tracked
from rlnas.analysis.training.data import STATE, read
from rlnas.analysis.training.loop import identity_of, settings_of, shown_part, train
from rlnas.analysis.training.settings import TrainSettings
from rlnas.bench.executor import LOCAL, check_same
from rlnas.bench.files import at_once, atomic_path
from rlnas.bench.jax_setup import pinned
from rlnas.bench.progress import bar, silent
from rlnas.bench.workers import Failure, Tell

Made = Callable[[TrainSettings, Path], None]


@dataclass(frozen=True)
class Task:
    """One training. identity: what decides its bytes where the command runs. files: what there is
    of it, by name; None: the process that does it writes into the folder itself."""

    config: TrainSettings
    identity: Mapping[str, Any]
    files: Mapping[str, bytes] | None = None

    def __str__(self) -> str:
        return f"training of seed {self.config.seed}"

    @property
    def folder(self) -> Path:
        return store.folder_of(self.config.out, "train", self.identity)


@pinned()
def train_several(
    config: TrainSettings,
    benchmark: Any,
    trackers: Sequence[Tracker] = (),
    made: Made = lambda config, folder: None,
) -> tuple[list[Path], list[str]]:
    """(the folders in the seeds' order, a line for each training that failed). made: told of each
    as soon as it is done, or found done, with the settings of it alone.

    trackers: as of `train`; of a training elsewhere they are told when it has ended. In this
    process, with neither workers nor Ray, what a training raises is raised here.
    """
    each = [of_seed(config, seed) for seed in range(config.seed, config.seed + config.seeds)]
    folders: dict[int, Path] = {}
    failures: dict[int, str] = {}

    def ended(one: TrainSettings, folder: Path) -> None:
        folders[one.seed] = folder
        made(one, folder)

    here = config.where.executor == "local"
    if here and config.workers is None:
        for one in each:
            ended(one, train(one, benchmark, trackers))
        return list(folders.values()), []
    learner = settings_of(config, benchmark)
    part, _ = shown_part(config, benchmark)
    tasks = []
    for one in each:
        task = Task(one, identity_of(one, learner, benchmark, part))
        if (task.folder / store.MANIFEST).exists():
            ended(one, train(one, benchmark, trackers))
        elif here:
            tasks.append(replace(task, config=replace(one, log=config.log)))
        else:
            tasks.append(replace(task, files=files_of(task.folder, "*")))
    steps = iterations(learner) * learner.iteration_steps
    reached = [0] * len(tasks)

    def on_message(number: int, told: tuple[int, Mapping[str, bytes]]) -> None:
        step, files = told
        if step > reached[number]:  # one that was begun again is behind what is here
            keep(tasks[number].folder, files)
            shown.update(step - reached[number])
            reached[number] = step

    def on_done(number: int, result: Any) -> None:
        task = tasks[number]
        if isinstance(result, Failure):
            failures[number] = f"{task}: {result.reason[:300]}"
            return
        if not here:
            keep(task.folder, result)
            (task.folder / STATE).unlink(missing_ok=True)
            with tracked(trackers, task.folder, task.identity, read(task.folder)[1]):
                pass
        ended(task.config, task.folder)

    with bar(
        "train", steps * len(each), unit="step", initial=steps * len(folders), unit_scale=True
    ) as shown:
        config.where.run_all(train_apart, tasks, config.workers, on_message, on_done)
    return [folders[seed] for seed in sorted(folders)], [failures[i] for i in sorted(failures)]


def of_seed(config: TrainSettings, seed: int) -> TrainSettings:
    """The settings of one training, done here, that nobody is told of; of a class that every
    process knows, whatever that of the command line is."""
    alone = {"seed": seed, "seeds": 1, "workers": None, "where": LOCAL, "log": ()}
    given = {field.name: getattr(config, field.name) for field in fields(TrainSettings)}
    return TrainSettings(**(given | alone))


@pinned()
def train_apart(task: Task, tell: Tell) -> dict[str, bytes]:
    """The files of a finished training, where they are sent; tells of each evaluation (steps,
    files: the training goes on from them)."""
    config = task.config
    benchmark = bench.load(config.benchmark, epochs=config.epochs, noise=config.noise)
    check_same(config.benchmark, benchmark.describe(), task.identity["benchmark"])
    part, _ = shown_part(config, benchmark)
    found = identity_of(config, settings_of(config, benchmark), benchmark, part)
    check_same(str(task), found, task.identity)
    with silent():
        if task.files is None:
            try:
                train(config, benchmark, [*named(config.log), Telling(tell, sends=False)])
            except KeyboardInterrupt:  # of the process that ends this one; the state is saved
                sys.exit(1)
            return {}
        with tempfile.TemporaryDirectory(prefix="rlnas-") as place:
            there = replace(config, out=Path(place))
            folder = store.folder_of(there.out, "train", found)
            keep(folder, task.files)
            train(there, benchmark, [Telling(tell, sends=True)])
            return files_of(folder, "**/*")


class Telling:
    """A tracker that passes on how far a training is."""

    def __init__(self, tell: Tell, sends: bool) -> None:
        self._tell, self._sends = tell, sends
        self._folder = Path()

    def start(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self._folder = folder

    def log(self, step: int, values: Row) -> None:
        self._tell((step, files_of(self._folder, "*") if self._sends else {}))

    def finish(self) -> None:
        pass


def files_of(folder: Path, pattern: str) -> dict[str, bytes]:
    """Its files by their names in it, without what is half-written; {} where there is none."""
    files = [path for path in folder.glob(pattern) if path.is_file() and path.name[0] != "."]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def keep(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write them, all at once. A state is of no later moment than the checkpoint beside it, and the
    manifest stands for all: they come last."""
    last = {STATE: 1, store.MANIFEST: 2}
    with at_once():
        for name in sorted(files, key=lambda name: last.get(name, 0)):
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(files[name])
