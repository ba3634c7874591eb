"""Finished pieces of long work: a folder with a sealed manifest, which says of what they are, and a
sealed line of `records.jsonl` for each, written at once, so that what is killed goes on where it
was."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlnas.bench.arguments import shown
from rlnas.bench.checks import Rule, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import writing
from rlnas.bench.reading import (
    check_seal,
    content,
    parse_json,
    read_json,
    sealed,
    to_json,
    write_json,
)

RECORDS, MANIFEST = "records.jsonl", "manifest.json"
MOST_BYTES = 1 << 30


def open_folder(folder: Path, wanted: Mapping[str, Any], hint: str) -> None:
    """Begin `folder` for records of what `wanted` says; `UserError` where it holds others."""
    path, plain = folder / MANIFEST, to_json(wanted)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        return write_json(path, plain)
    found = read_json(path, hint=hint)
    for key, value in plain.items():
        if found.get(key) != value:
            raise UserError(
                f"{folder} is of {key} {shown(found.get(key))}, expected {shown(value)}; {hint}"
            )


def records(folder: Path, rules: Rule) -> Iterator[dict[str, Any]]:
    """The records in `folder`; a last line cut short by a kill is removed. `UserError` names a line
    that is damaged."""
    path, hint = folder / RECORDS, "delete that line and run again"
    if not path.exists():
        return
    data = content(path, hint, MOST_BYTES)
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    for number, line in enumerate(data[:whole].split(b"\n")[:-1], 1):
        where = f"{path}, line {number}"
        yield dict(
            check(check_seal(parse_json(line, where, hint), where, hint), rules, where, hint)
        )


@contextmanager
def appending(folder: Path) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that writes one more record."""
    path = folder / RECORDS
    with writing(path, path), open(path, "a", encoding="utf-8") as file:

        def write(record: Mapping[str, Any]) -> None:
            file.write(json.dumps(sealed(record)) + "\n")
            file.flush()

        yield write
