"""The files of `rlnas oneshot ghn`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rlnas.analysis.study import Study
from rlnas.bench.checks import Each, Fields, Number, Text, Whole

NETWORKS = ("predicted weights", "shared weights")
RECORD_RULES = Fields(
    {
        "network": Text(),
        "accuracy": Each(Number(0, 1)),
        "loss": Each(Number(null=True)),
        "seconds": Each(Number(0), 2),
    }
)
STUDY = Study(
    command="ghn",
    version=1,
    tables=("scores",),
    rules={
        "benchmark": Fields({"name": Text()}),
        "held": Whole(1),
        "cells": Whole(1),
        "seeds": Whole(1),
        "seconds": Fields({name: Each(Number(0), 2) for name in (*NETWORKS, "real")}),
    },
)


class Finished(NamedTuple):
    """A finished folder. scores: a line a cell, seed and network: seed, network, arch, held (never
    trained on), accuracy and loss with those weights, table_val (the mean), params. Accuracies are
    fractions. Seconds in the manifest, means: of each network, its training and the scoring of a
    cell; `real`: training a cell, 0."""

    manifest: dict[str, Any]
    scores: pd.DataFrame


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    manifest, tables = STUDY.read(folder)
    return Finished(manifest, *tables)
