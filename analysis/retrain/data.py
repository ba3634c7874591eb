"""What a retraining consists of, and its files: the architectures, the results, the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rlnas.analysis.folders import kind_of
from rlnas.analysis.stats import Interval
from rlnas.bench.arguments import shown
from rlnas.bench.checks import Each, Fields, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.files import atomic_path, sha256
from rlnas.bench.reading import UNREADABLE, check_seal, read_json, reason
from rlnas.bench.retrain.job import FAILED

FORMAT, VERSION = "rlnas-retrain", 2
AGAIN = "run `rlnas retrain` again"
RULES = Fields(
    {
        "benchmark": Fields({"name": Text()}),
        "results_sha256": Text(),
        "sessions": Each(Fields()),
        "chosen": Each(Fields({"arch": Text()})),
        "seeds": Each(Whole(), null=True),
    }
)
RESULTS, MANIFEST = "results.parquet", "manifest.json"
GROUPS = ("top", "random", "worst", "named")
CONTROL = "random"


@dataclass(frozen=True)
class Chosen:
    """An architecture to train. arch: its text. groups: of `GROUPS`. Table accuracies are
    fractions, means over the benchmark's repeats, NaN where it has none."""

    arch: str
    groups: tuple[str, ...]
    table_val: float
    table_test: float


@dataclass(frozen=True)
class Line:
    """One architecture. Accuracies are fractions; low, high: the worst and the best seed; ranks
    from 1, ties shared."""

    arch: str
    groups: tuple[str, ...]
    table_val: float
    table_test: float
    val: float
    test: float
    table: float
    retrained: float
    low: float
    high: float
    seeds: int
    params: int
    table_rank: float
    rank: float


@dataclass(frozen=True)
class Group:
    """Means over the architectures of a group; `against`: its retrained accuracy above the random
    controls'."""

    name: str
    size: int
    table_val: float
    val: float
    table_test: float
    test: float
    against: Interval


@dataclass(frozen=True)
class Verdict:
    """measure: what `Line.table` and `Line.retrained` are. choice, best: the architecture the
    table's validation accuracy would choose of the retrained, and the one that came out best.
    seed_sd: of one training, within an architecture. lines: from the best retrained on. missing:
    architectures without a training that ended well."""

    measure: str
    lines: tuple[Line, ...]
    missing: tuple[str, ...]
    spearman: Interval
    kendall: Interval
    regret: Interval
    choice: str
    best: str
    seed_sd: float
    groups: tuple[Group, ...]


def write_results(
    path: Path, chosen: Sequence[Chosen], records: Sequence[Mapping[str, Any]]
) -> None:
    """One row an architecture and seed; empty where a training did not end well."""
    by_arch = {c.arch: c for c in chosen}
    rows = []
    for record in records:
        c, accuracy = by_arch[record["arch"]], record.get("accuracy", {})
        rows.append(
            {
                "arch": c.arch,
                "groups": ",".join(c.groups),
                "table_val": c.table_val,
                "table_test": c.table_test,
                "seed": record["seed"],
                "status": record["status"],
                "reason": record["reason"],
                "epochs": record.get("epochs", len(record.get("curve", []))),
                "params": record.get("params"),
                "train": accuracy.get("train"),
                "val": accuracy.get("val"),
                "test": accuracy.get("test"),
                "seconds": record.get("seconds"),
                "images_per_second": record.get("images_per_second"),
                "peak_mb": record.get("peak_mb"),
                "device": record["engine"]["device"],
            }
        )
    numbers = (
        "table_val",
        "table_test",
        "train",
        "val",
        "test",
        "seconds",
        "images_per_second",
        "peak_mb",
    )
    frame = pd.DataFrame(rows).astype(dict.fromkeys(numbers, "float64")).astype({"params": "Int64"})
    with atomic_path(path) as temporary:
        frame.to_parquet(temporary, index=False)


def read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    """(manifest, results) of a finished folder; `UserError` names what is missing or damaged."""
    manifest = read_manifest(folder)
    try:
        if sha256(folder / RESULTS) != manifest["results_sha256"]:
            raise UserError(f"{folder / RESULTS} is not what {MANIFEST} says; {AGAIN}")
        return manifest, pd.read_parquet(folder / RESULTS)
    except UserError:
        raise
    except UNREADABLE as error:
        raise UserError(
            f"{folder} holds no finished retraining ({reason(error)}); {AGAIN}"
        ) from None


def read_manifest(folder: Path) -> dict[str, Any]:
    """Of a finished folder; `UserError` where there is none, or it is damaged."""
    path = folder / MANIFEST
    manifest = read_json(path, hint=AGAIN, seal=None)
    found = manifest.get("format"), manifest.get("version")
    if found != (FORMAT, VERSION):
        raise UserError(
            f"{folder} is {shown(found[0])} version {shown(found[1])}; expected {FORMAT!r} "
            f"version {VERSION}; {AGAIN}"
        )
    check_seal(manifest, path, AGAIN)
    return dict(check(manifest, RULES, path, AGAIN))


def failed(results: pd.DataFrame) -> int:
    """Trainings that another call would do again."""
    return int((results["status"] == FAILED).sum())


def sessions(folder: Path) -> list[dict[str, Any]]:
    """What earlier calls for the same results took."""
    try:
        return list(read_manifest(folder)["sessions"])
    except UserError:
        return []


def is_retraining(folder: Path) -> bool:
    """Whether a folder was written by `train`, damaged or not."""
    try:
        return bool(read_json(folder / MANIFEST, seal=None).get("format") == FORMAT)
    except UserError:
        return kind_of(folder) == "retrain" and (folder / MANIFEST).exists()
