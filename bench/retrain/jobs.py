"""One architecture, one seed: trained from where it was left, recorded when it is done. Run in
worker processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlnas.bench import workers
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.workers import Failure, Tell

if TYPE_CHECKING:
    from rlnas.bench.nb301.darts import Genotype
    from rlnas.bench.retrain.fit import Fit

FORMAT, VERSION = "rlnas-training", 1
DONE, DIVERGED, FAILED = "done", "diverged", "failed"
"""A diverged training would diverge again; a failed one (no memory, a killed worker) is tried
again."""


@dataclass(frozen=True)
class Data:
    """Which data set, as `datasets.load` takes it."""

    name: str
    data_dir: Path | None
    val_images: int


@dataclass(frozen=True)
class Job:
    """arch: its text, which names it. model: what is built. folder: of the trainings that share
    data and settings."""

    arch: str
    model: Cell | Genotype
    seed: int
    data: Data
    settings: Settings
    engine: Engine
    folder: Path
    keep_weights: bool = False

    @property
    def stem(self) -> Path:
        """Where its files are, without their endings."""
        return (
            self.folder / f"{hashlib.sha256(self.arch.encode()).hexdigest()[:16]}-seed{self.seed}"
        )

    @property
    def record(self) -> Path:
        return self.stem.with_suffix(".json")

    @property
    def checkpoint(self) -> Path:
        return self.stem.with_suffix(".safetensors")


def finished(job: Job) -> dict[str, Any] | None:
    """The record of a training that need not be done again; None for any other."""
    try:
        record = json.loads(job.record.read_text(encoding="utf-8"))
        same = (record["format"], record["version"], record["arch"], record["seed"]) == (
            FORMAT, VERSION, job.arch, job.seed,
        )  # fmt: skip
        return record if same and record["status"] in (DONE, DIVERGED) else None
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        return None


def run_jobs(
    jobs: Sequence[Job],
    processes: int,
    on_epochs: Callable[[int, int, bool], None],
    on_record: Callable[[dict[str, Any]], None],
) -> None:
    """Train `jobs`, each recorded in its folder as soon as it ends.

    on_epochs(number of the job, epochs done, whether they were done before): after every epoch.
    on_record: told of every end, also a bad one.
    """

    def ended(index: int, result: Any) -> None:
        if isinstance(result, Failure):
            result = _record(jobs[index], FAILED, result.reason)
        with atomic_path(jobs[index].record) as temporary:
            temporary.write_text(
                json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8"
            )
        on_record(result)

    workers.run_all(_train, jobs, processes, lambda index, told: on_epochs(index, *told), ended)


def _record(job: Job, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    return {
        "format": FORMAT, "version": VERSION, "arch": job.arch, "seed": job.seed, "status": status, "reason": reason,
        "settings": asdict(job.settings), "engine": asdict(job.engine), **more,
    }  # fmt: skip


_loaded: tuple[tuple[Data, str], Any] | None = None  # one copy of the data a worker process


def _data(job: Job) -> Any:
    global _loaded
    from rlnas.bench.retrain import datasets

    key = job.data, job.engine.device
    if _loaded is None or _loaded[0] != key:
        data = datasets.load(
            job.data.name, data_dir=job.data.data_dir, val_images=job.data.val_images
        )
        _loaded = key, data.to(job.engine.device)
    return _loaded[1]


def make_fit(job: Job) -> Fit:
    """The job's training, at its beginning. `UserError` when the network is not the table's."""
    from rlnas.bench.retrain.fit import Fit
    from rlnas.bench.retrain.networks import from_settings

    data = _data(job)
    network, weights = from_settings(job.model, job.settings, data.channels, data.classes, job.seed)
    return Fit(network, weights, data, job.settings, job.seed, job.engine)


def _train(job: Job, tell: Tell) -> dict[str, Any]:
    """The record of the job's training, however it ends."""
    import torch

    from rlnas.bench.retrain import checkpoint, engine, throughput
    from rlnas.bench.retrain.fit import Diverged

    found = checkpoint.load(job.checkpoint)
    if found and (found[1]["arch"], found[1]["seed"]) != (job.arch, job.seed):
        found = None
    if found:
        # The number of threads decides the last digits of sums: go on with as many.
        job = replace(job, engine=replace(job.engine, threads=found[1]["threads"]))
    engine.prepare(job.engine)
    throughput.reset_peak(job.engine.device)
    curve: list[dict[str, Any]] = []
    try:
        fit = make_fit(job)
        params = sum(weight.numel() for weight in fit.weights)
        if found:
            fit.restore(found[0], found[1]["fit"])
            tell((len(fit.curve), True))
        while not fit.done:
            fit.epoch()
            tensors, about = fit.state()
            about = {
                "arch": job.arch,
                "seed": job.seed,
                "threads": job.engine.threads,
                "fit": about,
            }
            checkpoint.save(job.checkpoint, tensors, about)
            tell((len(fit.curve), False))
        curve = [asdict(epoch) for epoch in fit.curve]
        accuracies = asdict(fit.measure())
    except Diverged as error:
        job.checkpoint.unlink(missing_ok=True)
        return _record(
            job, DIVERGED, str(error), curve=[asdict(epoch) for epoch in fit.curve], params=params
        )
    except (torch.OutOfMemoryError, MemoryError) as error:
        return _record(
            job,
            FAILED,
            f"out of memory: {_first_line(error)}; try a smaller batch, or fewer --workers",
        )
    except UserError as error:
        return _record(job, FAILED, str(error))
    except RuntimeError as error:
        if "memory" not in str(error).lower():  # how torch says it on the CPU
            raise
        return _record(
            job,
            FAILED,
            f"out of memory: {_first_line(error)}; try a smaller batch, or fewer --workers",
        )
    finally:
        if job.engine.device != "cpu":
            torch.cuda.empty_cache()  # for the models beside it
    if not job.keep_weights:
        job.checkpoint.unlink(missing_ok=True)
    seconds, images = (sum(epoch[key] for epoch in curve) for key in ("seconds", "images"))
    return _record(
        job, DONE, params=params, epochs=len(curve), accuracy=accuracies, curve=curve, seconds=seconds,
        images_per_second=images / seconds, peak_mb=throughput.peak_mb(job.engine.device),
    )  # fmt: skip


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
