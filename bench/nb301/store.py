"""Surrogates on disk: one `.npz` each in the cache folder, named `nb301-<file>`."""

from __future__ import annotations

from pathlib import Path

from rlnas.bench.errors import UserError
from rlnas.bench.files import cache_dir

PREFIX = "nb301-"
FORMATS = "rlnas-nb301-"
"""How the formats of all files of this family begin."""
PREFERRED = ("xgb_v1.0", "xgb_v0.9", "yahpo")
HOW = (
    "`rlnas bench fetch nb301-yahpo` (2.6 MB), `rlnas bench fetch nb301-v1.0` (1.8 GB), or `rlnas "
    "bench convert` of files that are here make one"
)


def folder() -> Path:
    """Where converted surrogates are kept."""
    return cache_dir() / "nb301"


def available() -> dict[str, Path]:
    """name -> file of the surrogates that are here."""
    return {PREFIX + path.stem: path for path in sorted(folder().glob("*.npz"))}


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
