"""From options to the files of `rlnas oneshot ghn`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np

from rlnas.analysis import store
from rlnas.analysis.ghn.data import NETWORKS, RECORD_RULES, STUDY
from rlnas.analysis.ghn.settings import GhnSettings
from rlnas.analysis.ghn.write import write
from rlnas.analysis.morph.trainings import Trainer
from rlnas.analysis.oneshot.data import ground_of
from rlnas.analysis.oneshot.report import Truth
from rlnas.analysis.study import kept_record, record
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.hypernet import GraphHyperNetwork
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.supernet import Supernet, score
from rlnas.bench.nb101.supernet_training import Progress, Schedule, train
from rlnas.bench.progress import bar
from rlnas.bench.retrain.datasets import Dataset

CODE = ("rlnas.bench.nb101.hypernet", "rlnas.bench.nb101.supernet_training")
"""The modules that decide what comes of it."""
OPEN = ("benchmark", "seeds", "seed", "trainings", "out", "preset")
"""Options that are named otherwise, or add to a folder and do not change what is there."""
MAKERS = dict(zip(NETWORKS, (GraphHyperNetwork, Supernet), strict=True))


class Split(NamedTuple):
    """Places of cells. held: never trained on. trained: all others. seen: as many of these, to
    compare."""

    held: np.ndarray
    seen: np.ndarray
    trained: np.ndarray


def split_of(cells: int, held: int, seed: int) -> Split:
    """`UserError` where less than half of the cells would be left."""
    if 2 * held > cells:
        raise UserError(f"--held is {held}, of {cells:,} cells; expected at most half of them")
    order = np.random.default_rng(seed).permutation(cells)
    return Split(order[:held], order[held : 2 * held], np.sort(order[held:]))


def finish(config: GhnSettings) -> None:
    """Train what is missing, write the files, print the report and where it lies."""
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    truth, recipe, images, space, facts, _ = ground
    identity = STUDY.identity(config, OPEN, CODE, benchmark=facts)
    folder = store.folder_of(config.out, STUDY.command, identity)
    lines: list[dict[str, Any]] = []
    seconds: dict[str, list[list[float]]] = {name: [] for name in NETWORKS}
    for seed in range(config.seed, config.seed + config.seeds):
        split = split_of(len(truth.cells), config.held, seed)
        places = np.concatenate([split.held, split.seen])
        for name in NETWORKS:
            found = scored(config, name, truth, split, images, recipe, seed, folder)
            seconds[name].append(found["seconds"])
            lines += [
                {
                    "seed": seed,
                    "network": name,
                    "arch": space.format(int(place)),
                    "held": i < len(split.held),
                    "accuracy": found["accuracy"][i],
                    "loss": float("nan") if found["loss"][i] is None else found["loss"][i],
                    "table_val": float(truth.val[place].mean()),
                    "params": int(truth.params[place]),
                }
                for i, place in enumerate(places.tolist())
            ]
    means = {name: np.mean(each, axis=0).tolist() for name, each in seconds.items()}
    manifest = identity | {
        "cells": len(truth.cells),
        "seed": config.seed,
        "seeds": config.seeds,
        "recipe": asdict(recipe),
        "seconds": means | {"real": [real_seconds(config, truth, recipe, images), 0.0]},
        "versions": store.versions() | {"torch": version("torch")},
    }
    STUDY.write(folder, manifest, lines)
    write(folder)


def scored(
    config: GhnSettings,
    name: str,
    truth: Truth,
    split: Split,
    images: Dataset,
    recipe: Recipe,
    seed: int,
    folder: Path,
) -> dict[str, Any]:
    """The record of a network: what it says of the cells held out, then of those seen."""
    stem = f"{name.partition(' ')[0]}-{seed}"
    path, checkpoint = folder / f"{stem}.json", folder / f"{stem}.safetensors"
    found = kept_record(path, RECORD_RULES, network=name)
    if found is None:
        folder.mkdir(parents=True, exist_ok=True)
        found = {"network": name} | measured(
            config, name, truth.cells, split, images, recipe, seed, checkpoint
        )
        record(path, **found)
    checkpoint.unlink(missing_ok=True)
    if len(found["accuracy"]) != 2 * len(split.held) or len(found["loss"]) != 2 * len(split.held):
        raise UserError(f"{path} is the record of other cells; delete it and run again")
    return found


def measured(
    config: GhnSettings,
    name: str,
    cells: Sequence[Cell],
    split: Split,
    images: Dataset,
    recipe: Recipe,
    seed: int,
    checkpoint: Path,
) -> dict[str, Any]:
    """Train it and score the cells. Processor seconds of one thread; of a training that went on, of
    as many epochs as were made here."""
    make = MAKERS[name]
    rate = config.learning_rate if make is GraphHyperNetwork else config.shared_rate
    start, made = process_time(), 0
    with bar(f"{name}, seed {seed}", config.epochs, unit="epoch") as shown:

        def show(done: Progress) -> None:
            nonlocal made
            made += 1
            shown.update(done.epoch - shown.n)
            shown.set_postfix(loss=f"{done.loss:.3f}")

        net, clock = train(
            [cells[place] for place in split.trained.tolist()],
            images,
            recipe,
            Schedule(config.epochs, config.steps, rate),
            seed,
            checkpoint,
            show,
            make,
        )
    spent = (process_time() - start) * config.epochs / made if made else clock
    chosen = [cells[place] for place in np.concatenate([split.held, split.seen]).tolist()]
    start = process_time()
    with bar(f"{name}, seed {seed}: score", len(chosen), unit="cell") as shown:
        accuracy, loss = score(net, chosen, images, shown.update)
    each = (process_time() - start) / len(chosen)
    losses = [float(x) if np.isfinite(x) else None for x in loss]
    return {"accuracy": accuracy.tolist(), "loss": losses, "seconds": [spent, each]}


def real_seconds(config: GhnSettings, truth: Truth, recipe: Recipe, images: Dataset) -> float:
    """Mean seconds of training a cell as the table's were, here."""
    trainer = Trainer.here(recipe, images)
    drawn = np.random.default_rng(0).integers(len(truth.cells), size=config.trainings)
    trainer.scratch(truth.cells[0], 0, 1, recipe.learning_rate)  # a first time costs more
    with bar("timing", len(drawn), unit="training") as shown:
        found = []
        for place in drawn.tolist():
            cell = truth.cells[place]
            done = trainer.scratch(cell, 0, recipe.epochs, recipe.learning_rate)
            found.append(done.seconds)
            shown.update()
    return float(np.mean(found))
