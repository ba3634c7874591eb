"""What a training leaves on disk: its state between evaluations, its curve, its manifest."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.learner import Learner, TrainState
from rlnas.analysis import store
from rlnas.analysis.training.settings import TrainSettings
from rlnas.bench.arguments import shown
from rlnas.bench.checks import ArrayOf, Each, Fields, Number, Text, Whole, check, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.reading import check_seal, read_json

STATE, CURVE, KIND = "state.npz", "curve.csv", "train"
STATE_FORMAT = ("rlnas-training-state", 2)
AGAIN = "delete its folder and train again"
STATE_META = Fields({"names": Each(Text()), "whole": Each(Text())})
STATE_ARRAYS = {
    "rows": ArrayOf("float64", ("rows", "names"), anything=True),
    "times": ArrayOf("float64", (2,), anything=True),
    "recent": ArrayOf("float32", ("iterations", "metrics"), anything=True),
}
_LISTED = Fields({"val": Each(Number(null=True)), "reported": Each(Number(null=True))})
MANIFEST = Fields(
    {
        "kind": Text(),
        "agent": Text(),
        "benchmark": Fields({"name": Text(), "reports": Text()}),
        "evaluation_seeds": Whole(1),
        "judged_by": Whole(1),
        "judged": Fields(others=_LISTED),
        "baselines": Fields(others=_LISTED),
        "controls": Each(_LISTED),
        "curve": Each(Fields({"step": Whole(), "seconds": Number(0)}, others=Number(null=True))),
        **store.MADE,
    }
)

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
    names = list(progress.rows[0]) if progress.rows else []
    rows = [[row[name] for name in names] for row in progress.rows]
    arrays |= {
        "rows": np.array(rows, np.float64).reshape(len(rows), len(names)),
        "times": np.array([progress.best, progress.seconds], np.float64),
        "recent": progress.recent,
    }
    whole = [name for name in names if type(progress.rows[0][name]) is int]
    save_npz(path, STATE_FORMAT, arrays, names=names, whole=whole)


def load_state(path: Path, like: TrainState) -> Progress:
    """What `save_state` wrote, in the structure of `like`; `UserError` when it is damaged, or of
    another program."""
    bare = like._replace(key=jax.random.key_data(like.key))
    leaves, structure = jax.tree.flatten(bare)
    arrays, meta = load_npz(path, hint=AGAIN, seal=STATE_FORMAT)
    saved = [arrays.get(f"leaf{i:04d}") for i in range(len(leaves))]
    same = [x is not None and (x.shape, x.dtype) == (y.shape, y.dtype)
            for x, y in zip(saved, leaves, strict=True)]  # fmt: skip
    if (meta["format"], meta["version"]) != STATE_FORMAT or not all(same):
        raise UserError(f"{path} was written by another version; {AGAIN}")
    check(meta, STATE_META, path, AGAIN)
    names, whole = meta["names"], meta["whole"]
    check_arrays(arrays, STATE_ARRAYS, path, AGAIN, sizes={"names": len(names)})
    counted = arrays["rows"][:, [name in whole for name in names]]
    if not (np.abs(counted) < 1 << 53).all():
        raise UserError(f"{path} is damaged: a count in its rows is no number; {AGAIN}")
    rows = [
        {name: int(x) if name in whole else x for name, x in zip(names, row, strict=True)}
        for row in arrays["rows"].tolist()
    ]
    best, seconds = arrays["times"].tolist()
    state = jax.tree.unflatten(structure, [jnp.asarray(x) for x in saved])
    state = state._replace(key=jax.random.wrap_key_data(state.key))
    return Progress(state, rows, best, arrays["recent"], seconds)


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
    """(manifest, curve) of a finished training; `UserError` where `folder` has none. The curve is
    the manifest's own: the CSV file is for other programs."""
    try:
        path = folder / store.MANIFEST
        manifest = read_json(path, hint="train again", seal=None)
        if manifest.get("kind") != KIND:
            raise UserError(f"its kind is {shown(manifest.get('kind'))}")
        check_seal(manifest, path, "train again")
        check(manifest, MANIFEST, path, "train again")
    except UserError as error:
        raise UserError(
            f"{folder} is no finished training ({error}); expected a folder of `rlnas train`"
        ) from None
    return manifest, [{key: nan_of(x) for key, x in row.items()} for row in manifest["curve"]]


def nan_of(value: float | int | None) -> float:
    """JSON's null is NaN."""
    return float("nan") if value is None else float(value)
