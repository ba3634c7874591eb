"""Arrays and JSON metadata in one `.npz` file, written whole or not at all; never a pickle.

The metadata are the text of the array `meta`. They begin with `format` and `version`, so that every
family of benchmarks knows its own files; `arrays` is a SHA-256 of the arrays, `digest` one of the
metadata (`rlnas.bench.reading`), so that both are known to be what was written. Files of before
that, and those made by hand, have neither; for them there are the checksums of the zip.

Nothing is believed before it is checked: every array must have as many bytes as its header says,
and unpacked a file may not be much larger than it is.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path
from rlnas.bench.reading import (
    DIGEST,
    UNREADABLE,
    canonical,
    check_seal,
    open_regular,
    parse_json,
    reason,
    sealed,
)

ARRAYS = "arrays"
KINDS = "biufUS"
"""Of dtypes: truth values, numbers, texts."""
MOST_HEADER = 10_000
MOST_TIMES, ALWAYS_FINE = 50, 1 << 27
"""Unpacked, a file may be so many times as large as it is, or have so many bytes."""


BROKEN = (*UNREADABLE, SyntaxError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile,
          zlib.error)  # fmt: skip
"""What numpy and zipfile raise for a file that is no `.npz`, or a broken one."""


def save_npz(
    path: Path | str,
    format_: tuple[str, int],
    arrays: Mapping[str, np.ndarray],
    *,
    compressed: bool = False,
    **meta: Any,
) -> None:
    """format_: name and version of the layout. Equal contents are equal bytes."""
    arrays = {name: np.asarray(array) for name, array in arrays.items()}
    if wrong := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise ValueError(f"array {wrong[0]} holds Python objects, which would be pickled")
    meta |= {"format": format_[0], "version": format_[1], ARRAYS: digest_of_arrays(arrays)}
    save: Any = np.savez_compressed if compressed else np.savez
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        save(file, **arrays, meta=np.array(canonical(sealed(meta))))


def digest_of_arrays(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 (hex) of names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {arrays[name].shape}\n".encode())
        digest.update(array.reshape(-1).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()


def load_npz(
    path: Path | str,
    *,
    only_meta: bool = False,
    hint: str = "make it again",
    seal: tuple[str, int] = ("", 0),
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata); arrays may have hundreds of megabytes and are left alone with
    `only_meta`. seal: a format, and its first version whose files must have digests; what has some
    is compared with them in any case. hint: what `UserError` says to do about a missing or damaged
    file."""
    arrays = read_arrays(path, hint=hint, names=("meta",) if only_meta else None)
    found = arrays.pop("meta", None)
    if found is None or found.shape or found.dtype.kind != "U":
        raise UserError(f"{path} was not made by rlnas (no array 'meta'); {hint}")
    try:
        text = str(found)
    except UNREADABLE as error:
        raise UserError(f"{path} is damaged ({reason(error)}); {hint}") from None
    where = f"{path} (its metadata)"
    meta = check_seal(parse_json(text, where, hint), where, hint, required=False)
    meta = {"format": "", "version": 0} | meta
    if not isinstance(meta["format"], str) or type(meta["version"]) is not int:
        raise UserError(f"{where} is damaged (no name of a format, or no version); {hint}")
    digests = meta.pop(DIGEST, None), meta.pop(ARRAYS, None)
    if not digests[0] and meta["format"] == seal[0] and meta["version"] >= seal[1]:
        raise UserError(f"{where} was edited or damaged: it has no {DIGEST}; {hint}")
    if digests[0] and not only_meta and digests[1] != digest_of_arrays(arrays):
        raise UserError(f"{path} was edited or damaged: its arrays are others; {hint}")
    return arrays, meta


def read_arrays(
    path: Path | str, *, hint: str = "make it again", names: tuple[str, ...] | None = None
) -> dict[str, np.ndarray]:
    """The arrays in any `.npz`, all or those of `names` that are there; `UserError` where it is
    damaged, or no such file."""
    try:
        with open_regular(path) as raw, zipfile.ZipFile(raw) as archive:
            members = _members(archive, os.fstat(raw.fileno()).st_size)
            return {
                name: _array(archive, info, name)
                for name, info in members.items()
                if names is None or name in names
            }
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {hint}") from None
    except BROKEN as error:
        raise UserError(
            f"{path}: damaged, or not made by rlnas ({reason(error)}); {hint}"
        ) from None


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The arrays' parts of the archive by name, none twice, and not too large when unpacked.
    size: of the file."""
    found: dict[str, zipfile.ZipInfo] = {}
    unpacked = packed = 0
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise ValueError(f"{name[:40]!r} is there twice")
        if info.flag_bits & 1:
            raise ValueError(f"{name[:40]!r} is encrypted")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name[:40]!r} is packed in an unusual way")
        unpacked, packed = unpacked + info.file_size, packed + info.compress_size
        found[name] = info
    if packed > size:
        raise ValueError(f"parts of {packed:,} bytes in {size:,}")
    if unpacked > max(ALWAYS_FINE, MOST_TIMES * packed):
        raise ValueError(f"{unpacked:,} bytes of {packed:,} when unpacked")
    return found


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> np.ndarray:
    """One array; its header is compared with its size before anything is allocated."""
    read: Any = np.lib.format
    with archive.open(info) as file:
        version = read.read_magic(file)
        header = {(1, 0): read.read_array_header_1_0, (2, 0): read.read_array_header_2_0}
        if version not in header:
            raise ValueError(f"{name[:40]!r} is of an unusual version")
        shape, _, dtype = header[version](file, max_header_size=MOST_HEADER)
        size = dtype.itemsize
        for axis in shape:  # Python's whole numbers do not overflow
            size *= axis
        if dtype.kind not in KINDS or dtype.hasobject or dtype.itemsize == 0:
            raise ValueError(f"{name[:40]!r} holds {dtype.str}, not numbers or texts")
        if min(shape, default=0) < 0 or size != info.file_size - file.tell():
            raise ValueError(f"{name[:40]!r} is not as large as its header says")
    with archive.open(info) as file:
        array: np.ndarray = read.read_array(file, allow_pickle=False, max_header_size=MOST_HEADER)
        if file.read(1):
            raise ValueError(f"{name[:40]!r} has bytes behind its values")
    if array.dtype.kind == "b" and array.size and array.view(np.uint8).max() > 1:
        raise ValueError(f"{name[:40]!r} has truth values other than 0 and 1")
    return array


def load_meta(path: Path | str, *, hint: str = "make it again") -> dict[str, Any]:
    """The metadata alone."""
    return load_npz(path, only_meta=True, hint=hint)[1]


def format_of(path: Path | str) -> str:
    """The format that an `.npz` says it has; "" for any other file, or none."""
    try:
        return str(load_meta(path)["format"])
    except UserError:
        return ""
