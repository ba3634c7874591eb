"""Surrogates on disk: one `.npz` each in the cache folder, named `nb301-<file>`; `load` opens
them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, cache_dir, sha256
from rlnas.bench.nb301.benchmark import SurrogateBenchmark

PREFIX = "nb301-"
PREFERRED = ("xgb_v1.0", "xgb_v0.9", "yahpo")
NETWORK = ("rlnas-nb301-network", 1)
DISTILLED = ("rlnas-nb301-distilled", 1)
TRAINED_EPOCHS = 100
"""What the official ensembles predict the end of (Zela et al. 2022, arXiv 2008.09777)."""
HOW = (
    "`rlnas bench fetch nb301-yahpo` (2.6 MB), `rlnas bench fetch nb301-v1.0` (1.8 GB), or `rlnas "
    "bench convert` of "
    "files that are here make one"
)


def folder() -> Path:
    """Where converted surrogates are kept."""
    return cache_dir() / "nb301"


def available() -> dict[str, Path]:
    """name -> file of the surrogates that are here."""
    return {PREFIX + path.stem: path for path in sorted(folder().glob("*.npz"))}


def save_npz(
    path: Path, format_: tuple[str, int], arrays: dict[str, np.ndarray], **meta: Any
) -> None:
    """Arrays and JSON metadata in one file, written whole or not at all."""
    text = json.dumps({"format": format_[0], "version": format_[1], **meta})
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, meta=np.array(text), **arrays)


def load_meta(path: Path) -> dict[str, Any]:
    """The metadata alone: an ensemble's arrays have hundreds of megabytes."""
    return load_npz(path, only_meta=True)[1]


def load_npz(
    path: Path, *, only_meta: bool = False
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """(arrays, metadata) of `save_npz`; `UserError` for anything else."""
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files if name == "meta" or not only_meta}
        meta = json.loads(str(arrays.pop("meta")))
        return arrays, {"format": "", "version": 0} | meta
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {HOW}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(
            f"{path} is no surrogate made by rlnas, or damaged ({error}); make it again"
        ) from None


def is_surrogate(path: Path) -> bool:
    """Whether an `.npz` is one of ours; False for any other file, or none."""
    try:
        return str(load_meta(path)["format"]).startswith("rlnas-nb301")
    except UserError:
        return False


def find(surrogate: str | None) -> Path:
    """The file of a surrogate: a path, a name with or without `nb301-`, or None for the best one
    here."""
    here = available()
    if surrogate is None:
        for name in [*(PREFIX + name for name in PREFERRED), *here]:
            if name in here:
                return here[name]
        raise UserError(f"no surrogate of NAS-Bench-301 is here; {HOW}")
    if surrogate.endswith(".npz"):
        return Path(surrogate)
    name = PREFIX + surrogate.removeprefix(PREFIX)
    if name not in here:
        raise UserError(f"no surrogate {name!r} here (found {', '.join(here) or 'none'}); {HOW}")
    return here[name]


def convert_network(source: Path, out: Path | None = None) -> Path:
    """YAHPO's ONNX file -> `.npz`; returns where. `UserError` when it is another file."""
    from rlnas.bench.nb301.network import read_onnx

    out = out or folder() / "yahpo.npz"
    save_npz(out, NETWORK, read_onnx(source), source=source.name, source_sha256=sha256(source))
    return out


def load(
    name: str = "nb301",
    *,
    epochs: int | None = None,
    noise: str = "mean",
    surrogate: str | Path | None = None,
) -> SurrogateBenchmark:
    """Open a surrogate as a benchmark.

    name: `nb301`, `nb301-<surrogate>`, or a file. surrogate: `yahpo`, `xgb_v1.0`, `xgb_v0.9`, a
    distilled one, or the path of an `.npz`; it goes before the name. epochs: 1 to 98, YAHPO's
    network only (default 98). noise: `mean` or `sample`. Raises `UserError`.
    """
    path = find(str(surrogate) if surrogate is not None else None if name == "nb301" else name)
    meta = load_meta(path)
    found = meta["format"], meta["version"]
    label = PREFIX + path.stem.removeprefix(PREFIX)
    if found == NETWORK:
        from rlnas.bench.nb301 import network

        epochs = network.EPOCHS if epochs is None else epochs
        return SurrogateBenchmark(
            network.build(load_npz(path)[0], epochs), label, epochs, noise, sha256=sha256(path)
        )
    if found[0].startswith("rlnas-nb301-trees"):
        from rlnas.bench.nb301.ensembles import open_ensemble

        _only_budget(label, epochs, TRAINED_EPOCHS)
        ensemble, runtime, _ = open_ensemble(path)
        files = [path] if runtime is None else [path, runtime]
        return SurrogateBenchmark(
            ensemble, label, TRAINED_EPOCHS, noise, sha256="+".join(map(sha256, files))
        )
    if found == DISTILLED:
        from rlnas.bench.nb301.distilled import from_arrays

        of = meta["of"]
        _only_budget(label, epochs, of["epochs"])
        model = from_arrays(load_npz(path)[0], meta["members"])
        return SurrogateBenchmark(
            model, label, of["epochs"], noise, distilled=of["name"], sha256=sha256(path)
        )
    raise UserError(
        f"{path} is {found[0] or 'of no known format'} version {found[1]}; make it again with "
        "this rlnas"
    )


def _only_budget(name: str, found: int | None, epochs: int) -> None:
    if found not in (None, epochs):
        raise UserError(
            f"no budget of {found} epochs in {name}; expected {epochs}, the only one it knows"
        )
