"""The files of `rlnas compress`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rlnas.analysis.folders import kind_of
from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.reading import UNREADABLE, read_json, reason, write_json

FORMAT, VERSION = "rlnas-compress", 1
STUDENTS, MANIFEST = "students.parquet", "manifest.json"
AGAIN = "run `rlnas compress` again"
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
MANIFEST_RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "epochs": Whole(1),
        "table_epochs": Whole(1),
        "tolerance": Number(0, 1),
        "teachers": Each(TEACHER_RULES),
        "seconds": Fields({"students": Number(0), "scratch": Number(0), "trained": Number(0)}),
        "students_sha256": Text(),
    }
)


class Finished(NamedTuple):
    """A finished folder. students: a line a rollout, `teacher` its place in the manifest's
    `teachers`."""

    manifest: dict[str, Any]
    students: pd.DataFrame


def write_all(
    folder: Path, students: Sequence[Mapping[str, Any]], manifest: Mapping[str, Any]
) -> None:
    """The manifest last. Accuracies are fractions. Seconds stand in the manifest alone."""
    with atomic_path(folder / STUDENTS) as temporary:
        pd.DataFrame(students).to_parquet(temporary, index=False)
    digest = sha256(folder / STUDENTS)
    write_json(folder / MANIFEST, {**manifest, "students_sha256": digest})


def is_compression(folder: Path) -> bool:
    """Whether a finished study of `rlnas compress` lies there."""
    return kind_of(folder) == "compress" and (folder / MANIFEST).is_file()


def read(folder: Path) -> Finished:
    """`UserError` names the file that is not what was written."""
    path = folder / MANIFEST
    manifest = read_json(path, hint=AGAIN)
    if (manifest.get("format"), manifest.get("version")) != (FORMAT, VERSION):
        raise UserError(f"{path} is of another version; {AGAIN}")
    check(manifest, MANIFEST_RULES, path, AGAIN)
    where = folder / STUDENTS
    try:
        if sha256(where) != manifest["students_sha256"]:
            raise ValueError(f"it is not what {MANIFEST} says")
        return Finished(manifest, pd.read_parquet(where))
    except UNREADABLE as error:
        raise UserError(f"{where} is missing or damaged ({reason(error)}); {AGAIN}") from None
