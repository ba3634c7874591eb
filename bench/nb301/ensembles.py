"""The official ensembles, from the figshare zip or a folder of it to one packed `.npz` each.

Layout: `nb_models/xgb_v1.0/<k>/xgb/<time>-<seed>/surrogate_model.model`, k from 0 to 9;
`lgb_runtime_v1.0` likewise; the same for 0.9. As in the official code, every
`surrogate_model.model` below a kind's folder is a member; here they are put in the order of k. A
zip is read member by member; nothing is unpacked to disk.
"""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from rlnas.bench.errors import UserError
from rlnas.bench.nb301.grouping import FORMAT, join
from rlnas.bench.nb301.leafsets import pack
from rlnas.bench.nb301.legacy import read_member
from rlnas.bench.nb301.store import folder
from rlnas.bench.nb301.trees import OfficialEnsemble, TreeEnsemble, from_arrays
from rlnas.bench.npz import ALWAYS_FINE, BROKEN, MOST_TIMES, load_npz, save_npz
from rlnas.bench.progress import bar
from rlnas.bench.reading import reason, twice

ACCURACY = ("xgb_v1.0", "xgb_v0.9")
RUNTIME = ("lgb_runtime_v1.0", "lgb_runtime_v0.9")
KINDS = (*ACCURACY, *RUNTIME)
LEFT_OUT = ("gnn_gin_v1.0", "gnn_gin_v0.9")
WHY_LEFT_OUT = (
    "graph networks that need torch-geometric's kernels; xgb_v* predicts the same accuracies"
)
MODEL = "surrogate_model.model"
MOST_BYTES = 4 << 30
"""A member's file has 379 MB; a zip that claims more than this for one is not unpacked into
memory."""


class Member(NamedTuple):
    """One `surrogate_model.model`. name: its path below the source."""

    name: str
    size: int
    read: Callable[[], bytes]


def convert_ensembles(
    source: Path | str, out: Path | str | None = None, name: str | None = None
) -> dict[str, Path]:
    """Pack the ensembles in a folder or zip and return where each is, by kind.

    name: which of `KINDS` (default: all that are there); it also tells the kind of a folder not
    named after one. out: the file, if it is one ensemble (default: `<kind>.npz` in the cache
    folder). `UserError` when there is none, or a member is damaged; a file is written whole or not
    at all.
    """
    source = Path(source)
    if name in LEFT_OUT:
        raise UserError(f"{name} is left out: {WHY_LEFT_OUT}; expected one of {', '.join(KINDS)}")
    if name is not None and name not in KINDS:
        raise UserError(f"unknown ensemble {name!r}; expected one of {', '.join(KINDS)}")
    with _members(source) as members:
        found = _by_kind(source, members, name)
        if out is not None and len(found) > 1:
            raise UserError(
                f"{source} holds {', '.join(found)}, but one output file was named; pass --name too"
            )
        paths = {}
        for kind, of_kind in found.items():
            paths[kind] = folder() / f"{kind}.npz" if out is None else Path(out)
            arrays, meta = _pack(kind, of_kind)
            save_npz(paths[kind], FORMAT, arrays, source=source.name, **meta)
    return paths


def open_ensemble(
    path: Path | str, runtime: Path | str | None = None
) -> tuple[OfficialEnsemble, Path | None, dict[str, Any]]:
    """An accuracy ensemble's file as a model, the file its seconds are from, and its metadata.

    runtime: the file of the ensemble that predicts seconds; by default the one of the same version
    beside it, or none.
    """
    path = Path(path)
    accuracy, meta = _open(path, ACCURACY)
    if runtime is None:
        beside = path.with_name(f"lgb_runtime_{meta['kind'].partition('_')[2]}.npz")
        runtime = beside if beside.is_file() else None
    seconds = None if runtime is None else _open(Path(runtime), RUNTIME)[0]
    return OfficialEnsemble(accuracy, seconds), None if runtime is None else Path(runtime), meta


def _open(path: Path, kinds: tuple[str, ...]) -> tuple[TreeEnsemble, dict[str, Any]]:
    arrays, meta = load_npz(path, seal=FORMAT)
    found = (meta["format"], meta["version"])
    if found[0] != FORMAT[0] or found[1] not in (1, 2) or meta.get("kind") not in kinds:
        kind = f"{meta.get('kind') or found[0] or 'no known format'} version {found[1]}"
        raise UserError(
            f"{path} is {kind}; expected {kinds[0]} version {FORMAT[1]} made by `rlnas bench "
            "convert`"
        )
    return from_arrays(arrays, str(path)), meta


def _pack(kind: str, members: list[Member]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    packed, about = [], []
    with bar(f"convert {kind}", len(members), unit="member") as shown:
        for member in members:
            data = member.read()
            forest = read_member(data, member.name)
            if forest.inclusive != (kind in RUNTIME):
                there = "a LightGBM" if forest.inclusive else "an xgboost"
                raise UserError(
                    f"{member.name}: found {there} model, which is no member of {kind}; check the "
                    "folder"
                )
            packed.append(pack(forest, member.name))
            digest = hashlib.sha256(data).hexdigest()
            about.append(
                {
                    "name": member.name,
                    "sha256": digest,
                    "trees": forest.trees,
                    "nodes": len(forest.left),
                }
            )
            shown.update()
    unit = "seconds" if kind in RUNTIME else "percent"
    return join(packed), {"kind": kind, "unit": unit, "members": about}


@contextmanager
def _members(source: Path) -> Iterator[list[Member]]:
    """Every model file below `source`, as long as it is open."""
    if source.is_dir():
        files = [path for path in source.rglob(MODEL) if path.is_file()]
        yield [
            Member(p.relative_to(source).as_posix(), p.stat().st_size, p.read_bytes) for p in files
        ]
        return
    if not source.is_file():
        raise UserError(
            f"{source}: no such file or folder; `rlnas bench fetch nb301-v1.0` downloads the "
            "official zip"
        )
    with ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(source))
            infos = [i for i in archive.infolist() if PurePosixPath(i.filename).name == MODEL]
            members = [Member(i.filename, i.file_size, partial(_unpacked, archive, i))
                       for i in infos]  # fmt: skip
            _check_sizes(infos, source.stat().st_size)
        except BROKEN as error:
            raise _damaged(source, error) from None
        yield members


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except BROKEN as error:
        raise _damaged(Path(archive.filename or ""), error) from None


def _damaged(source: Path, error: BaseException) -> UserError:
    return UserError(f"{source}: damaged or no zip file ({reason(error)}); download it again")


def _check_sizes(infos: Sequence[zipfile.ZipInfo], size: int) -> None:
    """`ValueError` for members that are there twice, or larger than what a file of that size can
    hold."""
    if name := twice(info.filename for info in infos):
        raise ValueError(f"{name[:80]!r} is there twice")
    packed = sum(info.compress_size for info in infos)
    unpacked = sum(info.file_size for info in infos)
    if packed > size or unpacked > max(ALWAYS_FINE, MOST_TIMES * packed):
        raise ValueError(f"{unpacked:,} bytes of {packed:,} when unpacked, in {size:,}")


def _by_kind(source: Path, members: list[Member], name: str | None) -> dict[str, list[Member]]:
    """The members of each kind in the order of their folders' numbers; kinds that are left out are
    named once."""
    found: dict[str, list[Member]] = {}
    above = source.resolve().parts if source.is_dir() else ()
    for member in members:
        if member.size > MOST_BYTES:
            raise UserError(
                f"{source}: {member.name} has {member.size:,} bytes; expected at most "
                f"{MOST_BYTES:,}"
            )
        parts = [*above, *PurePosixPath(member.name).parts]
        kind = next((part for part in reversed(parts) if part in (*KINDS, *LEFT_OUT)), name or "")
        found.setdefault(kind, []).append(member)
    left_out = [kind for kind in LEFT_OUT if found.pop(kind, None)]
    left_out += [part for part in LEFT_OUT if part in above and part not in left_out]
    if left_out and name is None:
        print(f"{', '.join(left_out)} left out: {WHY_LEFT_OUT}", file=sys.stderr)
    if name is not None:
        found = {kind: of_kind for kind, of_kind in found.items() if kind == name}
    unknown = found.pop("", [])
    if not found:
        what = (
            f"{unknown[0].name}, in no folder named after its kind; pass --name"
            if unknown
            else f"no {MODEL}"
        )
        raise UserError(f"{source}: found {what}; expected {name or 'one of ' + ', '.join(KINDS)}")
    return {kind: sorted(found[kind], key=_order) for kind in KINDS if kind in found}


def _order(member: Member) -> tuple[Any, ...]:
    """Paths by the numbers in their folders' names: member 10 comes after member 9."""
    return tuple(
        [int(part) if part.isdigit() else -1, part] for part in PurePosixPath(member.name).parts
    )
