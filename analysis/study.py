"""A folder of something really trained, as `rlnas morph` and `rlnas compress` keep it: a record of
each training that is done, tables of the results, and last a manifest that knows their digests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rlnas.analysis.folders import kind_of
from rlnas.bench.checks import Fields, Text, check
from rlnas.bench.code import code_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.reading import UNREADABLE, read_json, reason, write_json

MANIFEST = "manifest.json"
DELETE = "delete it and run again"


@dataclass(frozen=True)
class Study:
    """Of a command, with the version of its files. tables: names, each a file NAME.parquet. rules:
    of the manifest."""

    command: str
    version: int
    tables: tuple[str, ...]
    rules: Mapping[str, Any]

    @property
    def seal(self) -> dict[str, Any]:
        return {"format": f"rlnas-{self.command}", "version": self.version}

    def file(self, table: str) -> str:
        return f"{table}.parquet"

    def paths(self, folder: Path) -> dict[str, Path]:
        """What is reported, by what it is called."""
        tables = {table: folder / self.file(table) for table in self.tables}
        return tables | {"all": folder / MANIFEST}

    def identity(
        self, config: Any, free: Sequence[str], code: Sequence[str], **found: Any
    ) -> dict[str, Any]:
        """What decides the results: options that are not `free`, the code of these modules, and
        what was found here."""
        kept = {name: value for name, value in asdict(config).items() if name not in free}
        return self.seal | found | kept | {"code": code_of(*code)}

    def is_finished(self, folder: Path) -> bool:
        return kind_of(folder) == self.command and (folder / MANIFEST).is_file()

    def write(
        self, folder: Path, manifest: Mapping[str, Any], *tables: Sequence[Mapping[str, Any]]
    ) -> None:
        """Lines of each table; the manifest last. Seconds, which no two runs share, stand in the
        manifest."""
        sums = {}
        for name, lines in zip(self.tables, tables, strict=True):
            path = folder / self.file(name)
            with atomic_path(path) as temporary:
                pd.DataFrame(lines).to_parquet(temporary, index=False)
            sums[f"{name}_sha256"] = sha256(path)
        write_json(folder / MANIFEST, {**manifest, **sums})

    def read(self, folder: Path) -> tuple[dict[str, Any], list[pd.DataFrame]]:
        """The manifest and the tables. `UserError` names the file that is not what was written."""
        path, again = folder / MANIFEST, f"run `rlnas {self.command}` again"
        manifest = read_json(path, hint=again)
        if any(manifest.get(name) != value for name, value in self.seal.items()):
            raise UserError(f"{path} is of another version; {again}")
        digests = {f"{name}_sha256": Text() for name in self.tables}
        check(manifest, Fields({**self.rules, **digests}), path, again)
        frames = []
        for name in self.tables:
            path = folder / self.file(name)
            try:
                if sha256(path) != manifest[f"{name}_sha256"]:
                    raise ValueError(f"it is not what {MANIFEST} says")
                frames.append(pd.read_parquet(path))
            except UNREADABLE as error:
                why = reason(error)
                raise UserError(f"{path} is missing or damaged ({why}); {again}") from None
        return manifest, frames


def kept_record(path: Path, rules: Fields, **expected: Any) -> dict[str, Any] | None:
    """What was recorded of a training; None where nothing was. `UserError` for what is damaged."""
    if not path.exists():
        return None
    found = check(read_json(path, hint=DELETE), rules, path, DELETE)
    if any(found[name] != value for name, value in expected.items()):
        raise UserError(f"{path} is the record of another training; {DELETE}")
    return found


def record(path: Path, **values: Any) -> None:
    """Of a training that is done, whole or not at all."""
    write_json(path, values)
