"""Where files go and how they get there: whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it on success and removed on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".tmp" + path.suffix, dir=path.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def expanded(word: str) -> str:
    """`~/x` in the user's own folder; in `--option=~/x` too, which shells leave as it is."""
    option, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + os.path.expanduser(path)


def quoted(path: Path | str) -> str:
    """A path, or a word with one, as a shell reads it back: in quotes where they are needed."""
    word = str(path)
    return shlex.quote(f"./{word}" if word.startswith("-") else word)


def is_file(path: Path | str) -> bool:
    """Whether there is a file; False for what cannot be a path, e.g. a text that is too long."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def sha256(path: Path | str) -> str:
    """The file's SHA-256, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cache_dir() -> Path:
    """The user's cache folder of rlnas: `RLNAS_CACHE`, else the platform's own place."""
    if folder := os.environ.get("RLNAS_CACHE"):
        return Path(expanded(folder))
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "rlnas"


def embedded_dir() -> Path:
    """Where tables and weights that ship with the project live: inside the package, else beside
    it."""
    package = Path(__file__).parent
    return next(
        (d for d in (package / "data", package.parent / "data") if d.is_dir()),
        package.parent / "data",
    )
