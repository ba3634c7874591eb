"""Arrays and JSON metadata in one `.npz` file, written whole or not at all; never a pickle.

The metadata are the text of the array `meta`. They begin with `format` and `version`, so that every
family of benchmarks knows its own files.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, is_file

DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    KeyError,
    TypeError,
)
"""What numpy and zipfile raise for a file that is no `.npz`, or a broken one."""


def save_npz(
    path: Path | str,
    format_: tuple[str, int],
    arrays: dict[str, np.ndarray],
    *,
    compressed: bool = False,
    **meta: Any,
) -> None:
    """format_: name and version of the layout. Equal contents are equal bytes."""
    if wrong := [name for name, array in arrays.items() if array.dtype.hasobject]:
        raise ValueError(f"array {wrong[0]} holds Python objects, which would be pickled")
    meta |= {"format": format_[0], "version": format_[1]}
    save: Any = np.savez_compressed if compressed else np.savez
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        save(file, **arrays, meta=np.array(json.dumps(meta, sort_keys=True)))


def load_npz(
    path: Path | str, *, only_meta: bool = False, hint: str = "make it again"
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata); arrays may have hundreds of megabytes and are left alone with
    `only_meta`. hint: what `UserError` says to do about a missing or damaged file."""
    try:
        if is_file(path) and not zipfile.is_zipfile(path):
            raise ValueError("no .npz file")
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            if "meta" not in file:
                raise ValueError("no array 'meta'")
            arrays = {name: file[name] for name in file.files if name == "meta" or not only_meta}
        meta = json.loads(str(arrays.pop("meta")))
        if not isinstance(meta, dict):
            raise ValueError("its metadata are no JSON object")
        return arrays, {"format": "", "version": 0} | meta
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {hint}") from None
    except DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(
            f"{path}: damaged, or not made by rlnas ({reason}); make it again"
        ) from None


def load_meta(path: Path | str, *, hint: str = "make it again") -> dict[str, Any]:
    """The metadata alone."""
    return load_npz(path, only_meta=True, hint=hint)[1]


def format_of(path: Path | str) -> str:
    """The format that an `.npz` says it has; "" for any other file, or none."""
    try:
        return str(load_meta(path)["format"])
    except UserError:
        return ""
