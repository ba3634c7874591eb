"""From options to the files of `rlnas maskconnect`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.analysis.maskconnect.data import RULES, STUDY, drawn_sets
from rlnas.analysis.maskconnect.settings import MaskConnectSettings
from rlnas.analysis.maskconnect.write import write
from rlnas.analysis.morph.trainings import Trainer
from rlnas.analysis.oneshot.data import ground_of
from rlnas.analysis.oneshot.report import Truth
from rlnas.analysis.study import kept_record, record
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.masked import Mask, MaskedFit, MaskedPlan, cell_of, masks_of
from rlnas.bench.nb101.space import CellSpace
from rlnas.bench.progress import bar
from rlnas.bench.retrain import networks

CODE = ("rlnas.analysis.maskconnect.data", "rlnas.bench.nb101.masked")
"""The modules that decide what comes of it."""
OPEN = ("benchmark", "sets", "seeds", "seed", "out", "preset")
"""Options that are named otherwise, or add to a folder and do not change what is there."""


def finish(config: MaskConnectSettings) -> None:
    """Train what is missing, write the files, print the report and where it lies."""
    ground = ground_of(config.benchmark, config.dataset, config.vertices)
    truth, recipe, data, space, facts, _ = ground
    trainer = Trainer.here(recipe, data)
    numerics = trainer.engine.numerics()
    identity = STUDY.identity(config, OPEN, CODE, benchmark=facts, numerics=numerics)
    folder = store.folder_of(config.out, STUDY.command, identity)
    sets = drawn_sets(config.vertices - 2, config.sets)
    lines = [line for place, ops in enumerate(sets) for line in known(config, space, truth, ops)]
    places = {ops: place for place, ops in enumerate(sets)}
    masks = [{"set": places[ops]} | line for ops, line in lines]
    choices, seconds = [], 0.0
    for ops, found in trained(config, trainer, sets, folder):
        seconds += found["seconds"]
        choices.append(
            {
                "set": places[ops],
                "seed": found["seed"],
                "mask": said(found["mask"]),
                "val": found["val"],
                "test": found["test"],
                "scores": [score for row in found["scores"] for score in row],
            }
        )
    manifest = identity | {
        "seed": config.seed,
        "seeds": config.seeds,
        "recipe": asdict(recipe),
        "seconds": seconds,
        "versions": store.versions() | {"torch": version("torch")},
    }
    STUDY.write(folder, manifest, masks, choices)
    write(folder)


def said(mask: Any) -> str:
    """E.g. `0|0,1|1,2|0,3`: the inputs of vertex 1, 2, ..., the output."""
    return "|".join(",".join(map(str, inputs)) for inputs in mask)


def known(
    config: MaskConnectSettings, space: CellSpace, truth: Truth, ops: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Of every mask of the size: its cell in the table."""
    for mask in masks_of(config.vertices, config.active):
        cell = cell_of(mask, ops)
        try:
            row = space.row(cell)
        except UserError as error:
            raise UserError(f"{error}; `rlnas maskconnect` needs all masks' cells") from None
        yield (
            ops,
            {
                "ops": ",".join(ops),
                "mask": said(mask),
                "row": row,
                "arch": space.format(row),
                "edges": cell.num_edges,
                "params": int(truth.params[row]),
                "table_val": float(truth.val[row].mean()),
                "table_test": float(truth.test[row].mean()),
            },
        )


def trained(
    config: MaskConnectSettings, trainer: Trainer, sets: list[tuple[str, ...]], folder: Path
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every set's trainings, those that were there before from their files."""
    jobs = [
        (place, ops, seed)
        for place, ops in enumerate(sets)
        for seed in range(config.seed, config.seed + config.seeds)
    ]
    paths = [folder / f"training-{place}-{seed}.json" for place, _, seed in jobs]
    store.tell_reused("trainings", [path for path in paths if path.exists()], len(jobs))
    with bar("maskconnect", len(jobs), unit="training") as shown:
        for path, (_, ops, seed) in zip(paths, jobs, strict=True):
            found = kept_record(path, RULES, ops=list(ops), seed=seed)
            if found is None:
                found = {"ops": list(ops), "seed": seed} | train(config, trainer, ops, seed)
                folder.mkdir(parents=True, exist_ok=True)
                record(path, **found)
            yield ops, found
            shown.update()


def train(
    config: MaskConnectSettings, trainer: Trainer, ops: tuple[str, ...], seed: int
) -> dict[str, Any]:
    """One training. val, test: of the trained network itself with the chosen mask."""
    settings = replace(trainer.recipe.settings, epochs=config.epochs)
    data, plan = trainer.data, MaskedPlan(ops, config.active)
    adam = config.score_optimiser == "adam"
    network, _ = networks.make(plan, settings, data.channels, data.classes, seed)
    fit = MaskedFit(network, config.score_rate, adam, data, settings, seed, trainer.engine)
    seconds = 0.0
    while not fit.done:
        seconds += trainer.epoch(fit, "--score-rate")
    mask: Mask = fit.chosen()
    measured = fit.measure()
    scores = [row[:y].tolist() for y, row in enumerate(fit.masked.scores.detach().cpu())]
    return {
        "mask": [list(inputs) for inputs in mask],
        "scores": scores[1:],
        "val": measured.val,
        "test": measured.test,
        "seconds": seconds,
    }
