"""Runs as they would have been stored, made of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rlnas.agents.protocol import History, filled
from rlnas.analysis import store

TRAINING = {"settings": {"alpha": 6}, "benchmark": {"name": "made"}, "shown": ""}


def made_run(
    label: str,
    reported: Any,
    *,
    agent: str = "",
    config: dict[str, Any] | None = None,
    pretraining: dict[str, Any] | None = None,
    benchmark: str = "made",
    optimum: float | None = 1.0,
    **manifest: Any,
) -> store.Run:
    """reported: [seeds, budget], of the incumbent after each query; validation is the same, and
    rises."""
    values = np.asarray(reported, np.float32)
    seeds, budget = values.shape
    history = History(
        arch=np.tile(np.arange(budget, dtype=np.int32), (seeds, 1)),
        val=values,
        reported=values,
        sim_seconds=np.full((seeds, budget), 10.0, np.float32),
        valid=np.ones((seeds, budget), bool),
        is_new=np.ones((seeds, budget), bool),
        incumbent=np.tile(np.arange(budget, dtype=np.int32), (seeds, 1)),
    )
    facts = {
        "hash": store.hash_of([label, benchmark, config, values.tolist()]),
        "label": label,
        "agent": agent or label.partition(":")[0],
        "config": config or {},
        "code": "0",
        "jax": {},
        "beginning": None,
        "budget": budget,
        "seed": 0,
        "seeds": seeds,
        "benchmark": {"name": benchmark, "noise": "mean", "epochs": 4},
        "reports": "test accuracy",
        "optimum": optimum,
        "architectures": 100.0,
        "pretraining": pretraining,
    }
    return store.Run(Path("runs"), facts | manifest, filled(history), label)


def trained_run(label: str, reported: Any, lookups: int = 1000, **changes: Any) -> store.Run:
    """Of an agent that was trained; changes: to the manifest, or to what trainings share
    (`training`)."""
    training = TRAINING | changes.pop("training", {})
    folder = label.partition(":")[2].partition(",")[0]
    config = {"sha256": store.hash_of(label), "patience": 0}
    config |= changes.pop("config", {})
    said = {"lookups": lookups, "trained_on": "made", "training": training, "checkpoint": folder}
    return made_run(label, reported, config=config, pretraining=said, **changes)


def searches(level: float, seeds: int = 8, budget: int = 12) -> np.ndarray:
    """[seeds, budget], rising, to below `level`."""
    rng = np.random.default_rng(round(1000 * level))
    return np.sort(level - 0.1 * rng.random((seeds, budget)), axis=1)


def training_manifest() -> dict[str, Any]:
    """Of a training, as far as it is read."""
    listed = {"val": [0.5, 0.6], "reported": [0.4, 0.5]}
    return {
        "kind": "train", "agent": "averages", "evaluation_seeds": 4, "judged_by": 8,
        "benchmark": {"name": "made", "reports": "test accuracy"}, "judged": {"averages": listed},
        "baselines": {"random_search": listed}, "controls": [{**listed, "name": "x"}],
        "curve": [{"step": 8, "seconds": 1.5, "val_3": 0.5}] * 2,
        "versions": {"rlnas": "1"}, "created": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
