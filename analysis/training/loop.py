"""The loop of a training: learn, evaluate, save; stopped or killed, it goes on to the same
bytes."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlnas import agents
from rlnas.agents.checkpoint import Checkpoint
from rlnas.agents.evaluate import evaluate
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
from rlnas.agents.protocol import seed_keys
from rlnas.analysis import interrupts, store
from rlnas.analysis.trackers import Tracker, tracked
from rlnas.analysis.training.data import (
    STATE,
    Progress,
    Row,
    Training,
    counts,
    load_state,
    read,
    save_state,
)
from rlnas.analysis.training.outcome import Block, finish, judging
from rlnas.analysis.training.settings import EVALUATIONS, JUDGING, QUERIES, TrainSettings
from rlnas.bench import keys
from rlnas.bench.benchmark import Benchmark, Restrictable, Sized, numbers_of
from rlnas.bench.beside import beside, compiled
from rlnas.bench.connected import region
from rlnas.bench.errors import UserError
from rlnas.bench.family import named
from rlnas.bench.jax_setup import pinned
from rlnas.bench.lists import lists_of
from rlnas.bench.program_memory import check_program
from rlnas.bench.progress import bar
from rlnas.bench.synthetic.tables import is_inventive

DECIDES = (evaluate, "rlnas.analysis.training.loop")
"""What decides the bytes of a training, whatever is trained on what."""
CHUNK = 16
"""Iterations a call: with the default settings less than a second, in which Ctrl-C waits."""
SAVE_EVERY = 30.0
"""Seconds of work that a kill can cost at most, evaluations aside."""
RECENT = 100
"""Iterations that the means of a row are over."""
NARROW = 1e-4
"""A table is called hard to learn from when its best and its median are no further apart."""


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
        rng = keys.generator(config.shown_seed, "shown")
        if config.shown_region:
            places = shown_region(benchmark, count, rng)
            said = f", {config.shown:.0%} of the cells in one region"
        else:
            places = np.sort(rng.choice(size, count, replace=False))
            said = f", {config.shown:.0%} of the cells"
    if len(places) < 2:
        option = "shown" if config.shown_vertices is None else "shown-vertices"
        raise UserError(
            f"--{option} {getattr(config, option.replace('-', '_'))} leaves {len(places)} of the "
            f"{size:,} architectures of {name}; expected at least 2"
        )
    return benchmark.restrict(places), said


def shown_region(benchmark: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """int [count], ascending: a connected region. `UserError` where there is none so large."""
    lists = lists_of(benchmark)
    if lists is None:
        raise UserError(f"{benchmark.name} lists no neighbours; leave --shown-region")
    places = region(*lists, count, rng)
    if len(places) < count:
        raise UserError(
            f"the largest connected part of {benchmark.name} has {len(places):,} of "
            f"{benchmark.space.size:,} architectures; expected --shown at most "
            f"{len(places) / benchmark.space.size:.2f} with --shown-region"
        )
    return places


def identity_of(
    config: TrainSettings, learner: Learner, benchmark: Benchmark, part: Any
) -> dict[str, Any]:
    """What decides every byte of a training but its times."""
    shown = ("shown", "shown_region", "shown_vertices", "shown_seed")
    same = ("agent", *shown, "seed", "evaluation_seeds")
    identity = {
        "benchmark": benchmark.describe(),
        "cells_shown": int(part.space.size),
        **{name: getattr(config, name) for name in same},
        "evaluate_every": evaluation_interval(config, learner) * learner.iteration_steps,
        "settings": dataclasses.asdict(learner),  # type: ignore[call-overload]
    }
    if config.evaluation_queries != QUERIES:
        identity["evaluation_queries"] = config.evaluation_queries
    if config.judging_seeds != JUDGING:
        identity["judging_seeds"] = config.judging_seeds
    if (devices := len(devices_of(learner))) > 1:  # sums are taken in another order
        identity["devices"] = devices
    return identity | store.decided_by(agents.config(config.agent), learner, part, *DECIDES)


def devices_of(learner: Learner) -> list[jax.Device]:
    """What a training is spread over: all devices, where the actors divide among them."""
    found = jax.devices()
    return found if learner.iteration_steps % len(found) == 0 else found[:1]


def evaluation_interval(config: TrainSettings, learner: Learner) -> int:
    """Iterations from one evaluation to the next."""
    steps = config.evaluate_every or -(-learner.steps // EVALUATIONS)
    return max(1, steps // learner.iteration_steps)


@pinned()
def train(config: TrainSettings, benchmark: Any, trackers: Sequence[Tracker] = ()) -> Path:
    """Train on `benchmark` (or go on with it) and return the folder; a finished training is left as
    it is. trackers: told of each evaluation, those of a training that is there already, too."""
    learner = settings_of(config, benchmark)
    part, said = shown_part(config, benchmark)
    identity = identity_of(config, learner, benchmark, part)
    folder = store.folder_of(config.out, "train", identity)
    if (folder / store.MANIFEST).exists():
        manifest, rows = read(folder)
        print(f"rlnas: {folder} is {store.reused(manifest)}", file=sys.stderr)
        with tracked(trackers, folder, identity, rows):
            return folder
    mdp = learner.mdp(part)
    key = keys.root(config.seed, "training")
    init = jax.jit(lambda mdp, key: learner.init(mdp, key))
    traced = init.trace(mdp, key)
    advice = "choose smaller sizes among its options"
    check_program(traced, f"a training of {config.agent}", advice)
    training = Training(config, learner, benchmark, part, said, folder)
    per, total, warm = learner.iteration_steps, iterations(learner), learner.warm_iterations
    every = evaluation_interval(config, learner)
    started = saved = time.monotonic()
    devices = devices_of(learner)
    with bar("compile", 1, unit="training", leave=False) as shown, beside() as submit:
        if len(devices) == 1:  # where state is spread, its programs are known by it alone
            for program in dict.fromkeys(chunks(0, total, warm, every)):
                submit(run.lower(learner, mdp, traced.out_info, *program).compile)
        progress = Progress(init(mdp, key))
        if (folder / STATE).exists():
            progress = load_state(folder / STATE, progress.state)
        if len(devices) > 1:
            progress = progress._replace(state=learner.shard(progress.state, devices))
        judges = evaluating(training, progress.state.learner.params)
        judged = judging(training, progress.state.learner.params)
        shown.update()
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(folder / "config.json", identity)

    spent = progress.seconds
    done = int(progress.state.iteration)
    with (
        tracked(trackers, folder, identity, progress.rows) as tell,
        bar("train", total * per, unit="step", initial=done * per, unit_scale=True) as shown,
        interrupts.noted() as stopped,
    ):
        for count, learning in chunks(done, total, warm, every):
            state, metrics = run(learner, mdp, progress.state, count, learning)
            done += count
            new = np.stack([np.asarray(x) for x in metrics], axis=1)
            before = progress.recent.reshape(-1, len(metrics))
            progress = progress._replace(
                state=state,
                recent=np.concatenate([before, new])[-RECENT:],
                seconds=spent + time.monotonic() - started,
            )
            shown.update(count * per)
            if done == warm and not is_inventive(benchmark):
                warn_of_a_narrow_range(benchmark, state)
            due = done % every == 0 or done == total
            if due:
                means = dict(zip(metrics._fields, progress.recent.mean(0).tolist(), strict=True))
                progress = evaluated(training, judges, progress, means)
                row = progress.rows[-1]
                tell(row)
                shown.set_postfix(loss=f"{row['loss']:.2g}", val=f"{score_of(row, part):.4f}")
            if due or stopped.asked or time.monotonic() - saved > SAVE_EVERY:
                save_state(folder / STATE, progress)
                saved = time.monotonic()
            if stopped.asked:
                stopped.stop()
    with bar("judge", 1, unit="training", leave=False) as shown:  # long on large tables
        finish(training, identity, progress.rows, judged)
        shown.update()
    return folder


def chunks(done: int, total: int, warm: int, every: int) -> Iterator[tuple[int, bool]]:
    """(iterations, whether they learn) of each call to come. A call ends where learning starts, at
    every evaluation, and at the end."""
    while done < total:
        stop = min(done + CHUNK, warm if done < warm else total, (done // every + 1) * every)
        yield stop - done, done >= warm
        done = stop


def evaluating(training: Training, params: Any) -> Block:
    """The searches of evaluations, their program compiled."""
    config = training.config
    keys = seed_keys(config.seed, config.evaluation_seeds, "evaluation")
    judges = Block.of(training.part, keys)
    compiled(evaluate, training.learner, params, *judges, config.evaluation_queries, False)
    return judges


def evaluated(
    training: Training, judges: Block, progress: Progress, recent: dict[str, float]
) -> Progress:
    """Judged by searches whose look-ups count as training's; the best so far is a checkpoint.
    recent: means of the metrics."""
    config, learner, part = training.config, training.learner, training.part
    queries = config.evaluation_queries
    started = time.monotonic()
    state = progress.state
    found, archs = evaluate(learner, state.learner.params, *judges, queries, False)
    if not is_inventive(part):  # what is invented is nobody's accuracy
        flat = archs.reshape(-1, *archs.shape[2:])
        state = looked_up(part.space, state, flat, len(flat))
    row: Row = {"step": int(state.iteration) * learner.iteration_steps, "seconds": 0.0, **recent}
    row |= {"lookups": int(state.lookups), "distinct": int(state.seen.sum())}
    for i, q in enumerate(queries):
        row |= {f"val_{q}": float(found.val[i]), f"reported_{q}": float(found.reported[i])}
    row["seconds"] = progress.seconds + time.monotonic() - started
    score = score_of(row, part)
    if score > progress.best:
        facts = facts_of(training, row, score)
        params = jax.device_get(state.learner.params)
        seen = seen_numbers(part, state)
        Checkpoint(config.agent, learner, params, facts, seen).save(training.folder)
    rows, best = [*progress.rows, row], max(score, progress.best)
    return progress._replace(state=state, rows=rows, best=best)


def score_of(row: Row, part: Benchmark) -> float:
    """What chooses a checkpoint: validation accuracy, the mean over the query counts. Of invented
    tables the truth, which nobody had to look up."""
    name = "reported" if is_inventive(part) else "val"
    return float(np.mean([row[f"{name}_{q}"] for q in counts(row)]))


def warn_of_a_narrow_range(benchmark: Benchmark, state: TrainState) -> None:
    """One line where there is next to nothing to tell architectures apart by."""
    width = float(state.range.best - np.nanmedian(np.asarray(state.range.draws)))
    if width < NARROW:
        print(
            f"rlnas: warning: the best architecture of {benchmark.name} seen so far is only "
            f"{100 * width:.4f} points above the median; there is little to learn from",
            file=sys.stderr,
        )


def seen_numbers(part: Any, state: TrainState) -> np.ndarray | None:
    """The numbers of all architectures looked up so far; None where they are not remembered."""
    numbers = numbers_of(part.space) if remembers(part) else None
    return None if numbers is None else numbers[np.asarray(state.seen)]


def facts_of(training: Training, row: Row, score: float) -> dict[str, Any]:
    """What a checkpoint says of itself. lookups: of the whole training, so far."""
    return {
        "benchmark": training.benchmark.describe(),
        "shown": training.said,
        "step": int(row["step"]),
        "lookups": int(row["lookups"]),
        "lookups_to_checkpoint": int(row["lookups"]),
        "distinct": int(row["distinct"]) if remembers(training.part) else None,
        "validation": score,
    } | ({"invented": True} if is_inventive(training.part) else {})


def remembers(part: Any) -> bool:
    """Whether training knows what it looked up."""
    return is_remembered(part.space) and not is_inventive(part)
