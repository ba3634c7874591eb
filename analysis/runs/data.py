"""What lies below a folder of runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

from rlnas.analysis.folders import PARTS, REPORTED, kind_of
from rlnas.analysis.text import REPORT
from rlnas.bench.errors import UserError
from rlnas.bench.files import is_folder, quoted
from rlnas.bench.names import visible
from rlnas.bench.reading import read_json
from rlnas.bench.run_names import DONE, RUNS, names_in, run_folder

SINGLE = re.compile(r"[0-9a-f]{16}-\d+x\d+")
"""Of a folder with the searches of one agent."""
RESULTS = {"compare", "transfer", "stability", "reproduce", *REPORTED}
"""The words that folders of results begin with."""
LONGEST = 76


class Result(NamedTuple):
    """A folder. kind: `run` for the searches of one agent, else the command. part: whether others
    are made of it. changed: when a file in it was last written, seconds since 1970. size: bytes."""

    folder: Path
    kind: str
    what: str
    changed: float
    size: int
    done: bool
    part: bool
    names: tuple[str, ...]

    @property
    def when(self) -> str:
        return f"{datetime.fromtimestamp(self.changed, UTC):%Y-%m-%d %H:%M}"


def results(out: Path) -> list[Result]:
    """Everything of ours in a folder, the newest first; other folders are not listed. `UserError`
    where there is no folder."""
    if not is_folder(out):
        raise UserError(f"no folder {quoted(out)}; expected one with runs, e.g. {RUNS}")
    names = names_in(out)
    found = [
        result_in(folder, tuple(names.get(folder.name, ())))
        for folder in out.iterdir()
        if folder.is_dir() and not folder.is_symlink() and is_ours(folder)
    ]
    return sorted(found, key=lambda result: (-result.changed, result.folder.name))


def is_ours(folder: Path) -> bool:
    """By its name."""
    return bool(SINGLE.fullmatch(folder.name)) or kind_of(folder) in {*RESULTS, *PARTS}


def result_of(word: Path) -> Result:
    """The one that is meant; `UserError` where there is none."""
    folder = run_folder(word)
    if not is_folder(folder) or not is_ours(folder):
        raise UserError(
            f"no run {quoted(word)}; expected a folder, or a name that `rlnas runs` lists"
        )
    return result_in(folder, tuple(names_in(folder.parent).get(folder.name, ())))


def result_in(folder: Path, names: tuple[str, ...] = ()) -> Result:
    """What a folder of ours is."""
    files = files_in(folder)
    single, kind = bool(SINGLE.fullmatch(folder.name)), kind_of(folder)
    part = single or kind in PARTS
    return Result(
        folder,
        "run" if single else kind,
        what(folder)[:LONGEST],
        max((at.changed for at in files), default=folder.stat().st_mtime),
        sum(at.size for at in files),
        kind in PARTS or any((folder / name).is_file() for name in DONE),
        part,
        names,
    )


class File(NamedTuple):
    """changed: seconds since 1970. size: bytes."""

    path: Path
    changed: float
    size: int


def files_in(folder: Path) -> list[File]:
    """Of some command's that is at work files may go while they are looked at."""
    found = []
    for path in sorted(folder.rglob("*")):
        with suppress(FileNotFoundError):
            if S_ISREG((stat := path.lstat()).st_mode):
                found.append(File(path, stat.st_mtime, stat.st_size))
    return found


def what(folder: Path) -> str:
    """In a few words, from what it says of itself."""
    for name in ("summary.json", "manifest.json"):
        try:
            if said := of_json(read_json(folder / name, seal=None)):
                return visible(said)
        except UserError:
            continue
    try:
        lines = (folder / REPORT).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return PARTS.get(kind_of(folder), "").partition(";")[0]
    return visible(next((line for line in lines if line.strip()), ""))


def of_json(said: Mapping[str, Any]) -> str:
    """Who, and where; "" where it does not say."""
    try:
        listed = said.get("benchmarks") or [said["benchmark"]]
        where = ", ".join(str(b["name"] if isinstance(b, Mapping) else b) for b in listed)
        agents = list(said.get("agents", ())) or [said.get("label") or said.get("agent")]
        who = ", ".join(str(agent) for agent in agents if agent)
        size = f", {said['budget']} queries" if isinstance(said.get("budget"), int) else ""
        return f"{who} on {where}{size}" if who else f"{where}{size}"
    except (KeyError, TypeError, AttributeError):
        return ""


def users_of(result: Result) -> list[Path]:
    """The comparisons that are made of a run, of whole trainings or of any."""
    found = []
    beside = result.folder.parent
    for path in sorted([*beside.glob("*/summary.json"), *beside.glob("*/seconds.json")]):
        try:
            listed = read_json(path, seal=None).get("runs", [])
            if any(entry["hash"] == result.folder.name for entry in listed):
                found.append(path.parent)
        except (UserError, KeyError, TypeError, AttributeError):
            continue
    return found
