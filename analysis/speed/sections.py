"""The sections of `rlnas speed`: what is measured, and against what."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas import agents
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.analysis.fronts.hypervolume import anytime
from rlnas.analysis.speed import agent as learning
from rlnas.analysis.speed import executor as by_tasks
from rlnas.analysis.speed import network as surrogate
from rlnas.analysis.speed import reference as plainly
from rlnas.analysis.speed import timed as by_seconds
from rlnas.analysis.speed import trees as ensemble
from rlnas.analysis.speed.measure import Measure, best_of, seconds_of
from rlnas.analysis.speed.reference import PlainMDP, PlainTable
from rlnas.bench.mdp import IncrementalMDP
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.benchmark import CellBenchmark, from_table
from rlnas.bench.nb101.cell import module_hash
from rlnas.bench.nb101.convert import convert
from rlnas.bench.nb101.neighbours import neighbours_of
from rlnas.bench.nb101.synthetic import write_synthetic
from rlnas.bench.nb101.table import Table, make_meta

SMALL = 5
"""Vertices of the smallest space."""
TARGET_SEEDS, TARGET_BUDGET = 500, 300


def benchmark_of(max_vertices: int) -> CellBenchmark:
    """Every cell of the space, random accuracies."""
    rows = len(graph.cells(max_vertices).bits)
    values = np.random.default_rng(0).uniform(0.85, 0.95, (rows, 1, 3)).astype(np.float32)
    meta = make_meta("synthetic", max_vertices=max_vertices, source="rlnas speed: random numbers")
    every = np.arange(rows, dtype=np.int32)
    return from_table(
        Table(every, np.array([108], np.int32), every, values, values, values, values, meta)
    )


def plain_of(benchmark: CellBenchmark) -> PlainTable:
    """The same, as lists."""
    space = benchmark.space
    offsets, flat = np.asarray(space.offsets), np.asarray(space.flat)
    neighbours = [part.tolist() for part in np.split(flat, offsets[1:-1])]
    encodings = np.asarray(space.encode(jnp.arange(space.size, dtype=jnp.int32)))
    return PlainTable(np.asarray(benchmark.mean_val).tolist(), neighbours, encodings)


def lookups(max_vertices: int) -> list[Measure]:
    benchmark, every, rng = (
        benchmark_of(max_vertices),
        graph.cells(max_vertices),
        np.random.default_rng(0),
    )
    chosen = rng.integers(benchmark.space.size, size=1 << 16)
    adjacency = jnp.asarray(graph.adjacency_of(every.bits[chosen]))
    labels = jnp.asarray(graph.labels_of(every.num_vertices[chosen], every.ops[chosen]))
    index, keys = graph.row_index(max_vertices), jax.random.split(jax.random.key(0), len(chosen))
    batch = jax.jit(lambda b, i, a, x: jax.vmap(b.query)(graph.row_of(i, a, x), keys))
    ours = len(chosen) / best_of(lambda: batch(benchmark, index, adjacency, labels))

    few = [benchmark.space.cell(row) for row in chosen[:1000].tolist()]
    known = {module_hash(cell): 0.9 for cell in few}
    specs = [([list(row) for row in cell.matrix], list(cell.ops)) for cell in few]
    reference = len(specs) / seconds_of(lambda: [plainly.look_up(known, *spec) for spec in specs])
    note = "labelled graph -> accuracy; reference: prune + md5 + dictionary, one at a time"
    return [Measure("look-ups", ours, reference, "1/s", note)]


def mdp(max_vertices: int) -> list[Measure]:
    envs, steps = 4096, 50
    benchmark = benchmark_of(max_vertices)

    @jax.jit
    def roll(mdp: IncrementalMDP, key: jax.Array) -> Any:
        reset_key, key = jax.random.split(key)
        observation, state = jax.vmap(mdp.reset)(jax.random.split(reset_key, envs))

        def step(carry: Any, key: jax.Array) -> tuple[Any, None]:
            observation, state, total = carry
            act_key, step_key = jax.random.split(key)
            real = observation.mask[:, 1:].sum(1)
            action = (jax.random.uniform(act_key, (envs,)) * real).astype(jnp.int32)
            observation, state, reward, *_ = jax.vmap(mdp.step)(
                jax.random.split(step_key, envs), state, action
            )
            # The barrier has the whole encoded observation written, as an agent would read it.
            return (jax.lax.optimization_barrier(observation), state, total + reward.sum()), None

        carry, _ = jax.lax.scan(
            step, (observation, state, jnp.float32(0)), jax.random.split(key, steps)
        )
        return carry

    environment = IncrementalMDP(benchmark)
    ours = envs * steps / best_of(lambda: roll(environment, jax.random.key(0)))

    rng = np.random.default_rng(0)
    plain = PlainMDP(plain_of(benchmark), rng)

    def walk(count: int = 3000) -> None:
        plain.reset()
        for _ in range(count):
            plain.step(int(rng.integers(len(plain.shown))))

    reference = 3000 / seconds_of(walk)
    return [
        Measure(
            "environment steps",
            ours,
            reference,
            "1/s",
            f"{envs} environments, N = 25; reference: one, plain",
        )
    ]


def enumeration(max_vertices: int) -> list[Measure]:
    seconds = seconds_of(lambda: graph.enumerate_cells(max_vertices))
    count = len(graph.cells(max_vertices).bits)
    plain_cells: dict[str, Any] = {}
    plain_seconds = seconds_of(lambda: plain_cells.update(plainly.enumerate_cells(4)))
    rows = [
        Measure(
            "enumeration",
            count / seconds,
            len(plain_cells) / plain_seconds,
            "cells/s",
            f"{count:,} cells in {seconds:.2f} s; reference: md5 of every graph, up to 4 vertices",
        )
    ]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RLNAS_CACHE"] = folder
        seconds = seconds_of(lambda: graph.neighbour_lists(max_vertices))
        megabytes = sum(path.stat().st_size for path in Path(folder).rglob("*.np*")) / 1e6
        again = seconds_of(lambda: graph.neighbour_lists(max_vertices))
    rng = np.random.default_rng(0)
    space = benchmark_of(max_vertices).space
    few = [space.cell(row) for row in rng.integers(space.size, size=50).tolist()]
    plain_seconds = seconds_of(
        lambda: [{module_hash(near) for near in neighbours_of(cell)} for cell in few]
    )
    note = (
        f"all lists in {seconds:.1f} s, {megabytes:.0f} MB on disk, read again in {again:.2f} s; "
        "reference: one cell at a time"
    )
    rows.append(
        Measure("neighbour lists", count / seconds, len(few) / plain_seconds, "cells/s", note)
    )
    return rows


def conversion(max_vertices: int) -> list[Measure]:
    graph.hashes(max_vertices)  # cached once a machine; not part of a conversion
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "synthetic.tfrecord", Path(folder) / "synthetic.npz"
        count = write_synthetic(path, max_vertices=max_vertices)
        seconds = seconds_of(
            lambda: convert(path, out, name="synthetic", max_vertices=max_vertices, progress=False)
        )
        opening = seconds_of(lambda: Table.load(out))
        few = min(count, 3000)
        plain_seconds = seconds_of(lambda: plainly.read_tfrecord(path, few))
    note = (
        f"{count:,} synthetic records in {seconds:.1f} s, table opens in {opening:.2f} s; "
        "reference: plain decoding"
    )
    return [Measure("conversion", count / seconds, few / plain_seconds, "records/s", note)]


def search(max_vertices: int) -> list[Measure]:
    benchmark = benchmark_of(max_vertices)
    plain, keys, few = plain_of(benchmark), seed_keys(0, TARGET_SEEDS), 5
    rows = []
    for name in ("random_search", "evolution", "local_search"):
        config = agents.config(name)()

        def ours(config: Any = config) -> Any:
            return run_seeds(config, benchmark, TARGET_BUDGET, keys)

        def reference(name: str = name) -> None:
            for seed in range(few):
                getattr(plainly, name)(plain, np.random.default_rng(seed), TARGET_BUDGET)

        note = (
            f"{TARGET_SEEDS} seeds x {TARGET_BUDGET} queries, compiled; reference: plain, {few} "
            "seeds scaled up"
        )
        rows.append(
            Measure(name, best_of(ours), seconds_of(reference) * TARGET_SEEDS / few, "s", note)
        )
    return rows


def agent(max_vertices: int) -> list[Measure]:
    benchmark = benchmark_of(max_vertices)
    return learning.measure(benchmark, plain_of(benchmark))


def network(max_vertices: int) -> list[Measure]:
    return surrogate.measure()


def trees(max_vertices: int) -> list[Measure]:
    return ensemble.measure() if max_vertices > SMALL else ensemble.measure(2, 500)


def fronts(max_vertices: int) -> list[Measure]:
    runs, queries, few = 200, 300, 10
    points = np.random.default_rng(0).random((runs, queries, 2)) ** 0.5
    ours = best_of(lambda: anytime(points))
    lists = [[tuple(point) for point in run.tolist()] for run in points[:few]]
    plain = seconds_of(lambda: [plainly.anytime_hypervolume(run) for run in lists])
    note = f"{runs} runs x {queries} queries, 2 objectives, anytime; reference: plain, scaled up"
    return [Measure("hypervolume", ours, plain * runs / few, "s", note)]


def executor(max_vertices: int) -> list[Measure]:
    return by_tasks.measure(small=max_vertices == SMALL)


def timed(max_vertices: int) -> list[Measure]:
    return by_seconds.measure(max_vertices)


SECTIONS: dict[str, Callable[[int], list[Measure]]] = {
    "lookups": lookups,
    "mdp": mdp,
    "enumeration": enumeration,
    "conversion": conversion,
    "search": search,
    "timed": timed,
    "agent": agent,
    "network": network,
    "trees": trees,
    "fronts": fronts,
    "executor": executor,
}


def run_section(name: str, max_vertices: int, cores: int) -> dict[str, Any]:
    """One section in this process: its measures and the process's peak memory in MB."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    measures = SECTIONS[name](max_vertices)
    return {
        "section": name,
        "peak_mb": store.peak_mb(),
        "measures": [asdict(m) | {"ratio": m.ratio} for m in measures],
    }
