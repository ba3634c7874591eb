"""Train every cell of a list, every seed, side by side; survive kill -9."""

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

from rlnas.bench.arguments import shown
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.files import writing
from rlnas.bench.nb101.cell import Cell, module_hash
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.progress import bar
from rlnas.bench.reading import check_seal, content, parse_json, read_json, sealed, write_json
from rlnas.bench.retrain import datasets
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.job import DONE, Data, Job
from rlnas.bench.retrain.jobs import run_jobs

RECORDS, MANIFEST = "records.jsonl", "manifest.json"
MOST_BYTES = 1 << 32
FORMAT, VERSION = "rlnas-tabulate", 2
"""Folders of older rlnas have no version; neither their manifest nor their lines have a digest."""
RULES = Fields(
    {
        "dataset": Text(),
        "recipe": Fields({"epochs": Whole(1), "checkpoints": Each(Whole(1))}),
        "splits": Fields({"val": Whole(1), "test": Whole(1)}, others=Whole()),
        "versions": Fields(others=Text()),
    }
)


def record_rules(checkpoints: int, epochs: int) -> Fields:
    """Of a line of `records.jsonl`."""
    fractions = Each(Number(0, 1), checkpoints)
    return Fields(
        {
            "hash": Text(form="[0-9a-f]{32}"),
            "seed": Whole(),
            **dict.fromkeys(("val", "test", "train"), fractions),
            "seconds": Each(Number(0, 1e9), checkpoints),
            "curve": Each(Number(0, 1), epochs),
            "params": Whole(1, 2**31 - 1),
        }
    )


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
    workers: int | None,
    where: Executor = LOCAL,
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
                file.write(json.dumps(sealed(line_of(record))) + "\n")
                file.flush()
            else:
                failures.append(f"cell {job.arch} seed {job.seed}: {record['reason']}")
            shown.update()

        run_jobs(jobs, workers, lambda *told: None, lambda record: None, keep, where)
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


def read_manifest(folder: Path) -> dict[str, Any]:
    """What the trainings in `folder` are of; `UserError` where it is damaged."""
    path, hint = folder / MANIFEST, "choose another --folder"
    manifest = read_json(path, hint=hint, seal=None)
    if (manifest.get("format", FORMAT), manifest.get("version", VERSION)) != (FORMAT, VERSION):
        raise UserError(f"{path} is of another version; {hint}")
    check_seal(manifest, path, hint, required="version" in manifest)
    return dict(check(manifest, RULES, path, hint))


def read_records(folder: Path) -> Iterator[dict[str, Any]]:
    """The finished trainings in `folder`, each once; a last line cut short by a kill is left out
    and removed. `UserError` names a line that is damaged, or contradicts another."""
    path = folder / RECORDS
    if not path.exists():
        return
    manifest, hint = read_manifest(folder), "delete that line and run again"
    recipe = manifest["recipe"]
    rules = record_rules(len(recipe["checkpoints"]), recipe["epochs"])
    data = content(path, hint, MOST_BYTES)
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    seen: dict[tuple[str, int], tuple[int, list[Any]]] = {}
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        where = f"{path}, line {number}"
        record = check_seal(
            parse_json(line, where, hint), where, hint, required="version" in manifest
        )
        check(record, rules, where, hint)
        key = record["hash"], record["seed"]
        accuracies = [record[part] for part in ("val", "test", "train", "params")]
        first, same = seen.setdefault(key, (number, accuracies))
        if same != accuracies:
            raise UserError(f"{where} is the training of line {first} with other values; {hint}")
        if first == number:
            yield record


def _open_folder(folder: Path, wanted: dict[str, Any]) -> None:
    path = folder / MANIFEST
    if path.exists():
        found = read_manifest(folder)
        for key, value in wanted.items():
            if found.get(key) != value:
                raise UserError(
                    f"{folder} holds trainings with {key} {shown(found.get(key))}, expected "
                    f"{shown(value)}; choose another --folder"
                )
        return
    machine = platform.processor() or platform.machine()
    about = {"format": FORMAT, "version": VERSION, "machine": machine, "versions": _versions()}
    write_json(path, wanted | about)


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("torch", "nasbench-pytorch", "scikit-learn")
    }
