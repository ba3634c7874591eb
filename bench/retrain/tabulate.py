"""Train every cell of a list, every seed, in worker processes; survive kill -9; make a table of
it."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.nb101.cell import Cell, module_hash
from rlnas.bench.retrain.recipe import Recipe

RECORDS, MANIFEST = "records.jsonl", "manifest.json"


def identity(dataset: str, recipe: Recipe) -> dict[str, Any]:
    """What makes two trainings comparable; records of another identity are never mixed in."""
    return {"dataset": dataset, "recipe": json.loads(json.dumps(asdict(recipe)))}


def default_folder(dataset: str, recipe: Recipe) -> Path:
    """`runs/tabulate-<dataset>-<hash of the identity>`."""
    text = json.dumps(identity(dataset, recipe), sort_keys=True)
    return Path("runs") / f"tabulate-{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def tabulate(
    cells: Sequence[Cell],
    dataset: str,
    recipe: Recipe,
    seeds: Sequence[int],
    folder: Path,
    workers: int,
) -> list[str]:
    """Train what is missing in `folder`, seed after seed; returns one line a failed training.

    Each finished training is one line of `records.jsonl`, written at once, so that an interrupted
    run loses at most the trainings under way. Raises `UserError` when `folder` holds another
    recipe.
    """
    from rlnas.bench.retrain import datasets

    splits = datasets.load(dataset).splits  # also checks the name before anything is written
    _open_folder(folder, identity(dataset, recipe) | {"splits": splits})
    done = {(record["hash"], record["seed"]) for record in read_records(folder)}
    hashes = [module_hash(cell) for cell in cells]
    jobs = [
        (cell, seed)
        for seed in seeds
        for cell, key in zip(cells, hashes, strict=True)
        if (key, seed) not in done
    ]
    total = len(cells) * len(seeds)
    failures: list[str] = []
    if not jobs:
        return failures
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(os.getpid(), dataset),
    )
    with (
        open(folder / RECORDS, "a") as file,
        pool,
        tqdm(
            total=total,
            initial=total - len(jobs),
            unit="training",
            desc=f"tabulate {dataset}",
            mininterval=1,
        ) as bar,
    ):
        futures = {pool.submit(_train_one, cell, recipe, seed): (cell, seed) for cell, seed in jobs}
        try:
            for future in as_completed(futures):
                cell, seed = futures.pop(future)
                if error := future.exception():
                    failures.append(
                        f"cell {module_hash(cell)} seed {seed}: {type(error).__name__}: {error}"
                    )
                else:
                    file.write(json.dumps(future.result()) + "\n")
                    file.flush()
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failures


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The finished trainings in `folder`; a last line cut short by a kill is left out and
    removed."""
    path = folder / RECORDS
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            raise UserError(
                f"{path}, line {number}: not a record (damaged file?); delete that line and run "
                "again"
            ) from None


def _open_folder(folder: Path, wanted: dict[str, Any]) -> None:
    path = folder / MANIFEST
    if path.exists():
        found = json.loads(path.read_text())
        for key, value in wanted.items():
            if found.get(key) != value:
                raise UserError(
                    f"{folder} holds trainings with {key} {found.get(key)}, expected {value}; "
                    "choose another --folder"
                )
        return
    wanted = wanted | {
        "machine": platform.processor() or platform.machine(),
        "versions": _versions(),
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(wanted, indent=1))


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {"python": platform.python_version()} | {
        name: version(name) for name in ("torch", "nasbench-pytorch", "scikit-learn")
    }


_dataset: Any = None  # one copy a worker process


def _start_worker(parent: int, dataset: str) -> None:
    global _dataset
    import torch

    from rlnas.bench.retrain import datasets
    from rlnas.bench.workers import die_with

    threading.Thread(target=die_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    _dataset = datasets.load(dataset)


def _train_one(cell: Cell, recipe: Recipe, seed: int) -> dict[str, Any]:
    from rlnas.bench.retrain.trainer import train

    outcome = train(cell, _dataset, recipe, seed)
    return {"hash": module_hash(cell), "seed": seed} | asdict(outcome)
