"""The files of `rlnas compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rlnas.analysis.study import Study
from rlnas.bench.checks import Each, Fields, Number, Text, Whole

RULES = Fields(
    {"row": Whole(), "val": Number(0, 1), "test": Number(0, 1), "seconds": Number(0)},
    {"origin": Each(Whole())},
)
TEACHER_RULES = Fields(
    {
        "arch": Text(),
        "val": Number(0, 1),
        "table_val": Number(0, 1),
        "params": Whole(1),
        "smallest": Whole(1),
    }
)
STUDY = Study(
    command="compress",
    version=1,
    tables=("students",),
    rules={
        "benchmark": Fields({"name": Text()}),
        "epochs": Whole(1),
        "table_epochs": Whole(1),
        "tolerance": Number(0, 1),
        "teachers": Each(TEACHER_RULES),
        "seconds": Fields({"students": Number(0), "scratch": Number(0), "trained": Number(0)}),
    },
)


class Finished(NamedTuple):
    """A finished folder. students: a line a rollout, `teacher` its place in the manifest's
    `teachers`. Accuracies are fractions."""

    manifest: dict[str, Any]
    students: pd.DataFrame


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    manifest, tables = STUDY.read(folder)
    return Finished(manifest, *tables)
