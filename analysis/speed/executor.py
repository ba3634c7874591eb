"""What it costs to give a grid of trainings to Ray instead of this machine's processes, what a
second worker brings, and, reckoned from the seconds of its tasks, what many machines would. Every
run compiles anew."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlnas import bench
from rlnas.analysis.ablation import jobs
from rlnas.analysis.ablation.plan import GRIDS, plan
from rlnas.analysis.ablation.settings import AblateSettings
from rlnas.analysis.speed.measure import Measure, seconds_of
from rlnas.bench.compiled import FOLDER
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.jax_setup import variable

CORES = 2
"""Of each of the machines that are reckoned with, and workers."""
MACHINES = (1, 10, 100)
SMALL_TRAININGS = 2
FULL = {"alphas": 8, "neighbours": 5, "trainings": 20}
"""A grid as research wants it; a task is one alpha with one neighbour count."""


@dataclass(frozen=True)
class Watched(Executor):
    """Notes when tasks end. ended: seconds since the first was given."""

    ended: list[float] = field(default_factory=list)

    def run_all(
        self,
        function: Callable[..., Any],
        tasks: Sequence[Any],
        workers: int | None,
        on_message: Callable[[int, Any], None],
        on_done: Callable[[int, Any], None],
        threads: int = 1,
        xla_threads: int = 0,
    ) -> None:
        began = time.perf_counter()

        def done(number: int, result: Any) -> None:
            self.ended.append(time.perf_counter() - began)
            on_done(number, result)

        super().run_all(function, tasks, workers, on_message, done, threads, xla_threads)


def measure(small: bool) -> list[Measure]:
    """The default grid of `rlnas ablate`; small: an eighth of it, and few steps."""
    local = seconds(small, 2, LOCAL)
    watched = Watched("ray")
    one, two = seconds(small, 1, watched), seconds(small, 2, Executor("ray"))
    what = "a short grid" if small else "the default grid of `rlnas ablate`"
    overhead, efficiency = two / local - 1, one / two / 2
    return [
        Measure("Ray", two, local, "s", f"{what}, 2 workers: {overhead:+.0%} on local processes"),
        Measure("Ray, 2 workers", two, one, "s", f"{what}, 1 worker: efficiency {efficiency:.2f}"),
        *reckoned(
            np.diff([0.0, *watched.ended]), SMALL_TRAININGS if small else GRIDS["default"].seeds
        ),
    ]


def reckoned(spent: np.ndarray, trainings: int) -> list[Measure]:
    """Seconds on many machines, of the grid that was measured and of a `FULL` one, beside one
    machine's. spent: seconds of each task, one after another on one worker. trainings: in each."""
    work = np.concatenate([[np.median(spent[1:])], spent[1:]])
    begin = max(0.0, float(spent[0] - work[0]))
    count = FULL["alphas"] * FULL["neighbours"]
    more = FULL["trainings"] / trainings
    grids = {"this grid": work, "full grid": np.full(count, work.mean() * more)}
    return [
        Measure(
            f"{name}, {machines}", makespan(begin, tasks, CORES * machines),
            makespan(begin, tasks, CORES), "s",
            f"reckoned: {len(tasks)} tasks of {tasks.mean():.0f} s, {begin:.0f} s until a worker "
            f"begins; machines of {CORES} cores: {machines}; reference: 1",
        )
        for name, tasks in grids.items()
        for machines in MACHINES
    ]  # fmt: skip


def makespan(begin: float, tasks: Sequence[float] | np.ndarray, workers: int) -> float:
    """Seconds until all are done: who is free takes the next. begin: of a worker, once; what it
    imports and compiles."""
    ends = [0.0] * min(workers, len(tasks))
    for task in tasks:
        first = min(range(len(ends)), key=ends.__getitem__)
        ends[first] = (ends[first] or begin) + float(task)
    return max(ends, default=0.0)


def told(measures: Sequence[Mapping[str, Any]]) -> str:
    """What they come to, for a page of results. measures: of a record of `rlnas speed --json`."""
    found = {one["name"]: one for one in measures}
    ray, two = found["Ray"], found["Ray, 2 workers"]
    this, full = (
        ", ".join(f"{clock(found[f'{grid}, {n}']['ours'])} on {n}" for n in MACHINES)
        for grid in ("this grid", "full grid")
    )
    alphas, neighbours, trainings = FULL.values()
    return (
        f"`rlnas ablate`'s default grid on Ray, two workers: {clock(ray['ours'])}, "
        f"{ray['ours'] / ray['reference'] - 1:+.0%} on local processes; efficiency from one worker "
        f"to two {two['reference'] / two['ours'] / 2:.2f}. Reckoned from the seconds of its tasks, "
        f"on machines of {CORES} cores: this grid takes {this}; one of {alphas} alphas, "
        f"{neighbours} N, {trainings} trainings each, as long as here, {full}. A task is one alpha "
        f"with one N, so {-(-alphas * neighbours // CORES)} machines are all that it can use."
    )


def clock(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def seconds(small: bool, workers: int, where: Executor) -> float:
    """Of the whole grid, in a folder of its own. `UserError` where a job fails."""
    with tempfile.TemporaryDirectory() as folder:
        config = AblateSettings(
            benchmark="nb101-digits", workers=workers, where=where, out=Path(folder)
        )
        if small:
            few: dict[str, Any] = {"alpha": (1.0, 10.0), "neighbours": (5, 10)}
            few["seeds"] = SMALL_TRAININGS
            config = replace(config, **few, steps=3_072, evaluation_seeds=10)
        benchmark = bench.load(config.benchmark)
        rows, _ = plan(config, benchmark.describe(), benchmark)
        failures: list[str] = []
        with variable(FOLDER, str(Path(folder) / "compiled")):  # what the worker processes take
            spent = seconds_of(lambda: failures.extend(jobs.run_jobs(rows, workers, where)))
    if failures:
        raise UserError(failures[0])
    return spent
