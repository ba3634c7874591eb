"""The loop of a training: learn, evaluate, save; killed, it goes on to the same bytes."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from rlnas import agents
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.evaluate import evaluate, incumbents
from rlnas.agents.learner import (
    Learner,
    TrainState,
    is_remembered,
    iterations,
    learner_class,
    looked_up,
    preset,
    run,
)
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.analysis.training import figure
from rlnas.analysis.training.data import (
    CURVE,
    KIND,
    STATE,
    Progress,
    Row,
    load_state,
    save_state,
    write_curve,
)
from rlnas.analysis.training.settings import QUERIES, TrainSettings
from rlnas.bench.benchmark import Benchmark, Restrictable, Sized, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.family import named
from rlnas.bench.jax_setup import pinned
from rlnas.bench.progress import bar

BASELINES = ("random_search", "local_search")
DECIDES = (evaluate, "rlnas.analysis.training.loop")
"""What decides the bytes of a training, whatever is trained on what."""


def settings_of(config: TrainSettings, benchmark: Benchmark) -> Learner:
    """The learner's settings: those given, or the preset's."""
    if config.learner is None:
        found: Learner = preset(config.agent, named(benchmark.family), config.preset)
        return found
    if type(config.learner) is not learner_class(config.agent):
        raise UserError(
            f"found the settings of another agent than {config.agent}; expected `rlnas train "
            f"{config.agent} OPTIONS`, the agent first"
        )
    given: Learner = config.learner
    return given


def shown_part(config: TrainSettings, benchmark: Any) -> tuple[Any, str]:
    """The benchmark that training sees, and how to say so in a legend."""
    if config.shown == 1 and config.shown_vertices is None:
        return benchmark, ""
    space, name = benchmark.space, benchmark.name
    if not isinstance(benchmark, Restrictable):
        raise UserError(
            f"{name} is no table, so no part of it can be shown; leave --shown and --shown-vertices"
        )
    size = int(space.size)
    if config.shown_vertices is not None:
        if not isinstance(space, Sized):
            raise UserError(
                f"the architectures of {name} are all of one size; leave "
                "--shown-vertices (there is --shown)"
            )
        places = np.flatnonzero(space.num_vertices() <= config.shown_vertices)
        said = f", cells with at most {config.shown_vertices} vertices"
    else:
        count = max(1, round(config.shown * size))
        places = np.sort(np.random.default_rng(config.seed).choice(size, count, replace=False))
        said = f", {config.shown:.0%} of the cells"
    return benchmark.restrict(places), said


def identity_of(
    config: TrainSettings, learner: Learner, benchmark: Benchmark, part: Any
) -> dict[str, Any]:
    """What decides every byte of a training but its times."""
    same = ("agent", "shown", "shown_vertices", "seed", "evaluation_seeds", "evaluate_every")
    identity = {
        "benchmark": benchmark.describe(),
        "cells_shown": int(part.space.size),
        **{name: getattr(config, name) for name in same},
        "settings": dataclasses.asdict(learner),  # type: ignore[call-overload]
    }
    if config.evaluation_queries != QUERIES:
        identity["evaluation_queries"] = config.evaluation_queries
    if (devices := len(devices_of(learner))) > 1:  # sums are taken in another order
        identity["devices"] = devices
    return identity | store.decided_by(agents.config(config.agent), learner, part, *DECIDES)


def devices_of(learner: Learner) -> list[jax.Device]:
    """What a training is spread over: all devices, where the actors divide among them."""
    found = jax.devices()
    return found if learner.iteration_steps % len(found) == 0 else found[:1]


@pinned()
def train(config: TrainSettings, benchmark: Any) -> Path:
    """Train on `benchmark` (or go on with it) and return the folder; a finished training is left as
    it is."""
    learner = settings_of(config, benchmark)
    part, said = shown_part(config, benchmark)
    identity = identity_of(config, learner, benchmark, part)
    folder = store.folder_of(config.out, "train", identity)
    if (folder / store.MANIFEST).exists():
        done = json.loads((folder / store.MANIFEST).read_text(encoding="utf-8"))
        print(f"rlnas: {folder} is {store.reused(done)}", file=sys.stderr)
        return folder
    mdp = learner.mdp(part)
    state = jax.jit(lambda mdp, key: learner.init(mdp, key))(mdp, jax.random.key(config.seed))
    progress = Progress(state, [], -np.inf)
    if (folder / STATE).exists():
        progress = load_state(folder / STATE, state)
    if len(devices := devices_of(learner)) > 1:
        progress = progress._replace(state=learner.shard(progress.state, devices))
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(folder / "config.json", identity)

    keys = seed_keys(config.seed + 1, config.evaluation_seeds)
    per, total, warm = learner.iteration_steps, iterations(learner), learner.warm_iterations
    every = max(1, config.evaluate_every // per)
    started = time.monotonic()
    spent = progress.rows[-1]["seconds"] if progress.rows else 0.0
    before = int(progress.state.iteration) * per
    with bar("train", total * per, unit="step", initial=before, unit_scale=True) as shown:
        while (done := int(progress.state.iteration)) < total:
            # Chunks end where learning starts, at every evaluation, and at the end.
            stop = min(warm if done < warm else total, (done // every + 1) * every)
            state, metrics = run(learner, mdp, progress.state, stop - done, done >= warm)
            progress = progress._replace(state=state)
            shown.update((stop - done) * per)
            if stop % every and stop != total:
                continue
            found, archs = evaluate(
                learner, state.learner.params, part, keys, config.evaluation_queries
            )
            state = looked_up_too(part, state, archs)
            # So that the time is that of the work, not of its being asked for.
            jax.block_until_ready((state, archs))
            row: Row = {"step": stop * per, "seconds": spent + time.monotonic() - started}
            row |= {name: float(x[-100:].mean()) for name, x in metrics._asdict().items()}
            row |= {"lookups": int(state.lookups), "distinct": int(state.seen.sum())}
            for i, q in enumerate(config.evaluation_queries):
                row |= {f"val_{q}": float(found.val[i]), f"reported_{q}": float(found.reported[i])}
            score = float(found.val.mean())
            if score > progress.best:
                facts = facts_of(benchmark, said, part, row, score)
                params = jax.device_get(state.learner.params)
                seen = seen_numbers(part, state)
                Checkpoint(config.agent, learner, params, facts, seen).save(folder)
            progress = Progress(state, [*progress.rows, row], max(score, progress.best))
            save_state(folder / STATE, progress)
            shown.set_postfix(loss=f"{row['loss']:.2g}", val=f"{score:.4f}")
    finish(config, identity, progress.rows, part, benchmark.name + said, folder, keys)
    return folder


def finish(
    config: TrainSettings,
    identity: dict[str, Any],
    rows: list[Row],
    part: Any,
    trained_on: str,
    folder: Path,
    keys: Key[Array, " seeds"],
) -> None:
    """Write curve and picture with the baselines, then the manifest; the state is not needed any
    more."""
    baselines = {name: baseline(name, part, config.evaluation_queries, keys) for name in BASELINES}
    write_curve(folder / CURVE, rows)
    figure.write(
        folder / "curve", config.agent, rows, baselines, trained_on, float(part.optimum),
        part.reports,
    )  # fmt: skip
    store.write_json(
        folder / store.MANIFEST,
        {
            "kind": KIND,
            **identity,
            "rows": rows[-1],
            "baselines": baselines,
            "versions": store.versions(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "peak_mb": round(store.peak_mb()),
        },
    )
    (folder / STATE).unlink(missing_ok=True)


def looked_up_too(part: Any, state: TrainState, archs: Any) -> TrainState:
    """An evaluation's look-ups, [seeds, budget, ...], count as training's."""
    flat = archs.reshape(-1, *archs.shape[2:])
    return looked_up(part.space, state, flat, len(flat))


def seen_numbers(part: Any, state: TrainState) -> np.ndarray | None:
    """The numbers of all architectures looked up so far; None where they are not remembered."""
    numbers = numbers_of(part.space) if is_remembered(part.space) else None
    return None if numbers is None else numbers[np.asarray(state.seen)]


def facts_of(benchmark: Benchmark, said: str, part: Any, row: Row, score: float) -> dict[str, Any]:
    """What a checkpoint says of itself."""
    return {
        "benchmark": benchmark.describe(),
        "shown": said,
        "step": int(row["step"]),
        "lookups": int(row["lookups"]),
        "distinct": int(row["distinct"]) if is_remembered(part.space) else None,
        "validation": score,
    }


def baseline(
    name: str, benchmark: Any, queries: tuple[int, ...], keys: Key[Array, " seeds"]
) -> dict[str, list[float]]:
    """Incumbents of a registered agent on the same keys."""
    found = incumbents(run_seeds(agents.config(name)(), benchmark, max(queries), keys), queries)
    return {key: np.asarray(x).tolist() for key, x in found._asdict().items()}
