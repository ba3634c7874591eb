"""From an agent's settings to a stored run: seeds in equal chunks, so that a kill loses one chunk
at most."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlnas.agents.protocol import AgentConfig, History, run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.bench.benchmark import Benchmark

CHUNK = 50


@dataclasses.dataclass(frozen=True)
class Contender:
    """An agent in a comparison. name: as registered. label: as asked for, e.g.
    `evolution:population=30`."""

    name: str
    label: str
    config: AgentConfig


def spec_of(
    contender: Contender, benchmark: Benchmark, budget: int, seed: int, seeds: int
) -> store.RunSpec:
    """The identity of the run."""
    fields = dataclasses.asdict(contender.config)  # type: ignore[call-overload]
    return store.RunSpec(benchmark.describe(), contender.name, fields, budget, seed, seeds)


def facts(contender: Contender, benchmark: Benchmark, history: History) -> dict[str, Any]:
    """What figures and tables need besides the history, so that they can be redrawn without the
    benchmark.

    pretraining: null, or what a learned agent's settings say in an attribute of that name:
    {"lookups": how many queries were spent before the search, "trained_on": on what}. Where its
    settings can tell what it saw in training (`unseen`), "unseen_incumbents" has, for each query,
    the share of runs whose incumbent is new to it.
    """
    pretraining: dict[str, Any] | None = getattr(contender.config, "pretraining", None)
    tell = getattr(contender.config, "unseen", None)
    unseen = tell(benchmark, history.arch) if pretraining and tell else None
    if pretraining and unseen is not None:
        found = np.take_along_axis(unseen, np.maximum(history.incumbent, 0), axis=1) & (
            history.incumbent >= 0
        )
        pretraining = pretraining | {"unseen_incumbents": found.mean(0).round(6).tolist()}
    return {
        "reports": benchmark.reports,
        "optimum": float(benchmark.optimum),
        "architectures": float(benchmark.space.size),
        "pretraining": pretraining,
    }


def run_agent(
    contender: Contender,
    benchmark: Benchmark,
    spec: store.RunSpec,
    folder: Path,
    progress: Callable[[int], None] = lambda seeds: None,
) -> store.Run:
    """Run all seeds, store the run in `folder`, load it back. progress: told how many seeds have
    been finished.

    Seed number i has its own key, so the chunks decide nothing but what is on disk when the process
    is killed. The last chunk is filled up with seeds that are thrown away: one shape, one
    compilation.
    """
    started = time.monotonic()
    chunk = math.ceil(spec.seeds / math.ceil(spec.seeds / CHUNK))
    starts = range(0, spec.seeds, chunk)
    keys = seed_keys(spec.seed, len(starts) * chunk)
    made_by = "-".join(
        store.versions().values()
    )  # chunks of other versions are no part of this run
    parts: list[History] = []
    for start in starts:
        stop = min(start + chunk, spec.seeds)
        path = folder / f"{store.PART}-{start:06d}-{stop:06d}-{made_by}.npz"
        try:
            part = store.load_history(path, stop - start, spec.budget)
        except store.DamagedRun:
            result = run_seeds(
                contender.config, benchmark, spec.budget, keys[start : start + chunk]
            )
            part = History._make(np.asarray(x)[: stop - start] for x in jax.device_get(result))
            if len(starts) > 1:
                store.save_history(path, part)
        parts.append(part)
        progress(stop - start)
    history = History._make(np.concatenate(fields) for fields in zip(*parts, strict=True))
    wall = time.monotonic() - started
    store.save(
        folder,
        spec,
        history,
        label=contender.label,
        facts=facts(contender, benchmark, history),
        wall_seconds=wall,
    )
    store.forget_parts(folder)
    return store.load(folder, contender.label)
