"""What it costs to give a grid of trainings to Ray instead of this machine's processes, and what a
second worker brings. Every run compiles anew."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.analysis.ablation import jobs
from rlnas.analysis.ablation.plan import plan
from rlnas.analysis.ablation.settings import AblateSettings
from rlnas.analysis.speed.measure import Measure, seconds_of
from rlnas.bench.compiled import FOLDER
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor


def measure(small: bool) -> list[Measure]:
    """The default grid of `rlnas ablate`; small: an eighth of it, and few steps."""
    local = seconds(small, 2, LOCAL)
    one, two = (seconds(small, workers, Executor("ray")) for workers in (1, 2))
    what = "a short grid" if small else "the default grid of `rlnas ablate`"
    overhead, efficiency = two / local - 1, one / two / 2
    return [
        Measure("Ray", two, local, "s", f"{what}, 2 workers: {overhead:+.0%} on local processes"),
        Measure("Ray, 2 workers", two, one, "s", f"{what}, 1 worker: efficiency {efficiency:.2f}"),
    ]


def seconds(small: bool, workers: int, where: Executor) -> float:
    """Of the whole grid, in a folder of its own. `UserError` where a job fails."""
    before = os.environ.get(FOLDER)
    with tempfile.TemporaryDirectory() as folder:
        os.environ[FOLDER] = str(Path(folder) / "compiled")  # what the worker processes take
        config = AblateSettings(
            benchmark="nb101-digits", workers=workers, where=where, out=Path(folder)
        )
        if small:
            few: dict[str, Any] = {"alpha": (1.0, 10.0), "neighbours": (5, 10), "seeds": 2}
            config = replace(config, **few, steps=3_072, evaluation_seeds=10)
        benchmark = bench.load(config.benchmark)
        rows, _ = plan(config, benchmark.describe(), benchmark)
        failures: list[str] = []
        try:
            spent = seconds_of(lambda: failures.extend(jobs.run_jobs(rows, workers, where)))
        finally:
            os.environ.pop(FOLDER)
            if before is not None:
                os.environ[FOLDER] = before
    if failures:
        raise UserError(failures[0])
    return spent
