"""From options to the files of `rlnas compress`."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rlnas.analysis import store
from rlnas.analysis.compress.data import RULES, STUDY
from rlnas.analysis.compress.search import METHODS, Lengths, Outcome, policy_of, search
from rlnas.analysis.compress.settings import CompressSettings
from rlnas.analysis.compress.write import write
from rlnas.analysis.morph.data import row_in
from rlnas.analysis.morph.trainings import Trainer
from rlnas.analysis.oneshot.data import ground_of
from rlnas.analysis.oneshot.report import Truth
from rlnas.analysis.study import kept_record, record
from rlnas.bench.nb101.reductions import Student
from rlnas.bench.nb101.space import CellSpace
from rlnas.bench.objective_rewards import N2N
from rlnas.bench.objectives import PARAMS
from rlnas.bench.progress import bar

CODE = (
    "rlnas.analysis.compress.search",
    "rlnas.analysis.morph.trainings",
    "rlnas.bench.objective_rewards",
)
"""The modules that decide what comes of it."""
OPEN = ("benchmark", "teachers", "tolerance", "out", "preset")
"""Options that are named otherwise, or do not change what is there."""


def finish(config: CompressSettings) -> None:
    """Train what is missing, write the files, print the report and where it lies."""
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    truth, recipe, data, space, facts, _ = ground
    trainer = Trainer.here(recipe, data)
    numerics = trainer.engine.numerics()
    identity = STUDY.identity(config, OPEN, CODE, benchmark=facts, numerics=numerics)
    folder = store.folder_of(config.out, STUDY.command, identity)
    rows = np.argsort(-truth.val.mean(1), kind="stable")[: config.teachers].tolist()
    lines: list[dict[str, Any]] = []
    teachers, seconds = [], {"students": 0.0, "scratch": 0.0, "trained": 0.0}
    with bar("compress", unit="student") as shown:
        for place, row in enumerate(rows):
            one = Taught(config, trainer, truth, space, row, folder, shown)
            lines += [{"teacher": place} | line for line in one.lines()]
            teachers.append(one.about())
            seconds["students"] += sum(one.seconds.values())
            seconds["scratch"] += one.scratch * len(one.seconds)
            seconds["trained"] += len(one.seconds)
    manifest = identity | {
        "tolerance": config.tolerance,
        "recipe": asdict(recipe),
        "table_epochs": recipe.epochs,
        "teachers": teachers,
        "seconds": seconds,
        "versions": store.versions() | {"torch": version("torch")},
    }
    STUDY.write(folder, manifest, lines)
    write(folder)


class Taught:
    """A teacher and its students, each trained once for both methods."""

    def __init__(
        self,
        config: CompressSettings,
        trainer: Trainer,
        truth: Truth,
        space: CellSpace,
        row: int,
        folder: Path,
        shown: Any,
    ) -> None:
        self.config, self.trainer, self.truth, self.space = config, trainer, truth, space
        self.row, self.folder, self.shown = row, folder, shown
        cell = space.cell(row)
        self.teacher = Student(cell, tuple(range(cell.num_vertices)))
        trained = trainer.scratch(
            cell, config.seed, trainer.recipe.epochs, trainer.recipe.learning_rate
        )
        self.network, self.val = trained.fit.settled(), trained.val[-1]
        self.scratch = trained.seconds
        self.reward = N2N("", teacher_accuracy=self.val, teacher_params=float(truth.params[row]))
        self.seconds: dict[int, float] = {}

    def lines(self) -> list[dict[str, Any]]:
        """Of both methods, with what the table knows."""
        config = self.config
        policy = policy_of(config.policy_rate, config.entropy)
        lengths = Lengths(config.batches, config.rollouts)
        found = []
        for method in METHODS:
            seeds = [config.seed, self.row]
            found += search(self.teacher, policy, lengths, method, seeds, self.train)
        for line in found:
            row = line["row"]
            line |= {
                "arch": self.space.format(row),
                "table_val": float(self.truth.val[row].mean()),
                "table_test": float(self.truth.test[row].mean()),
            }
        return found

    def about(self) -> dict[str, Any]:
        """smallest: parameters of the smallest cell of the table whose mean validation accuracy
        is equal to the teacher's, within the tolerance."""
        means = self.truth.val.mean(1)
        equal = means >= means[self.row] - self.config.tolerance
        return {
            "arch": self.space.format(self.row),
            "val": self.val,
            "table_val": float(means[self.row]),
            "params": int(self.truth.params[self.row]),
            "smallest": int(self.truth.params[equal].min()),
        }

    def train(self, student: Student) -> Outcome | None:
        """Once for all searches of this teacher, from the first way that led to the cell; None
        where the table lacks it."""
        self.shown.update()
        row = row_in(self.space, student.cell)
        if row is None:
            return None
        path = self.folder / f"student-{self.row}-{row}.json"
        found = kept_record(path, RULES, row=row)
        if found is None:
            config = self.config
            done = self.trainer.distilled(
                self.network, student, config.seed, config.epochs, config.learning_rate
            )
            found = {"row": row, "origin": list(student.origin), "val": done.val[-1]}
            found |= {"test": done.test, "seconds": done.seconds}
            self.folder.mkdir(parents=True, exist_ok=True)
            record(path, **found)
        self.seconds[row] = found["seconds"]
        params = int(self.truth.params[row])
        costs = {PARAMS.name: jnp.float32(params)}
        reward = float(self.reward(jnp.float32(found["val"]), costs))
        return Outcome(row, found["val"], found["test"], params, reward)
