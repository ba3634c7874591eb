"""Everything that `rlnas bench fetch` knows: the families' files, and the images to retrain on."""

from __future__ import annotations

from rlnas.bench.errors import UserError
from rlnas.bench.family import families
from rlnas.bench.fetch import Download
from rlnas.bench.retrain.cifar import CIFAR10


def downloads() -> dict[str, Download]:
    """By name. `ValueError` when two have one name."""
    found: dict[str, Download] = {}
    for download in [*(d for family in families().values() for d in family.downloads), CIFAR10]:
        if download.name in found:
            raise ValueError(f"two downloads are named {download.name!r}")
        found[download.name] = download
    return found


def download_named(name: str) -> Download:
    known = downloads()
    if name not in known:
        raise UserError(f"nothing named {name!r} to fetch; expected one of {', '.join(known)}")
    return known[name]
