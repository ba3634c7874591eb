"""Runs on disk: `<out>/<hash>-<budget>x<seeds>/{manifest.json, history.npz}`. The manifest is
written last: with it, a run is done."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import math
import platform
import resource
import sys
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlnas.agents.protocol import History
from rlnas.bench.code import code_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.jax_setup import configuration

FORMAT = "rlnas-run"
FORMAT_VERSION = 2
MANIFEST, HISTORY, PART = "manifest.json", "history.npz", "part"


class DamagedRun(UserError):
    """A run folder whose files contradict each other, or are not a run at all."""


@dataclass(frozen=True)
class RunSpec:
    """What decides every byte of a run's history. benchmark: `Benchmark.describe()`. config: the
    agent's fields. code, jax: of `decided_by`."""

    benchmark: Mapping[str, Any]
    agent: str
    config: Mapping[str, Any]
    code: str
    jax: Mapping[str, Any]
    budget: int
    seed: int
    seeds: int

    def identity(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": FORMAT_VERSION} | to_json(dataclasses.asdict(self))

    @property
    def search(self) -> str:
        """16 hex digits for all but budget and seeds: runs of one search share their beginnings."""
        sizes = ("budget", "seeds")
        return hash_of({key: x for key, x in self.identity().items() if key not in sizes})

    @property
    def hash(self) -> str:
        """The run folder's name."""
        return f"{self.search}-{self.budget}x{self.seeds}"


@dataclass(frozen=True)
class Run:
    """A stored run. history: numpy arrays, [seeds, budget, ...]. label: what figures and tables
    call it. new: made just now."""

    folder: Path
    manifest: dict[str, Any]
    history: History
    label: str
    new: bool = False


def to_json(value: Any) -> Any:
    """`value` in JSON's own types: NaN and infinities become null, tuples lists, numpy scalars
    numbers, paths text."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for a {type(value).__name__}: {value!r}")


def hash_of(value: Any) -> str:
    """16 hex digits of the SHA-256 of canonical JSON: sorted keys, no spaces."""
    text = json.dumps(to_json(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def folder_of(out: Path, kind: str, identity: Any) -> Path:
    """Where the results of these settings belong: `<out>/<kind>-<hash of identity>`."""
    return out / f"{kind}-{hash_of(identity)}"


def decided_by(*things: Any) -> dict[str, Any]:
    """What decides the bytes of a result besides its settings, for its identity: the code of
    `things` (see `code_of`), and how JAX is set."""
    plain = jax.config.read("jax_disable_most_optimizations")
    how = configuration() | ({"optimised": False} if plain else {})
    return {"code": code_of(*things), "jax": how}


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, written whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(
            json.dumps(to_json(value), indent=2, allow_nan=False) + "\n", encoding="utf-8"
        )


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Tidy: a line a row, under the names of the first. Floats in the shortest form that reads back
    the same; an empty field where there is no number."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(to_json(list(rows)))


def versions() -> dict[str, str]:
    """Who made a run: the versions its bytes may depend on."""

    def of(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "source"

    return {"rlnas": of("rlnas"), "python": platform.python_version()} | {
        p: of(p) for p in ("jax", "numpy")
    }


def peak_mb() -> float:
    """Peak resident memory of this process in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )


def save_history(path: Path, history: History) -> None:
    """One array a field, not compressed: equal histories are equal bytes, whatever zlib is
    installed."""
    with atomic_path(path) as temporary:
        np.savez(
            temporary,
            allow_pickle=False,
            **{name: np.asarray(x) for name, x in history._asdict().items()},
        )


def load_history(path: Path, seeds: int, budget: int) -> History:
    """The history of [seeds, budget]; `DamagedRun` names the file and what is wrong with it."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            history = History(**{name: file[name] for name in History._fields})
    except FileNotFoundError:
        raise DamagedRun(f"{path} is missing; run the comparison again") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__
        raise DamagedRun(f"{path} is damaged ({reason}); run the comparison again") from None
    for name, array in history._asdict().items():
        if array.shape[:2] != (seeds, budget):
            raise DamagedRun(
                f"{path} is damaged ({name} has shape {array.shape}, expected ({seeds}, {budget}, "
                "...))"
            )
    return history


def save(
    folder: Path,
    spec: RunSpec,
    history: History,
    *,
    label: str,
    facts: Mapping[str, Any],
    wall_seconds: float,
) -> None:
    """Write the run, the manifest last. facts: what redrawing needs besides the history (see
    `sweep.facts`)."""
    save_history(folder / HISTORY, history)
    manifest = (
        spec.identity()
        | {"hash": spec.hash, "label": label}
        | dict(facts)
        | {
            "history_sha256": sha256(folder / HISTORY),
            "versions": versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "wall_seconds": round(wall_seconds, 3),
        }
    )
    write_json(folder / MANIFEST, manifest)


def reused(manifest: Mapping[str, Any]) -> str:
    """Since when a result is there, and who made it, where that was another version."""
    made, here = manifest["versions"], versions()
    other = [f"{name} {made.get(name)}" for name in here if made.get(name) != here[name]]
    by = f", made with {', '.join(other)}" if other else ""
    return f"reused from {_minute(datetime.fromisoformat(manifest['created']))}{by}"


def tell_reused(what: str, files: Sequence[Path], total: int) -> None:
    """Say on stderr how many of `total` results were there before, as files; nothing of none."""
    if files:
        oldest = datetime.fromtimestamp(min(path.stat().st_mtime for path in files), UTC)
        said = f"{len(files)} of {total} {what} reused, the oldest from {_minute(oldest)}"
        print(f"rlnas: {said}", file=sys.stderr)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def forget_parts(folder: Path) -> None:
    """Remove the chunks of seeds that an unfinished run left behind (see `sweep.run_agent`)."""
    for path in folder.glob(f"{PART}-*.npz"):
        path.unlink(missing_ok=True)


def is_done(folder: Path) -> bool:
    """Whether `folder` has a manifest. `load` may still find the run damaged."""
    return (folder / MANIFEST).is_file()


def longest(out: Path, spec: RunSpec) -> Run | None:
    """The stored run of the same search, with at least that budget, that has most of the seeds that
    are asked for; of equals the shortest. Damaged ones are passed over."""
    found = []
    for folder in out.glob(f"{spec.search}-*x*"):
        sizes = folder.name.removeprefix(f"{spec.search}-").split("x")
        budget, seeds = (int(size) if size.isdecimal() else 0 for size in sizes)
        if budget >= spec.budget and seeds:
            found.append((-min(seeds, spec.seeds), budget, folder))
    for _, _, folder in sorted(found):
        with suppress(DamagedRun):
            return load(folder)
    return None


def load(folder: Path, label: str | None = None) -> Run:
    """The run in `folder`; `DamagedRun` when its files are not what the manifest says."""
    path = folder / MANIFEST
    if not path.is_file():
        raise DamagedRun(f"{folder} is no finished run (no {MANIFEST}); run the comparison again")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"], manifest["version"]
        if found != (FORMAT, FORMAT_VERSION):
            expected = f"{FORMAT} version {FORMAT_VERSION}"
            raise DamagedRun(
                f"{path} is {found[0]} version {found[1]}, expected {expected}; run the "
                "comparison again"
            )
        fields = {field.name: manifest[field.name] for field in dataclasses.fields(RunSpec)}
        if RunSpec(**fields).hash != manifest["hash"]:
            raise DamagedRun(
                f"{path} was edited: its settings do not have the hash {manifest['hash']}"
            )
        if (
            not (folder / HISTORY).is_file()
            or sha256(folder / HISTORY) != manifest["history_sha256"]
        ):
            raise DamagedRun(
                f"{folder / HISTORY} is missing or not what {MANIFEST} says; run the comparison "
                "again"
            )
        history = load_history(folder / HISTORY, manifest["seeds"], manifest["budget"])
        return Run(folder, manifest, history, manifest["label"] if label is None else label)
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else error
        raise DamagedRun(
            f"{path} is no manifest of a run ({reason}); run the comparison again"
        ) from None
