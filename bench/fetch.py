"""Downloads that survive a broken line: resumed, checked by size and SHA-256, tried from mirror to
mirror."""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir, sha256
from rlnas.bench.progress import bar

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
IDLE_TRIES = 3  # attempts at one mirror that bring no byte before the next mirror is tried
RETRY_WAIT_S = 1.0


@dataclass(frozen=True)
class Download:
    """A file that can be had from elsewhere."""

    name: str
    what: str  # one line for `rlnas bench list`
    filename: str
    urls: tuple[str, ...]  # the same file; tried in turn
    sha256: str | None  # None: nobody has published one
    size: int | None = None  # bytes; None: unknown, the checksum alone decides
    convertible: bool = True  # whether `rlnas bench convert` makes something of it


def downloads_dir() -> Path:
    """Where downloaded files are kept."""
    return cache_dir() / "downloads"


def fetch(
    download: Download,
    folder: Path | None = None,
    *,
    urls: Sequence[str] = (),
    from_file: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    progress: bool = True,
) -> Path:
    """Return the path of the checked file, downloading what is missing of it.

    urls are tried before the known ones. A file under way ends in `.part` and is continued by the
    next call. from_file: check and use a file that is there already. Raises `UserError`.
    """
    if from_file is not None:
        if not from_file.is_file():
            raise UserError(f"--from-file {from_file}: no such file")
        if problem := _problem(from_file, download):
            raise UserError(
                f"{from_file}: {problem}; this is not the file published as {download.filename}"
            )
        return from_file
    for url in urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise UserError(
                f"--url {url}: expected an address that starts with http:// or https://"
            )

    target = (folder or downloads_dir()) / download.filename
    if target.is_file():
        if problem := _problem(target, download):
            raise UserError(f"{target}: {problem}; remove it and fetch again")
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        missing = (download.size or 0) - (part.stat().st_size if part.exists() else 0)
        if shutil.disk_usage(target.parent).free < missing:
            raise UserError(
                f"{target.parent}: less than the {missing / 1e9:.2f} GB to go is free; choose a "
                "--folder"
            )
        failures = []
        for url in (*urls, *download.urls):
            problem = _from_mirror(url, part, download, timeout_s, progress)
            if not problem:
                part.replace(target)
                return target
            failures.append(f"{url}: {problem}")
    except (
        OSError
    ) as error:  # of this machine's disk: what the network raises is a mirror's problem
        raise UserError(
            f"{target}: {error.strerror or error}; what has come is kept, fetch again to go on"
        ) from None
    raise UserError(
        f"could not fetch {download.name}: {'; '.join(failures)}; fetch again to go on from here, "
        "give another --url, or download it yourself and pass --from-file"
    )


class _MirrorError(Exception):
    """One request failed; `again` says whether the same mirror is worth another one."""

    def __init__(self, problem: str, *, again: bool) -> None:
        super().__init__(problem)
        self.again = again


def _from_mirror(
    url: str, part: Path, download: Download, timeout_s: float, progress: bool
) -> str | None:
    """Complete `part` from one address; None when it is whole and right, else what went wrong."""
    fresh = not part.exists()
    idle = 0
    while True:
        before = _size(part)
        try:
            _request(url, part, download, timeout_s, progress)
        except _MirrorError as error:
            idle = idle + 1 if _size(part) <= before else 0
            if not error.again or idle >= IDLE_TRIES:
                return str(error)
            time.sleep(RETRY_WAIT_S * idle)
            continue
        wrong = _problem(part, download)
        if wrong is None:
            return None
        part.unlink()
        if fresh:
            return wrong
        fresh = (
            True  # its beginning may have been another mirror's mistake: once more, all from here
        )


def _request(url: str, part: Path, download: Download, timeout_s: float, progress: bool) -> None:
    """Add to `part` all that the server has; raises `_MirrorError`, and `OSError` for trouble with
    the disk."""
    start = _size(part)
    if download.size is not None and start >= download.size:
        return  # complete, or too long: the check decides
    headers = {"User-Agent": "rlnas"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout_s
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and download.size is None:
            return  # nothing beyond what is here; the check decides
        raise _MirrorError(
            f"answered {error.code} {error.reason}", again=error.code >= 500
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise _MirrorError(_reason(error), again=True) from None
    with response:
        if response.status == 206:
            said = response.headers.get("Content-Range", "")
            if not said.startswith(f"bytes {start}-"):
                raise _MirrorError(
                    f"answered range {said!r}, expected it to start at {start}", again=False
                )
        elif response.status == 200:
            start = 0  # it knows no ranges
        else:
            raise _MirrorError(f"answered {response.status}, expected 200 or 206", again=False)
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        if total is not None and download.size is not None and total != download.size:
            raise _MirrorError(f"has {total:,} bytes, expected {download.size:,}", again=False)
        what = f"fetch {download.filename}"
        shown = bar(what, total, unit="B", initial=start, unit_scale=True, shown=progress)
        with shown, open(part, "ab" if start else "wb") as file:
            while chunk := _read(response):
                file.write(chunk)
                shown.update(len(chunk))
    if total is not None and _size(part) < total:
        raise _MirrorError(
            f"the connection broke after {_size(part):,} of {total:,} bytes", again=True
        )


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next bytes; none when the server is done or gone (the caller knows how many were due)."""
    try:
        return response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException):
        return b""


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__


def _problem(path: Path, download: Download) -> str | None:
    """What is wrong with a complete file; None if it is the published one."""
    size = _size(path)
    if download.size is not None and size != download.size:
        return f"{size:,} bytes, expected {download.size:,}"
    if download.sha256 is None:
        return None  # its reader has to tell
    found = sha256(path)
    return None if found == download.sha256 else f"sha256 {found}, expected {download.sha256}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
