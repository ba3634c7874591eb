"""Finished trainings, by benchmark and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.analysis import store
from rlnas.analysis.folders import Left
from rlnas.analysis.rehearsal import called
from rlnas.analysis.training import data as training
from rlnas.bench.errors import UserError
from rlnas.bench.run_names import run_folder

SAME = (
    "agent", "shown", "shown_vertices", "evaluation_seeds", "evaluation_queries",
    "evaluate_every", "code", "jax",
)  # fmt: skip
"""What trainings of one line have in common, beside the settings of learner and benchmark."""
MOST_NAMED = 3


@dataclass(frozen=True)
class Training:
    """One training. space: equal for trainings that saw the same accuracies. settings: all but its
    seed. architectures: of the space. lookups, accuracy [evaluations]: look-ups spent so far, and
    the validation accuracy (fraction) of a search then. random: random search's. best: the best
    that any search here found."""

    benchmark: str
    space: str
    settings: dict[str, Any]
    architectures: float
    seed: int
    lookups: np.ndarray
    accuracy: np.ndarray
    random: float
    best: float


def read(folder: Path, queries: int) -> Training:
    """A finished training; `UserError` when `folder` has none, or not this count of queries."""
    manifest, rows = training.read(folder)
    counts = training.counts(rows[0])
    if queries not in counts:
        have = ", ".join(map(str, counts))
        raise UserError(f"--queries is {queries}; expected what {folder} was evaluated at: {have}")
    try:
        baselines = {name: values["val"] for name, values in manifest["baselines"].items()}
        return Training(
            benchmark=called(manifest["benchmark"]),
            space=store.hash_of([manifest["benchmark"], manifest["cells_shown"]]),
            settings=settings_of(manifest),
            architectures=float(manifest["cells_shown"]),
            seed=manifest["seed"],
            lookups=np.array([int(row["lookups"]) for row in rows]),
            accuracy=np.array([row[f"val_{queries}"] for row in rows]),
            random=float(baselines["random_search"][counts.index(queries)]),
            best=max(
                *(row[f"val_{count}"] for row in rows for count in counts),
                *(x for values in baselines.values() for x in values),
            ),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(
            f"{folder} is no finished training ({error}); expected a folder of `rlnas train`"
        ) from None


def settings_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What may tell trainings apart but their seeds, flat."""
    same = {name: manifest.get(name) for name in SAME}
    return flat({**manifest.get("settings", {}), **manifest["benchmark"], **same})


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`network.width` for what is nested."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if nested else {prefix + name: value}
    return found


def read_all(folders: Sequence[Path], queries: int) -> tuple[list[Training], list[Left]]:
    """The trainings, and what is left: unfinished ones, say. `UserError` when that is all."""
    found: list[Training] = []
    left: list[Left] = []
    for folder in map(run_folder, folders):
        try:
            found.append(read(folder, queries))
        except UserError as error:
            left.append(Left(folder, str(error)))
    if not found:
        raise UserError(left[0].why if left else "no trainings given; expected their folders")
    return found, left


def grouped(trainings: Sequence[Training]) -> dict[str, list[Training]]:
    """Trainings that differ by their seeds only, the smallest space first; each with the best
    accuracy that any training in its space knows. By the benchmark's name, with the settings
    in which they differ."""
    groups: dict[str, list[Training]] = {}
    for found in sorted(trainings, key=lambda t: (t.architectures, t.benchmark, t.seed)):
        key = store.hash_of([found.space, found.settings])
        groups.setdefault(key, []).append(found)
    named: dict[str, list[Training]] = {}
    for group in groups.values():
        first = group[0]
        name = name_of(first, [t for t in trainings if t.benchmark == first.benchmark])
        best = max(t.best for t in trainings if t.space == first.space)
        name = name if name not in named else f"{name} ({len(named) + 1})"
        named[name] = [replace(t, best=best) for t in group]
    return named


def name_of(training: Training, others: Sequence[Training]) -> str:
    """The benchmark's name, and up to three settings that are not the same in all."""
    differing = [
        f"{name} {str(value)[:12]}"
        for name, value in training.settings.items()
        if any(other.settings.get(name) != value for other in others)
    ]
    more = ["..."] if len(differing) > MOST_NAMED else []
    return ", ".join([training.benchmark, *differing[:MOST_NAMED], *more])
