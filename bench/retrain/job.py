"""What one training is, and what is recorded of it. Needs no torch."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rlnas.bench.checks import Each, Fields, Number, Text, Whole, check
from rlnas.bench.errors import UserError
from rlnas.bench.reading import read_json, write_json
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.plan import NetworkPlan
from rlnas.bench.retrain.presets import Settings

FORMAT, VERSION = "rlnas-training", 2
DONE, DIVERGED, FAILED = "done", "diverged", "failed"
"""A diverged training would diverge again; a failed one (no memory, a killed worker) is tried
again."""
HINT = "it is trained again"
RULES = Fields(
    {
        "format": Text(),
        "version": Whole(),
        "arch": Text(),
        "seed": Whole(),
        "status": Text((DONE, DIVERGED, FAILED)),
        "reason": Text(),
        "settings": Fields(),
        "engine": Fields({"device": Text()}),
    }
)
_FRACTIONS = Fields(dict.fromkeys(("train", "val", "test"), Number(0, 1)))
DONE_RULES = Fields(
    {
        "params": Whole(),
        "epochs": Whole(1),
        "accuracy": _FRACTIONS,
        "curve": Each(Fields({"images": Whole(), "seconds": Number(0)}, others=Number())),
        "seconds": Number(0),
        "images_per_second": Number(0),
        "peak_mb": Number(0, null=True),
    },
    {"measured": Each(Fields({"epoch": Whole(1)}, others=Number()))},
)


@dataclass(frozen=True)
class Data:
    """Which data set, as `datasets.load` takes it."""

    name: str
    data_dir: Path | None
    val_images: int


@dataclass(frozen=True)
class Job:
    """One architecture, one seed.

    arch: its text, which names it. model: what is built. folder: of the trainings that share data
    and settings. keep_weights: its checkpoint stays when it is done. measured: epochs after which
    accuracies are measured besides the last. stored: whether it can go on from any epoch; else a
    training that is cut short begins again.
    """

    arch: str
    model: NetworkPlan
    seed: int
    data: Data
    settings: Settings
    engine: Engine
    folder: Path
    keep_weights: bool = False
    measured: tuple[int, ...] = ()
    stored: bool = True

    def __str__(self) -> str:
        return f"{self.arch} seed {self.seed}"

    @property
    def stem(self) -> Path:
        """Where its files are, without their endings."""
        return (
            self.folder / f"{hashlib.sha256(self.arch.encode()).hexdigest()[:16]}-seed{self.seed}"
        )

    @property
    def record(self) -> Path:
        return self.stem.with_suffix(".json")

    @property
    def checkpoint(self) -> Path:
        return self.stem.with_suffix(".safetensors")


def record_of(job: Job, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """What is known of a training that ended, ready for JSON."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "arch": job.arch,
        "seed": job.seed,
        "status": status,
        "reason": reason,
        "settings": asdict(job.settings),
        "engine": asdict(job.engine),
        **more,
    }


def keep(job: Job, record: dict[str, Any]) -> None:
    """Write a record into the job's folder."""
    write_json(job.record, record)


def finished(job: Job) -> dict[str, Any] | None:
    """The record of a training that need not be done again; None for any other. A damaged one is
    told on stderr."""
    if not job.record.exists():
        return None
    wanted = (FORMAT, VERSION, job.arch, job.seed)
    try:
        record = read_json(job.record, hint=HINT)
        check(record, RULES, job.record, HINT)
        if record["status"] == DONE:
            check(record, DONE_RULES, job.record, HINT)
    except UserError as error:
        print(f"rlnas: {error}", file=sys.stderr)
        return None
    same = (record["format"], record["version"], record["arch"], record["seed"]) == wanted
    return record if same and record["status"] in (DONE, DIVERGED) else None
