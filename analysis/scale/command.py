"""`rlnas scale`: what learning to search costs in spaces of different size, from finished
trainings."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tyro.conf import Positional

from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Scale:
    """Draw how searches improve with the look-ups spent on training, one line a benchmark.

    Reads trainings of `rlnas train` (several seeds of a benchmark are one line with its range),
    writes figure and table. All in validation accuracy, which every benchmark knows. Left: the
    incumbent's above random search's after as many queries. Right: the share of random search's
    regret that is left; regret is measured from the best accuracy that any of the trainings'
    searches found in the space.

    Example:
      rlnas scale runs/train-* --queries 20
    """

    trainings: Positional[tuple[Path, ...]]
    """Folders that `rlnas train` wrote."""
    queries: int = 20
    """Queries of a search; the trainings' evaluations must have this count (10, 20 and 50 unless
    told otherwise)."""
    out: Path = Path("runs/scale")
    """Folder to write figure.png, figure.svg and table.csv to."""


@dataclass(frozen=True)
class Training:
    """One training. lookups, gain [evaluations]: look-ups spent so far, and how far a search is
    above random search (fractions of validation accuracy). best: the best that any search here
    found."""

    benchmark: str
    architectures: float
    seed: int
    lookups: np.ndarray
    accuracy: np.ndarray
    random: float
    best: float

    @property
    def gain(self) -> np.ndarray:
        return self.accuracy - self.random


def run(config: Scale) -> None:
    """Read, draw, and print the table."""
    from rlnas.analysis.scale import figure as scale_plot

    groups = grouped([read(folder, config.queries) for folder in config.trainings])
    paths = scale_plot.write(config.out, groups, config.queries)
    table = write_table(config.out / "table.csv", groups)
    print(summary(groups, config.queries))
    for path in [*paths, table]:
        print(path)


def read(folder: Path, queries: int) -> Training:
    """A finished training; `UserError` when `folder` has none."""
    from rlnas.analysis import store
    from rlnas.analysis.training.command import CURVE

    try:
        manifest = json.loads((folder / store.MANIFEST).read_text())
        with open(folder / CURVE, newline="") as file:
            rows = list(csv.DictReader(file))
        if manifest.get("kind") != "train":
            raise KeyError("kind")
        column, columns = f"val_{queries}", [key for key in rows[0] if key.startswith("val_")]
        if column not in columns:
            have = ", ".join(key.removeprefix("val_") for key in columns)
            raise UserError(
                f"--queries is {queries}; expected what {folder} was evaluated at: {have}"
            )
        found = [values["val"] for values in manifest["baselines"].values()]
        return Training(
            benchmark=manifest["benchmark"]["name"],
            architectures=float(manifest["cells_shown"]),
            seed=manifest["seed"],
            lookups=np.array([int(row["lookups"]) for row in rows]),
            accuracy=np.array([float(row[column]) for row in rows]),
            random=float(manifest["baselines"]["random_search"]["val"][columns.index(column)]),
            best=max(
                *(float(row[key]) for row in rows for key in columns),
                *(x for values in found for x in values),
            ),
        )
    except (OSError, KeyError, ValueError, IndexError, TypeError) as error:
        raise UserError(
            f"{folder} is no finished training ({error}); expected a folder of `rlnas train`"
        ) from None


def grouped(trainings: Sequence[Training]) -> dict[str, list[Training]]:
    """By benchmark, the smallest space first; each with the best accuracy that any of its trainings
    knows."""
    if not trainings:
        raise UserError("no trainings given; expected folders of `rlnas train`")
    groups: dict[str, list[Training]] = {}
    for training in sorted(trainings, key=lambda t: (t.architectures, t.benchmark, t.seed)):
        groups.setdefault(training.benchmark, []).append(training)
    from dataclasses import replace

    return {
        name: [replace(t, best=max(other.best for other in group)) for t in group]
        for name, group in groups.items()
    }


@dataclass(frozen=True)
class Line:
    """Mean over trainings, and the lowest and highest, at each evaluation that all of them have."""

    lookups: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def line(group: Sequence[Training], *, relative: bool) -> Line:
    """Gain in fractions of accuracy, or the share of random search's regret that is left."""
    length = min(len(t.lookups) for t in group)
    rows = []
    for t in group:
        value = (t.best - t.accuracy) / (t.best - t.random) if relative else t.gain
        rows.append(value[:length])
    values = np.stack(rows)
    lookups = np.mean([t.lookups[:length] for t in group], axis=0)
    return Line(lookups, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def write_table(path: Path, groups: dict[str, list[Training]]) -> Path:
    """One row an evaluation of a training."""
    from rlnas.bench.files import atomic_path

    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                "benchmark",
                "architectures",
                "seed",
                "lookups",
                "accuracy",
                "random_search",
                "best_known",
            ]
        )
        for name, group in groups.items():
            for t in group:
                for lookups, accuracy in zip(t.lookups, t.accuracy, strict=True):
                    writer.writerow(
                        [name, t.architectures, t.seed, lookups, accuracy, t.random, t.best]
                    )
    return path


def summary(groups: dict[str, list[Training]], queries: int) -> str:
    """Look-ups until half and nine tenths of random search's regret are gone, by benchmark."""
    lines = [
        f"look-ups in training until searches of {queries} queries have left, of random search's "
        "regret"
    ]
    lines.append(
        f"{'benchmark':26}{'architectures':>15}{'trainings':>11}{'half':>12}{'a tenth':>12}{'least left':>12}"
    )
    for name, group in groups.items():
        left = line(group, relative=True)
        cells = [_first(left, share) for share in (0.5, 0.1)]
        size = (
            f"{group[0].architectures:,.0f}"
            if group[0].architectures < 1e9
            else f"{group[0].architectures:.2e}"
        )
        lines.append(
            f"{name:26}{size:>15}{len(group):>11}{cells[0]:>12}{cells[1]:>12}{left.mean.min():>11.0%} "
        )
    return "\n".join(lines)


def _first(left: Line, share: float) -> str:
    at: Any = np.flatnonzero(left.mean <= share)
    return f"{left.lookups[at[0]]:,.0f}" if len(at) else "never"
