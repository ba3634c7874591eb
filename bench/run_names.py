"""Names of runs beside their hashes: `rlnas compare --name mine`, then `rlnas plot mine`, or `rlnas
plot latest`. A name is a small file in the hidden folder `.names` beside the runs. Light."""

from __future__ import annotations

import re
from pathlib import Path

from rlnas.bench.arguments import shown
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, is_file, is_folder
from rlnas.bench.names import valid_name

RUNS = Path("runs")
"""Where runs are looked for that are given by their names alone."""
NAMES, LATEST = ".names", "latest"
DONE = ("manifest.json", "summary.json", "report.txt")
"""What commands write last."""
LIKE_A_RUN = re.compile(r"([a-z]+-)?[0-9a-f]{16}(-\d+x\d+)?")
FOLDER = re.compile(r"[^/\\\0]{1,200}")


def valid_run_name(name: str) -> str:
    """A name that is no folder's of ours, and not `latest`. `UserError`."""
    valid_name(name, "--name")
    if name == LATEST or LIKE_A_RUN.fullmatch(name):
        raise UserError(f"--name is {shown(name)}, which stands for another run; choose another")
    return name


def run_folder(folder: Path) -> Path:
    """The folder that is meant: itself where it is there; else the one of that name, or `latest`,
    beside which it would lie: below `runs` for a name alone. Itself where there is none."""
    if is_folder(folder) or is_file(folder):
        return folder
    name, out = folder.name, folder.parent if len(folder.parts) > 1 else RUNS
    there = named(out, name) or (newest(out) if name == LATEST else None)
    return there or (out / name if is_folder(out / name) and name else folder)


def named(out: Path, name: str) -> Path | None:
    """The folder in `out` that has this name; None where none has, or it is gone."""
    path = out / NAMES / name
    if not name or not is_file(path):
        return None
    word = path.read_bytes()[:1000].decode("utf-8", "replace").strip()
    folder = out / word
    return folder if FOLDER.fullmatch(word) and word != ".." and is_folder(folder) else None


def newest(out: Path) -> Path | None:
    """The folder in `out` that was finished last, by its files' times; a comparison rather than one
    of its runs."""
    try:
        folders = [folder for folder in out.iterdir() if folder.is_dir()]
    except OSError:
        return None
    done = [(max(times), folder.name) for folder in folders if (times := times_of(folder))]
    return out / max(done)[1] if done else None


def times_of(folder: Path) -> list[float]:
    """When what is written last was written, as far as it is there."""
    return [path.stat().st_mtime for name in DONE if (path := folder / name).is_file()]


def remember(folder: Path, name: str = "") -> None:
    """`folder` is the latest beside the others, and has this name."""
    for word in filter(None, (LATEST, name)):
        with atomic_path(folder.parent / NAMES / word) as path:
            path.write_text(f"{folder.name}\n", encoding="utf-8")


def names_in(out: Path) -> dict[str, list[str]]:
    """folder -> its names, `latest` too."""
    given: dict[str, list[str]] = {}
    if (out / NAMES).is_dir():
        for path in sorted((out / NAMES).iterdir()):
            if not path.name.startswith(".") and (folder := named(out, path.name)):
                given.setdefault(folder.name, []).append(path.name)
    return given


def forget(folder: Path) -> None:
    """Take all its names away."""
    for name in names_in(folder.parent).get(folder.name, ()):
        (folder.parent / NAMES / name).unlink(missing_ok=True)
