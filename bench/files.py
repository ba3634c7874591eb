"""Where files go and how they get there: whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shlex
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from rlnas.bench.errors import UserError


class WriteError(UserError):
    """A file that could not be written; the line names it, and says why."""


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
"""Errors that only writing has."""


@contextmanager
def writing(path: Path | str, under_way: Path | None = None) -> Iterator[None]:
    """Within, what cannot be written is a `WriteError` that names `path`. under_way: the file that
    is written meanwhile; `OSError`s that name others are of something that is read."""
    try:
        yield
    except Exception as error:
        if (reason := _unwritten(error, under_way)) is None:
            raise
        raise WriteError(
            f"{quoted(path)} cannot be written ({reason}); what was there before is as it was: "
            "make room, or choose another place"
        ) from None


def _unwritten(error: Exception, under_way: Path | None) -> str | None:
    """Why something could not be written; None where `error` is about something else."""
    for reason in map(os.strerror, FULL):
        if reason in str(error):  # of libraries with errors of their own, too
            return reason
    if not isinstance(error, OSError):
        return None
    named = error.filename not in (None, str(under_way), under_way)
    if under_way is not None and named:
        return None
    return error.strerror or str(error)


SYSTEM = re.compile("/(proc|sys|dev(?!/shm/))/")
"""Where files are the system's; `/dev/stdout` may be a link to a regular one."""


def writable(path: Path | str) -> Path:
    """Where the file `path` is to be put: a symbolic link stays, what it points to is replaced.
    `WriteError` where something other than a file is, or the system's."""
    target = Path(os.path.realpath(path))
    system = any(SYSTEM.match(str(place)) for place in (os.path.abspath(path), target))
    if system or (target.exists() and not target.is_file()):
        what = "a folder" if target.is_dir() else "a device, a pipe or the like"
        raise WriteError(f"{quoted(path)} is {what}; expected a file, or a name that is free")
    return target


TABLE = re.compile(rb"PK\x03\x04.{26}[\w./-]{1,80}\.npy", re.DOTALL)
EXPORT = re.compile(rb"module_hash,|idx,arch,|PAR1")
RECORD = re.compile(rb"\{\s*\"(cores|sections|size)\"")
PAGE = re.compile(rb"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset")
PICTURE = re.compile(rb"\x89PNG|<\?xml .{0,99}\?>\s*<!DOCTYPE svg", re.DOTALL)
"""How files that a user may name begin, where we wrote them."""


def folder_refusal(path: Path) -> str:
    """Why `path` cannot be a folder of results: a file is there, or on the way; "" where it can."""
    there = next((place for place in (path, *path.parents) if os.path.exists(place)), path)
    if is_folder(there) or not os.path.exists(there):
        return ""
    return f"expected a folder, or a free name, but {quoted(there)} is a file"


def file_refusal(path: Path, ours: re.Pattern[bytes]) -> str:
    """Why `path` is not to be written: a file is there that does not begin as `ours` do, nor is
    empty; "" where it may be. What is no file, `writable` refuses."""
    if not is_file(path):
        return ""
    with open(path, "rb") as file:
        head = file.read(1000)
    if head.startswith(b"\x1f\x8b"):
        with suppress(zlib.error):
            head = zlib.decompressobj(31).decompress(head, 1000)
    if not head or ours.match(head):
        return ""
    return "a file that rlnas did not write is there; expected a free name, or move it away"


_WAITING: ContextVar[list[tuple[Path, Path]] | None] = ContextVar("waiting", default=None)


@contextmanager
def at_once() -> Iterator[None]:
    """What `atomic_path` writes within appears at the end, all of it; when something fails, none
    of it does."""
    if _WAITING.get() is not None:
        yield
        return
    waiting: list[tuple[Path, Path]] = []
    token = _WAITING.set(waiting)
    try:
        yield
        for temporary, target in waiting:
            os.replace(temporary, target)
    finally:
        _WAITING.reset(token)
        for temporary, _ in waiting:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, moved onto it on success (`at_once`: at its end) and removed
    on failure. `WriteError` when it cannot be written."""
    with writing(path):
        target = writable(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name[:100]}.", suffix=".tmp" + target.suffix, dir=target.parent
        )
        os.close(handle)
    temporary = Path(name)
    waiting = _WAITING.get()
    try:
        with writing(path, temporary):
            yield temporary
            os.chmod(temporary, 0o644)
            if waiting is None:
                os.replace(temporary, target)
            else:
                waiting.append((temporary, target))
    finally:
        if waiting is None or (temporary, target) not in waiting:
            temporary.unlink(missing_ok=True)


def expanded(word: str) -> str:
    """`~/x` in the user's own folder; in `--option=~/x` too, which shells leave as it is."""
    option, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + os.path.expanduser(path)


def quoted(path: Path | str) -> str:
    """A path, or a word with one, as a shell reads it back: in quotes where they are needed."""
    word = str(path)
    if not word.isprintable():
        spelled = (
            chr(b) if 32 <= b < 127 and b not in b"'\\" else f"\\x{b:02x}"
            for b in os.fsencode(word)
        )
        return f"$'{''.join(spelled)}'"
    return shlex.quote(f"./{word}" if word.startswith("-") else word)


def is_file(path: Path | str) -> bool:
    """Whether there is a file; False for what cannot be a path, e.g. a text that is too long."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder; False for what cannot be a path."""
    try:
        return Path(path).is_dir()
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
