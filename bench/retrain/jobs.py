"""Trainings side by side: each from where it was left, recorded when it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.retrain import checkpoint, datasets, device, memory, networks
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.fit import Diverged, Fit
from rlnas.bench.retrain.job import DIVERGED, DONE, FAILED, Data, Job, keep, record_of
from rlnas.bench.workers import Failure, Tell


def run_jobs(
    jobs: Sequence[Job],
    workers: int | None,
    on_epochs: Callable[[int, int, bool], None],
    on_record: Callable[[dict[str, Any]], None],
    keep: Callable[[Job, dict[str, Any]], None] = keep,
    where: Executor = LOCAL,
) -> None:
    """Train `jobs`; the record of each is kept as soon as it ends.

    on_epochs(number of the job, epochs done, whether they were done before): after every epoch.
    on_record: told of every end, also a bad one. keep: where records go; by default each into a
    file of its job's folder.
    """

    def ended(index: int, result: Any) -> None:
        job = jobs[index]
        record = record_of(job, FAILED, result.reason) if isinstance(result, Failure) else result
        keep(job, record)
        on_record(record)

    threads = max((job.engine.threads for job in jobs), default=1)
    where.run_all(train, jobs, workers, lambda index, told: on_epochs(index, *told), ended, threads)


_loaded: tuple[tuple[Data, str], Dataset] | None = None  # one copy of the data a worker process


def data_of(job: Job) -> Dataset:
    """The job's data, on its device."""
    global _loaded
    key = job.data, job.engine.device
    if _loaded is None or _loaded[0] != key:
        data = datasets.load(
            job.data.name, data_dir=job.data.data_dir, val_images=job.data.val_images
        )
        _loaded = key, data.to(job.engine.device)
    return _loaded[1]


def make_fit(job: Job) -> Fit:
    """The job's training, at its beginning. `UserError` when its network cannot be built."""
    data = data_of(job)
    network, weights = networks.make(job.model, job.settings, data.channels, data.classes, job.seed)
    return Fit(network, weights, data, job.settings, job.seed, job.engine)


def train(job: Job, tell: Tell) -> dict[str, Any]:
    """The record of the job's training, however it ends.

    tell((epochs done, whether before)): after every epoch.
    """
    found = checkpoint.load(job.checkpoint, checkpoint.OF_A_JOB) if job.stored else None
    if found and (found[1]["arch"], found[1]["seed"]) != (job.arch, job.seed):
        found = None
    if found:
        # The number of threads decides the last digits of sums: go on with as many.
        job = replace(job, engine=replace(job.engine, threads=found[1]["threads"]))
    device.prepare(job.engine)
    memory.reset_peak(job.engine.device)
    try:
        fit = make_fit(job)
        if found:
            fit.restore(found[0], found[1]["fit"])
            tell((len(fit.curve), True))
        return _finish(job, fit, found[1].get("measured", []) if found else [], tell)
    except (torch.OutOfMemoryError, MemoryError) as error:
        return record_of(job, FAILED, _out_of_memory(error))
    except UserError as error:
        return record_of(job, FAILED, str(error))
    except RuntimeError as error:
        if "memory" not in str(error).lower():  # how torch says it on the CPU
            raise
        return record_of(job, FAILED, _out_of_memory(error))
    finally:
        if job.engine.device != "cpu":
            torch.cuda.empty_cache()  # for the models beside it


def _finish(job: Job, fit: Fit, measured: list[dict[str, Any]], tell: Tell) -> dict[str, Any]:
    """Train to the end. measured: at the epochs of `Job.measured` that are done."""
    params = sum(weight.numel() for weight in fit.weights)
    try:
        while not fit.done:
            fit.epoch()
            if (epoch := len(fit.curve)) in job.measured:
                measured = [*measured, {"epoch": epoch, **asdict(fit.measure())}]
            if job.stored:
                tensors, state = fit.state()
                about = {
                    "arch": job.arch,
                    "seed": job.seed,
                    "threads": job.engine.threads,
                    "measured": measured,
                    "fit": state,
                }
                checkpoint.save(job.checkpoint, tensors, about)
            tell((epoch, False))
    except Diverged as error:
        job.checkpoint.unlink(missing_ok=True)
        curve = [asdict(epoch) for epoch in fit.curve]
        return record_of(job, DIVERGED, str(error), curve=curve, params=params)
    at_the_end = measured and measured[-1]["epoch"] == len(fit.curve)
    accuracy = dict(measured[-1]) if at_the_end else asdict(fit.measure())
    accuracy.pop("epoch", None)
    if not job.keep_weights:
        job.checkpoint.unlink(missing_ok=True)
    curve = [asdict(epoch) for epoch in fit.curve]
    more: dict[str, Any] = {"measured": measured} if job.measured else {}
    seconds, images = (sum(epoch[key] for epoch in curve) for key in ("seconds", "images"))
    return record_of(
        job,
        DONE,
        params=params,
        epochs=len(curve),
        accuracy=accuracy,
        curve=curve,
        seconds=seconds,
        images_per_second=images / seconds,
        peak_mb=memory.peak_mb(job.engine.device),
        **more,
    )


def _out_of_memory(error: BaseException) -> str:
    said = str(error).strip()
    what = said.splitlines()[0] if said else type(error).__name__
    return f"out of memory: {what}; try a smaller batch, or fewer --workers"
