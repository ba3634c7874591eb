"""What `rlnas maskconnect` compares, and its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.folders import kind_of
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.nb101.cell import OPS
from rlnas.bench.reading import UNREADABLE, read_json, reason, write_json

FORMAT, VERSION = "rlnas-maskconnect", 1
MASKS, CHOICES, MANIFEST = "masks.parquet", "choices.parquet", "manifest.json"
AGAIN = "run `rlnas maskconnect` again"
RULES = Fields(
    {
        "ops": Each(Text(OPS)),
        "seed": Whole(),
        "mask": Each(Each(Whole())),
        "scores": Each(Each(Number(0, 1))),
        "val": Number(0, 1),
        "test": Number(0, 1),
        "seconds": Number(0),
    }
)
MANIFEST_RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "vertices": Whole(3),
        "active": Whole(1),
        "epochs": Whole(1),
        "seconds": Number(0),
        "masks_sha256": Text(),
        "choices_sha256": Text(),
    }
)


class Finished(NamedTuple):
    """A finished folder. masks: a line a possible mask of a set, with what the table knows of its
    cell; choices: a line a training, `mask` and `set` as there. Accuracies are fractions."""

    manifest: dict[str, Any]
    masks: pd.DataFrame
    choices: pd.DataFrame


def drawn_sets(interior: int, count: int) -> list[tuple[str, ...]]:
    """Sequences of operations; more of them begin with the same. Fewer where there are no more."""
    every = list(product(OPS, repeat=interior))
    order = np.random.default_rng(0).permutation(len(every))
    return [every[place] for place in order[:count].tolist()]


def write_all(
    folder: Path,
    masks: Sequence[Mapping[str, Any]],
    choices: Sequence[Mapping[str, Any]],
    manifest: Mapping[str, Any],
) -> None:
    """The manifest last. Seconds stand there alone."""
    for name, rows in ((MASKS, masks), (CHOICES, choices)):
        with atomic_path(folder / name) as temporary:
            pd.DataFrame(rows).to_parquet(temporary, index=False)
    sums = {"masks_sha256": sha256(folder / MASKS), "choices_sha256": sha256(folder / CHOICES)}
    write_json(folder / MANIFEST, {**manifest, **sums})


def is_maskconnect(folder: Path) -> bool:
    """Whether a finished study of `rlnas maskconnect` lies there."""
    return kind_of(folder) == "maskconnect" and (folder / MANIFEST).is_file()


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    path = folder / MANIFEST
    manifest = read_json(path, hint=AGAIN)
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is of another version; {AGAIN}")
    check(manifest, MANIFEST_RULES, path, AGAIN)
    frames = []
    for name, key in ((MASKS, "masks_sha256"), (CHOICES, "choices_sha256")):
        try:
            if sha256(folder / name) != manifest[key]:
                raise ValueError(f"it is not what {MANIFEST} says")
            frames.append(pd.read_parquet(folder / name))
        except UNREADABLE as error:
            where = folder / name
            raise UserError(f"{where} is missing or damaged ({reason(error)}); {AGAIN}") from None
    return Finished(manifest, *frames)
