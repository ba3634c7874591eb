"""Train every cell of a list, every seed, in worker processes; survive kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, writing
from rlnas.bench.nb101.cell import Cell, module_hash
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.progress import bar
from rlnas.bench.retrain import datasets
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.job import DONE, Data, Job
from rlnas.bench.retrain.jobs import run_jobs

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
    data = Data(dataset, None, recipe.settings.val_images)
    loaded = datasets.load(data.name, val_images=data.val_images)  # checks the name, too
    _open_folder(folder, identity(dataset, recipe) | {"splits": loaded.splits})
    done = {(record["hash"], record["seed"]) for record in read_records(folder)}
    named = {module_hash(cell): cell for cell in cells}
    jobs = [
        Job(
            arch=name,
            model=CellNetwork(cell),
            seed=seed,
            data=data,
            settings=recipe.settings,
            engine=Engine(),
            folder=folder,
            measured=recipe.checkpoints,
            stored=False,
        )
        for seed in seeds
        for name, cell in named.items()
        if (name, seed) not in done
    ]
    failures: list[str] = []
    if not jobs:
        return failures
    total = len(named) * len(seeds)
    with (
        writing(folder / RECORDS, folder / RECORDS),
        open(folder / RECORDS, "a") as file,
        bar(f"tabulate {dataset}", total, unit="training", initial=total - len(jobs)) as shown,
    ):

        def keep(job: Job, record: dict[str, Any]) -> None:
            if record["status"] == DONE:
                file.write(json.dumps(line_of(record)) + "\n")
                file.flush()
            else:
                failures.append(f"cell {job.arch} seed {job.seed}: {record['reason']}")
            shown.update()

        run_jobs(jobs, workers, lambda *told: None, lambda record: None, keep)
    return failures


def line_of(record: dict[str, Any]) -> dict[str, Any]:
    """A finished training as a line of `records.jsonl`.

    val, test, train: fractions at each checkpoint. seconds: of training alone, up to each. curve:
    running accuracy on the training batches of each epoch.
    """
    measured, curve = record["measured"], record["curve"]
    seconds = [sum(epoch["seconds"] for epoch in curve[: m["epoch"]]) for m in measured]
    accuracies = {part: [m[part] for m in measured] for part in ("val", "test", "train")}
    return {
        "hash": record["arch"],
        "seed": record["seed"],
        **accuracies,
        "seconds": seconds,
        "curve": [epoch["accuracy"] for epoch in curve],
        "params": record["params"],
    }


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
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("torch", "nasbench-pytorch", "scikit-learn")
    }
