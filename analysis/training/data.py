"""What a training leaves on disk: its state between evaluations, its curve, its manifest."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.learner import Learner, TrainState
from rlnas.analysis import store
from rlnas.analysis.training.settings import TrainSettings
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path

STATE, CURVE, KIND = "state.npz", "curve.csv", "train"

Row = dict[str, int | float]
"""An evaluation: a line of the curve."""


class Training(NamedTuple):
    """What is trained on what, and where it goes. part: of the benchmark, that training sees; said:
    how a legend says so."""

    config: TrainSettings
    learner: Learner
    benchmark: Any
    part: Any
    said: str
    folder: Path


class Progress(NamedTuple):
    """A training between two calls. rows: its evaluations; best: the best validation score of
    theirs. recent: float32 [iterations, metrics], the latest. seconds: of work so far."""

    state: TrainState
    rows: Sequence[Row] = ()
    best: float = -np.inf
    recent: np.ndarray = np.zeros((0, 1), np.float32)
    seconds: float = 0.0


def save_state(path: Path, progress: Progress) -> None:
    """All leaves of the state, exactly; the rows of the curve beside them, so that both are of one
    moment."""
    state = progress.state
    leaves = jax.tree.leaves(state._replace(key=jax.random.key_data(state.key)))
    arrays = {f"leaf{i:04d}": np.asarray(x) for i, x in enumerate(jax.device_get(leaves))}
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            rows=np.array(json.dumps(progress.rows)),
            best=np.float64(progress.best),
            recent=progress.recent,
            seconds=np.float64(progress.seconds),
            **arrays,
        )


def load_state(path: Path, like: TrainState) -> Progress:
    """What `save_state` wrote, in the structure of `like`; `UserError` when it is of another
    program."""
    bare = like._replace(key=jax.random.key_data(like.key))
    leaves, structure = jax.tree.flatten(bare)
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            saved = [file[f"leaf{i:04d}"] for i in range(len(leaves))]
            rows, best = json.loads(str(file["rows"])), float(file["best"])
            recent, seconds = file["recent"], float(file["seconds"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete its folder and train again") from None
    if [x.shape for x in saved] != [x.shape for x in leaves]:
        raise UserError(f"{path} was written by another version; delete its folder and train again")
    state = jax.tree.unflatten(structure, [jnp.asarray(x) for x in saved])
    state = state._replace(key=jax.random.wrap_key_data(state.key))
    return Progress(state, rows, best, recent, seconds)


def write_curve(path: Path, rows: Sequence[Row]) -> None:
    """One line an evaluation."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def counts(row: Row) -> list[int]:
    """The query counts that a training was evaluated at."""
    return [int(name.removeprefix("val_")) for name in row if name.startswith("val_")]


def read(folder: Path) -> tuple[dict[str, Any], list[Row]]:
    """(manifest, curve) of a finished training; `UserError` where `folder` has none."""
    try:
        manifest = json.loads((folder / store.MANIFEST).read_text())
        if manifest.get("kind") != KIND:
            raise UserError(f"its kind is {manifest.get('kind')!r}")
        with open(folder / CURVE, newline="") as file:
            rows = [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
        if not rows:
            raise UserError(f"its {CURVE} is empty")
    except (OSError, ValueError, TypeError, UserError) as error:
        raise UserError(
            f"{folder} is no finished training ({error}); expected a folder of `rlnas train`"
        ) from None
    return manifest, rows
