"""Downloads that survive a broken line: resumed, checked by size and SHA-256, tried from mirror to
mirror."""

from __future__ import annotations

import http.client
import shutil
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir, sha256
from rlnas.bench.progress import bar

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 30.0
IDLE_TRIES = 3  # attempts at one mirror that bring no byte before the next mirror is tried
RETRY_WAIT_S = 1.0
SLOWEST = 1000.0  # bytes a second, over `PATIENCE_S`, below which a mirror is given up
PATIENCE_S = 60.0
AGAIN = ".again"  # of a file that a server sends from its beginning although a part is here


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
    urls = [address(url) for url in urls]
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


def address(url: str) -> str:
    """An address as it goes over the wire, in ASCII; `UserError` for what is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
            raise ValueError
        host = parts.hostname.encode("idna").decode()
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port is not None else ""
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    except ValueError:
        raise UserError(
            f"--url {url}: expected an address that starts with http:// or https:// and a host"
        ) from None
    path, query = (quote(part, safe="%/:=&?~+!$,;'@()*[]") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, f"{quote(user, safe='%:@')}{host}{port}", path, query, ""))


def _from_mirror(
    url: str, part: Path, download: Download, timeout_s: float, progress: bool
) -> str | None:
    """Complete `part` from one address; None when it is whole and right, else what went wrong."""
    fresh = not part.exists()
    idle = 0
    while True:
        before = _size(part)
        try:
            whole = _request(url, part, download, timeout_s, progress)
            wrong = _problem(part, download)
            if wrong is None:
                return None
            if not whole and not _is_page(part):  # the server did not say how much there is
                raise _MirrorError(f"{wrong} after the connection ended", again=True)
        except _MirrorError as error:
            idle = idle + 1 if _size(part) <= before else 0
            if not error.again or idle >= IDLE_TRIES:
                return str(error)
            time.sleep(RETRY_WAIT_S * idle)
            continue
        part.unlink()
        if fresh:
            return wrong
        fresh = (
            True  # its beginning may have been another mirror's mistake: once more, all from here
        )


def _request(url: str, part: Path, download: Download, timeout_s: float, progress: bool) -> bool:
    """Add to `part` all that the server has; whether that is surely the whole file. Raises
    `_MirrorError`, and `OSError` for trouble with the disk."""
    start = _size(part)
    if download.size is not None and start >= download.size:
        return True  # complete, or too long: the check decides
    headers = {"User-Agent": "rlnas"} | ({"Range": f"bytes={start}-"} if start else {})
    try:
        response = urllib.request.urlopen(
            urllib.request.Request(url, headers=headers), timeout=timeout_s
        )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and download.size is None:
            return True  # nothing beyond what is here; the check decides
        raise _MirrorError(
            f"answered {error.code} {error.reason}", again=error.code >= 500
        ) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _MirrorError(_reason(error), again=isinstance(error, OSError)) from None
    with response:
        if response.status == 200 and start:  # it knows no ranges
            return _from_its_beginning(response, part, download, progress)
        if response.status == 206:
            said = response.headers.get("Content-Range", "")
            if not said.startswith(f"bytes {start}-"):
                raise _MirrorError(
                    f"answered range {said!r}, expected it to start at {start}", again=False
                )
        elif response.status != 200:
            raise _MirrorError(f"answered {response.status}, expected 200 or 206", again=False)
        return _stream(response, part, start, download, progress)


def _from_its_beginning(
    response: http.client.HTTPResponse, part: Path, download: Download, progress: bool
) -> bool:
    """The same where a part is here already: it is replaced by what is whole and right, or longer
    and not known to be wrong."""
    again = part.with_name(part.name + AGAIN)
    again.unlink(missing_ok=True)
    try:
        whole = _stream(response, again, 0, download, progress)
        wrong = _problem(again, download)
        if wrong is not None and whole:
            raise _MirrorError(f"{wrong}; it sends no ranges, and the part that is here is kept",
                               again=False)  # fmt: skip
        if wrong is None or _size(again) > _size(part):
            again.replace(part)
        return whole
    except _MirrorError as error:
        if error.again and _size(again) > _size(part) and _not_the_file(again, download) is None:
            again.replace(part)
        raise
    finally:
        again.unlink(missing_ok=True)


def _stream(
    response: http.client.HTTPResponse, part: Path, start: int, download: Download, progress: bool
) -> bool:
    """Write what comes behind the first `start` bytes; whether that was surely all of it."""
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else None
    if total is not None and download.size is not None and total != download.size:
        raise _MirrorError(f"has {total:,} bytes, expected {download.size:,}", again=False)
    what = f"fetch {download.filename}"
    shown = bar(what, total, unit="B", initial=start, unit_scale=True, shown=progress)
    since, came = time.monotonic(), 0
    with shown, open(part, "ab" if start else "wb") as file:
        while chunk := _read(response):
            file.write(chunk)
            shown.update(len(chunk))
            came += len(chunk)
            took = time.monotonic() - since
            if took >= PATIENCE_S:
                if came < SLOWEST * took:
                    raise _MirrorError(f"only {came / took:,.0f} bytes a second", again=False)
                since, came = time.monotonic(), 0
    if total is not None and _size(part) < total:
        raise _MirrorError(
            f"the connection broke after {_size(part):,} of {total:,} bytes", again=True
        )
    return total is not None or (response.isclosed() and response.chunked)


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next bytes; none when the server is done, or gone where the caller knows how many were
    due."""
    try:
        return response.read1(CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        if response.headers.get("Content-Length") is None:
            raise _MirrorError(f"the connection broke ({_reason(error)})", again=True) from None
        return b""


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__


def _problem(path: Path, download: Download) -> str | None:
    """What is wrong with a complete file; None if it is the published one."""
    size = _size(path)
    if download.size is not None and size != download.size:
        return f"{size:,} bytes, expected {download.size:,}"
    if wrong := _not_the_file(path, download):
        return wrong
    if download.sha256 is None:
        return None  # its reader has to tell the rest
    found = sha256(path)
    return None if found == download.sha256 else f"sha256 {found}, expected {download.sha256}"


def _not_the_file(path: Path, download: Download) -> str | None:
    """What the first bytes, and the last of a zip, tell where nobody knows the checksum."""
    if _is_page(path):
        return "a web page"
    if download.sha256 is None and download.filename.endswith(".zip"):
        return None if zipfile.is_zipfile(path) else "no whole zip file"
    return None


def _is_page(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html", b"<?xml"))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
