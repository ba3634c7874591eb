"""From options to the files of `rlnas morph`: the pairs, the searches, the manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.analysis import store
from rlnas.analysis.morph.data import NET_RULES, PAIR_RULES, STUDY, Pair, drawn_pairs
from rlnas.analysis.morph.search import (
    METHODS,
    Edits,
    Lengths,
    Outcome,
    Plan,
    policy_of,
    search,
)
from rlnas.analysis.morph.settings import MorphSettings
from rlnas.analysis.morph.trainings import Trainer
from rlnas.analysis.morph.write import write
from rlnas.analysis.oneshot.data import ground_of
from rlnas.analysis.oneshot.report import Truth
from rlnas.analysis.study import kept_record, record
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.space import CellSpace
from rlnas.bench.progress import bar

CODE = tuple(f"rlnas.analysis.morph.{name}" for name in ("data", "search", "trainings"))
"""The modules that decide what comes of it."""
OPEN = ("benchmark", "pairs", "seeds", "seed", "out", "preset")
"""Options that are named otherwise, or add to a folder and do not change what is there."""


def finish(config: MorphSettings) -> None:
    """Train what is missing, write the files, print the report and where it lies."""
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    truth, recipe, data, space, facts, _ = ground
    start = space.cell(space.row(config.start))
    trainer = Trainer.here(recipe, data)
    numerics = trainer.engine.numerics()
    identity = STUDY.identity(config, OPEN, CODE, benchmark=facts, numerics=numerics)
    folder = store.folder_of(config.out, STUDY.command, identity)
    edits = Edits(space, config.max_vertices)
    if not edits.of(start):
        raise UserError(
            f"--start is {config.start}, which has no edits within {config.max_vertices} vertices; "
            "choose a smaller cell"
        )
    pairs = [
        pair_line(pair, found, space, truth)
        for pair, found in trained_pairs(config, trainer, truth, space, folder)
    ]
    nets: list[dict[str, Any]] = []
    seconds = {"start": 0.0, "nets": 0.0, "scratch": float(np.mean([p["seconds"] for p in pairs]))}
    for seed in range(config.seed, config.seed + config.seeds):
        searched = Searched(config, trainer, edits, start, seed, folder)
        nets += searched.lines()
        seconds["start"] += searched.start_seconds
        seconds["nets"] += sum(searched.net_seconds.values())
    lines = [net_line(net, space, truth) for net in nets]
    manifest = identity | {
        "seed": config.seed,
        "seeds": config.seeds,
        "recipe": asdict(recipe),
        "table": {"epochs": recipe.epochs} | best_of(truth, np.arange(len(truth.rows))),
        "reach": None,
        "seconds": seconds,
        "versions": store.versions() | {"torch": version("torch")},
    }
    reach = edits.reached(start, config.edits)
    if reach is not None:
        manifest["reach"] = best_of(truth, np.array(sorted(reach)))
    for pair in pairs:
        del pair["seconds"]
    STUDY.write(folder, manifest, pairs, lines)
    write(folder)


def best_of(truth: Truth, rows: np.ndarray) -> dict[str, Any]:
    """The best of some cells by mean validation accuracy."""
    best = rows[truth.val[rows].mean(1).argmax()]
    means = {name: float(x[best].mean()) for name, x in (("val", truth.val), ("test", truth.test))}
    return {"cells": len(rows)} | means


def trained_pairs(
    config: MorphSettings, trainer: Trainer, truth: Truth, space: CellSpace, folder: Path
) -> list[tuple[Pair, dict[str, Any]]]:
    """Every pair with its record, those that were there before from their files."""
    found = []
    paths = [folder / f"pair-{i}.json" for i in range(config.pairs)]
    store.tell_reused("pairs", [path for path in paths if path.exists()], config.pairs)
    with bar("pairs", config.pairs, unit="pair") as shown:
        drawn = drawn_pairs(space, truth.cells, config.pairs)
        for seed, (path, pair) in enumerate(zip(paths, drawn, strict=False)):
            there = kept_record(path, PAIR_RULES, rows=list(pair.rows), edit=str(pair.edit))
            if there is None:
                there = train_pair(config, trainer, pair, seed)
                folder.mkdir(parents=True, exist_ok=True)
                record(path, **there)
            found.append((pair, there))
            shown.update()
    return found


def train_pair(config: MorphSettings, trainer: Trainer, pair: Pair, seed: int) -> dict[str, Any]:
    """The parent; the edited cell from its weights, and, measured as often, from scratch: as long
    as that, and as the table's were."""
    recipe, child = trainer.recipe, pair.grown.cell
    parent = trainer.scratch(pair.cell, seed, config.parent_epochs, recipe.learning_rate)
    network = trainer.edited(parent.fit.settled(), pair.cell, [pair.edit], seed)
    epochs, rate = config.epochs, config.learning_rate
    runs = {
        "inherited": trainer.inherited(network, seed, epochs, rate, measured=True),
        "short": trainer.scratch(child, seed, epochs, rate, measured=True),
        "scratch": trainer.scratch(child, seed, recipe.epochs, recipe.learning_rate, measured=True),
    }
    return {
        "rows": list(pair.rows),
        "edit": str(pair.edit),
        "parent_val": parent.val[-1],
        **{name: run.val for name, run in runs.items()},
        "test": {name: run.test for name, run in runs.items()},
        "seconds": [parent.seconds, *(run.seconds for run in runs.values())],
    }


def pair_line(
    pair: Pair, found: Mapping[str, Any], space: CellSpace, truth: Truth
) -> dict[str, Any]:
    """seconds: of the whole training from scratch."""
    parent, child = pair.rows
    curves = {name: found[name] for name in ("inherited", "short", "scratch")}
    return {
        "parent": space.format(parent),
        "child": space.format(child),
        "edit": str(pair.edit),
        "kind": pair.edit.kind,
        "parent_val": found["parent_val"],
        "target": float(truth.val[child].mean()),
        "seconds": found["seconds"][-1],
    } | curves


def net_line(net: Mapping[str, Any], space: CellSpace, truth: Truth) -> dict[str, Any]:
    """A choice of a search, and what the table knows of it."""
    row = net["row"]
    early = float("nan") if truth.early is None else float(truth.early[row].mean())
    return dict(net) | {
        "arch": space.format(row),
        "table_val": float(truth.val[row].mean()),
        "table_test": float(truth.test[row].mean()),
        "table_early": early,
        "params": int(truth.params[row]),
    }


class Searched:
    """The searches of one seed: both from one start network, each cell trained once for both."""

    def __init__(
        self,
        config: MorphSettings,
        trainer: Trainer,
        edits: Edits,
        start: Cell,
        seed: int,
        folder: Path,
    ) -> None:
        self.config, self.trainer, self.edits = config, trainer, edits
        self.start, self.seed, self.folder = start, seed, folder
        self.network: Any = None
        self.start_seconds = 0.0
        self.net_seconds: dict[int, float] = {}

    def lines(self) -> list[dict[str, Any]]:
        """Of both methods; what was trained before is read."""
        config = self.config
        policy = policy_of(config.policy_rate, config.entropy)
        lengths = Lengths(config.edits, config.episodes, config.nets)
        self.train_start()
        found: list[dict[str, Any]] = []
        with bar(f"search, seed {self.seed}", unit="cell") as shown:
            for method in METHODS:

                def train(plan: Plan, shown: Any = shown) -> Outcome:
                    outcome = self.train(plan)
                    shown.update()
                    return outcome

                found += search(self.edits, self.start, policy, lengths, method, self.seed, train)
        return found

    def train_start(self) -> None:
        """What all inherit from. It is trained again when the search goes on: no longer than a
        cell of the search is."""
        recipe = self.trainer.recipe
        trained = self.trainer.scratch(
            self.start, self.seed, self.config.parent_epochs, recipe.learning_rate
        )
        self.network, self.start_seconds = trained.fit.settled(), trained.seconds

    def train(self, plan: Plan) -> Outcome:
        """The accuracy of a cell after training on; once for all searches of this seed, from the
        edits that led there first."""
        row = self.edits.space.row(plan.cell)
        path = self.folder / f"net-{self.seed}-{row}.json"
        found = kept_record(path, NET_RULES, row=row)
        if found is None:
            network = self.trainer.edited(self.network, self.start, plan.edits, self.seed)
            epochs, rate = self.config.epochs, self.config.learning_rate
            done = self.trainer.inherited(network, self.seed, epochs, rate)
            found = {"row": row, "edits": [str(edit) for edit in plan.edits]}
            found |= {"val": done.val[-1], "test": done.test, "seconds": done.seconds}
            record(path, **found)
        self.net_seconds[row] = found["seconds"]
        return Outcome(found["val"], found["test"])
