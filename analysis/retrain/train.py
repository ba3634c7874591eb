"""The trainings behind `rlnas retrain`: which are missing, in how many processes, and what is kept
of them."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.analysis.comparison.runs import collect
from rlnas.analysis.retrain.data import (
    FORMAT,
    MANIFEST,
    RESULTS,
    VERSION,
    Chosen,
    failed,
    read,
    sessions,
    write_results,
)
from rlnas.analysis.retrain.select import choose, from_csv, ground, model_of
from rlnas.analysis.retrain.settings import RetrainSettings
from rlnas.analysis.retrain.write import write
from rlnas.bench import workers
from rlnas.bench.code import code_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import sha256
from rlnas.bench.progress import bar
from rlnas.bench.retrain import datasets, device
from rlnas.bench.retrain.energy import EnergyMeter
from rlnas.bench.retrain.engine import Engine, cores
from rlnas.bench.retrain.job import DONE, Data, Job, finished
from rlnas.bench.retrain.jobs import run_jobs
from rlnas.bench.retrain.throughput import Probe, compare, plain_peak_mb
from rlnas.bench.workers import Failure

MOST_SIDE_BY_SIDE = 8  # models on one GPU
FIT = "rlnas.bench.retrain.fit"  # the module that trains
TOP = 5  # of runs, where nothing else is asked for


def finish(config: RetrainSettings) -> Path:
    """Choose, train what is missing, write the report: the folder of it. `UserError` when trainings
    failed, after the report of the others."""
    runs = collect(config.runs) if config.runs else []
    benchmark, notes = ground(runs, config.benchmark, config.table_epochs)
    default = TOP if runs else 0
    chosen = choose(
        benchmark,
        runs,
        top=default if config.top is None else config.top,
        random=config.random,
        worst=config.worst,
        texts=[*config.cells, *(from_csv(config.csv) if config.csv else [])],
        seed=config.seed,
    )
    for note in notes:
        print(note, file=sys.stderr)
    folder = train(config, benchmark, chosen, notes)
    write(folder)
    if lost := failed(read(folder)[1]):
        raise UserError(
            f"{lost} trainings failed and are missing above; run the same command again to retry "
            "them"
        )
    return folder


def train(
    config: RetrainSettings, benchmark: Any, chosen: Sequence[Chosen], notes: Sequence[str] = ()
) -> Path:
    """Train what is missing of `chosen`; returns the folder with the results of all of it.

    Every end of a training is on disk at once, so an interrupted run loses at most the epochs under
    way.
    """
    data = Data(config.dataset, config.data_dir, config.settings.val_images)
    loaded = datasets.load(data.name, data_dir=data.data_dir, val_images=data.val_images)
    about_data = datasets.identity(data.name, loaded)
    batches = math.ceil(len(loaded.train) / config.settings.batch_size)
    del loaded  # every worker has its own
    total = len(chosen) * config.seeds
    processes = config.workers or min(total, cores())
    # By all trainings, not those that are left, so that a second call goes on with the same sums.
    made = device.resolve(
        config.options, config.settings.epochs * batches, max(1, cores() // processes)
    )
    models = [model_of(benchmark, c.arch) for c in chosen]
    base = {
        "dataset": about_data,
        "settings": asdict(config.settings),
        "numerics": made.numerics(),
        "code": code_of(FIT, *models),
    }
    shared = store.folder_of(config.out, "trainings", base)
    seeds = range(config.first_seed, config.first_seed + config.seeds)
    jobs = [
        Job(
            c.arch,
            model,
            seed,
            data,
            config.settings,
            made,
            shared,
            config.keep_weights,
        )
        for seed in seeds  # seed after seed: an interrupted run has something to say about all
        for c, model in zip(chosen, models, strict=True)
    ]
    identity = {
        "format": FORMAT,
        "version": VERSION,
        "benchmark": benchmark.describe(),
        **base,
        "chosen": [asdict(c) for c in chosen],
        "seeds": list(seeds),
    }
    folder = store.folder_of(config.out, "retrain", identity)
    before = sessions(folder)
    records = {(job.arch, job.seed): record for job in jobs if (record := finished(job))}
    missing = [job for job in jobs if (job.arch, job.seed) not in records]
    there = [job.record for job in jobs if (job.arch, job.seed) in records]
    store.tell_reused("trainings", there, total)
    session: dict[str, Any] | None = None
    if missing:
        if not (shared / MANIFEST).exists():
            store.write_json(
                shared / MANIFEST, {"format": "rlnas-trainings", "version": VERSION, **base}
            )
        found, session = _session(config, made, missing, total, processes)
        records |= found
    write_results(folder / RESULTS, chosen, [records[job.arch, job.seed] for job in jobs])
    manifest = identity | {
        "preset": config.preset,
        "trainings": str(shared),
        "results_sha256": sha256(folder / RESULTS),
        "notes": list(notes),
        "machine": device.describe(made),
        "versions": store.versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "sessions": [*before, *([session] if session else [])],
    }
    store.write_json(folder / MANIFEST, manifest)
    return folder


def _session(
    config: RetrainSettings, made: Engine, missing: Sequence[Job], total: int, processes: int
) -> tuple[dict[tuple[str, int], dict[str, Any]], dict[str, Any]]:
    """Train `missing`: (their records by architecture and seed, what the session took)."""
    here = config.where.executor == "local"
    speed = _speed(missing[0], config.plain_loop_batches) if here else {}
    if here and not config.workers:
        processes = _at_once(made.device, processes, speed)
        if not config.options.threads:
            made = replace(made, threads=max(1, cores() // processes))
            missing = [replace(job, engine=made) for job in missing]
    meter = EnergyMeter(_gpu_name(made.device))
    meter.start()
    started = time.monotonic()
    records: dict[tuple[str, int], dict[str, Any]] = {}
    epochs = config.settings.epochs
    reached, restored = [0] * len(missing), [0] * len(missing)
    before = (total - len(missing)) * epochs
    shown = bar(f"retrain {config.dataset}", total * epochs, unit="epoch", initial=before)

    def on_epochs(index: int, done: int, before: bool) -> None:
        if before:  # not this session's work: it must not make the rest look faster
            shown.initial += done
            restored[index] = done
        shown.update(done - reached[index])
        reached[index] = done

    def on_record(record: dict[str, Any]) -> None:
        records[record["arch"], record["seed"]] = record
        if record["status"] != DONE:
            shown.write(
                f"rlnas: {record['status']}: {record['arch']} seed {record['seed']}: "
                f"{record['reason']}",
                sys.stderr,
            )

    with shown:
        # What this machine has room for says nothing of a cluster.
        at_once = processes if here else config.workers or None
        run_jobs(missing, at_once, on_epochs, on_record, where=config.where)
    wall = time.monotonic() - started
    done = [record for record in records.values() if record["status"] == DONE]
    images = sum(
        epoch["images"]
        for job, skipped in zip(missing, restored, strict=True)
        for epoch in records[job.arch, job.seed].get("curve", [])[skipped:]
    )
    return records, {
        "wall_seconds": wall,
        "trainings": len(records),
        "done": len(done),
        "workers": min(at_once or len(missing), len(missing)),
        "threads": made.threads,
        "images_per_second": images / wall,
        "joules": meter.stop(),
        "throughput": speed or None,
    }


def _speed(job: Job, batches: int) -> dict[str, Any]:
    """What one model does alone, and a plain loop (see `throughput.compare`); {} when it is not
    asked for, or could not be measured."""
    if not batches:
        return {}
    ends: list[Any] = []
    with bar("speed of one model", 2, unit="measurement", leave=False) as shown:
        for function in (compare, plain_peak_mb):
            workers.run_all(
                function,
                [Probe(job, batches)],
                1,
                lambda _, told: None,
                lambda _, end: ends.append(end),
            )
            if isinstance(ends[-1], Failure):
                shown.write(
                    f"rlnas: the speed could not be measured: {ends[-1].reason}", sys.stderr
                )
                return {}
            shown.update()
    return ends[0] | {"plain_peak_mb": ends[1], "batches": batches, "arch": job.arch}


def _at_once(device: str, most: int, speed: Mapping[str, Any]) -> int:
    """How many models to train at once: as many as fill a GPU; on the CPU `most`, if their memory
    is there."""
    if device != "cpu":
        return max(1, min(MOST_SIDE_BY_SIDE, most, round(speed.get("side_by_side", 1.0))))
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free_mb = next(
            int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("MemAvailable")
        )
    except (OSError, StopIteration, ValueError):
        return most
    return max(1, min(most, int(free_mb / (1.2 * speed["ours_peak_mb"])))) if speed else most


def _gpu_name(device: str) -> str | None:
    """What nvidia-smi calls a torch device."""
    if device == "cpu":
        return None
    number = int(device.partition(":")[2] or 0)
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[number] if number < len(visible) else str(number)
