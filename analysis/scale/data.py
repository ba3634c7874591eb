"""Finished trainings, by benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rlnas.analysis.training import data as training
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Training:
    """One training. architectures: of the space it saw. lookups, accuracy [evaluations]: look-ups
    spent so far, and the validation accuracy (fraction) of a search then. random: random search's.
    best: the best that any search here found."""

    benchmark: str
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
            benchmark=manifest["benchmark"]["name"],
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


def grouped(trainings: Sequence[Training]) -> dict[str, list[Training]]:
    """By benchmark, the smallest space first; each with the best accuracy that any of its trainings
    knows."""
    if not trainings:
        raise UserError("no trainings given; expected folders of `rlnas train`")
    groups: dict[str, list[Training]] = {}
    for found in sorted(trainings, key=lambda t: (t.architectures, t.benchmark, t.seed)):
        groups.setdefault(found.benchmark, []).append(found)
    return {
        name: [replace(t, best=max(other.best for other in group)) for t in group]
        for name, group in groups.items()
    }
