"""What `rlnas maskconnect` compares, and its files."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rlnas.analysis.study import Study
from rlnas.bench.checks import Each, Fields, Number, Text, Whole
from rlnas.bench.nb101.cell import OPS

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
STUDY = Study(
    command="maskconnect",
    version=1,
    tables=("masks", "choices"),
    rules={
        "benchmark": Fields({"name": Text()}),
        "vertices": Whole(3),
        "active": Whole(1),
        "epochs": Whole(1),
        "seconds": Number(0),
    },
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


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    manifest, tables = STUDY.read(folder)
    return Finished(manifest, *tables)
