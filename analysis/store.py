"""Runs on disk: `<out>/<hash>-<budget>x<seeds>/{manifest.json, history.npz}`. The manifest is
written last: with it, a run is done."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlnas.agents.protocol import History, filled
from rlnas.bench.arguments import shown
from rlnas.bench.checks import ArrayOf, Each, Fields, Number, Rule, Text, Whole, check, check_arrays
from rlnas.bench.code import code_of
from rlnas.bench.compiled import UNFUSED
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, quoted, sha256
from rlnas.bench.jax_setup import configuration
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.reading import canonical, check_seal, read_json, to_json, write_json

FORMAT = "rlnas-run"
FORMAT_VERSION = 4
HISTORY_FORMAT = ("rlnas-history", 2)
MANIFEST, HISTORY, PART = "manifest.json", "history.npz", "part"
AGAIN = "run the comparison again"
HISTORY_ARRAYS = {
    "arch": ArrayOf("", ("seeds", "budget", ...)),
    "val": ArrayOf("float32", ("seeds", "budget"), nan=True),
    "reported": ArrayOf("float32", ("seeds", "budget"), nan=True),
    "sim_seconds": ArrayOf("float32", ("seeds", "budget"), nan=True),
    "valid": ArrayOf("bool", ("seeds", "budget")),
    "is_new": ArrayOf("bool", ("seeds", "budget")),
    "incumbent": ArrayOf("int32", ("seeds", "budget"), -1),
    "objectives": ArrayOf("float32", ("seeds", "budget", "objectives"), nan=True),
}
MADE: dict[str, Rule | None] = {
    "versions": Fields({"rlnas": Text()}, others=Text()),
    "created": Text(form=r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"),
}
"""Of every manifest that `reused` speaks of."""
MANIFEST_RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "agent": Text(),
        "config": Fields(),
        "code": Text(),
        "jax": Fields(),
        "budget": Whole(1),
        "seed": Whole(),
        "seeds": Whole(1),
        "hash": Text(),
        "label": Text(),
        "reports": Text(),
        "optimum": Number(null=True),
        "architectures": Number(0, null=True),
        "pretraining": Fields(
            {"lookups": Number(0), "trained_on": Text()},
            {"unseen_incumbents": Each(Number(0, 1)), "same_queries": Number(0, 1, null=True)},
            null=True,
        ),
        "history_sha256": Text(),
        "wall_seconds": Number(0),
        **MADE,
    },
    {"remarks": Each(Text())},
)


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
    history: Any
    label: str
    new: bool = False

    def __repr__(self) -> str:
        said, name = self.manifest, self.manifest["benchmark"]["name"]
        size = f"{said['seeds']} seeds x {said['budget']} queries"
        return f"<Run {self.label} on {name}: {size}, {quoted(self.folder)}>"


def hash_of(value: Any) -> str:
    """16 hex digits of the SHA-256 of canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


def folder_of(out: Path, kind: str, identity: Any) -> Path:
    """Where the results of these settings belong: `<out>/<kind>-<hash of identity>`."""
    return out / f"{kind}-{hash_of(identity)}"


def decided_by(*things: Any) -> dict[str, Any]:
    """What decides the bytes of a result besides its settings, for its identity: the code of
    `things` (see `code_of`), and how JAX is set."""
    plain = jax.config.read("jax_disable_most_optimizations")
    how = configuration() | ({"optimised": False} if plain else {})
    if UNFUSED in os.environ.get("XLA_FLAGS", ""):  # rounds otherwise, too
        how |= {"fusion_emitters": False}
    return {"code": code_of(*things), "jax": how}


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
    arrays = {name: np.asarray(x) for name, x in filled(history)._asdict().items()}
    save_npz(path, HISTORY_FORMAT, arrays)


def load_history(path: Path, seeds: int, budget: int) -> History:
    """The history of [seeds, budget]; `DamagedRun` names the file and what is wrong with it."""
    try:
        arrays, meta = load_npz(path, hint=AGAIN, seal=HISTORY_FORMAT)
        if (meta["format"], meta["version"]) != HISTORY_FORMAT:
            raise UserError(f"{path} is no history of this version; {AGAIN}")
        sizes = {"seeds": seeds, "budget": budget}
        check_arrays(arrays, HISTORY_ARRAYS, path, AGAIN, sizes=sizes)
        if arrays["incumbent"].max(initial=-1) >= budget:
            raise UserError(f"{path} is damaged: an incumbent is beyond the budget; {AGAIN}")
        return History._make(arrays[name] for name in History._fields)
    except UserError as error:
        raise DamagedRun(str(error)) from None


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
    said = spec.identity() | {"hash": spec.hash, "label": label} | dict(facts)
    write_manifest(folder, said, wall_seconds)


def write_manifest(folder: Path, said: Mapping[str, Any], wall_seconds: float) -> None:
    """What is `said` of a run whose history lies in `folder`, with its digest, by whom it was made,
    when, and how long that took."""
    made = {
        "history_sha256": sha256(folder / HISTORY),
        "versions": versions(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(wall_seconds, 3),
    }
    write_json(folder / MANIFEST, {**said, **made})


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
        raise DamagedRun(f"{folder} is no finished run (no {MANIFEST}); {AGAIN}")
    try:
        manifest = read_json(path, hint=AGAIN, seal=None)
        found = manifest.get("format"), manifest.get("version")
        if found != (FORMAT, FORMAT_VERSION):
            expected = f"{FORMAT} version {FORMAT_VERSION}"
            raise UserError(
                f"{path} is {shown(found[0])} version {shown(found[1])}, expected {expected}; "
                f"{AGAIN}"
            )
        check_seal(manifest, path, AGAIN)
        check(manifest, MANIFEST_RULES, path, AGAIN)
        fields = {field.name: manifest[field.name] for field in dataclasses.fields(RunSpec)}
        if RunSpec(**fields).hash != manifest["hash"]:
            raise UserError(
                f"{path} was edited: its settings do not have the hash {manifest['hash']}"
            )
        if sha256_of(folder / HISTORY) != manifest["history_sha256"]:
            raise UserError(f"{folder / HISTORY} is missing or not what {MANIFEST} says; {AGAIN}")
        history = load_history(folder / HISTORY, manifest["seeds"], manifest["budget"])
        unseen = (manifest["pretraining"] or {}).get("unseen_incumbents")
        if unseen is not None and len(unseen) != manifest["budget"]:
            raise UserError(f"{path} is damaged: unseen_incumbents has another length; {AGAIN}")
        return Run(folder, manifest, history, manifest["label"] if label is None else label)
    except DamagedRun:
        raise
    except UserError as error:
        raise DamagedRun(str(error)) from None


def sha256_of(path: Path) -> str:
    """Of a file that may be missing: ""."""
    try:
        return sha256(path)
    except OSError:
        return ""
