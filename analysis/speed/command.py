"""`rlnas speed`: the hot paths, each beside a plain reference in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rlnas.analysis import store
from rlnas.bench.errors import UserError

MAX_VERTICES = {"small": 5, "medium": 6, "full": 7}
TARGET_SEEDS, TARGET_BUDGET = 500, 300


@dataclass(frozen=True)
class SpeedConfig:
    """Measure the hot paths, each as a ratio against a plain Python reference in the same run.

    Accuracies and the converted file are synthetic here: speed does not depend on them.
    """

    size: Literal["small", "medium", "full"] = "full"
    """The space: cells with at most 5, 6 or 7 vertices (2,532, 64,542 or 423,624)."""
    only: tuple[str, ...] = ()
    """Sections to run (default all): lookups, mdp, enumeration, conversion, search, agent, network,
    trees."""
    cores: int = 2
    """Processor cores to use (Linux)."""
    json: Path | None = None
    """Also write the record there."""

    def __post_init__(self) -> None:
        unknown = set(self.only) - set(SECTIONS)
        if unknown:
            raise UserError(
                f"unknown section {sorted(unknown)[0]!r}; expected {', '.join(SECTIONS)}"
            )
        if self.cores < 1:
            raise UserError(f"found --cores {self.cores}; expected at least 1")


@dataclass(frozen=True)
class Measure:
    """ours, reference: in `unit`, both higher-is-better rates or both seconds. note: what was
    compared."""

    name: str
    ours: float
    reference: float
    unit: str
    note: str

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.reference / self.ours if self.unit == "s" else self.ours / self.reference


def best_of(function: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the fastest run; the first one, which compiles, is not counted."""
    import jax

    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def seconds_of(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _benchmark(max_vertices: int) -> Any:
    from rlnas.bench.nb101.benchmark import from_table
    from rlnas.bench.nb101.graph import cells
    from rlnas.bench.nb101.table import Table, make_meta

    rows = len(cells(max_vertices).bits)
    values = np.random.default_rng(0).uniform(0.85, 0.95, (rows, 1, 3)).astype(np.float32)
    meta = make_meta("synthetic", max_vertices=max_vertices, source="rlnas speed: random numbers")
    every = np.arange(rows, dtype=np.int32)
    return from_table(
        Table(every, np.array([108], np.int32), every, values, values, values, values, meta)
    )


def _plain(benchmark: Any) -> Any:
    from rlnas.analysis.speed.reference import PlainTable

    space = benchmark.space
    offsets, flat = np.asarray(space.offsets), np.asarray(space.flat)
    neighbours = [part.tolist() for part in np.split(flat, offsets[1:-1])]
    import jax.numpy as jnp

    encodings = np.asarray(space.encode(jnp.arange(space.size, dtype=jnp.int32)))
    return PlainTable(np.asarray(benchmark.mean_val).tolist(), neighbours, encodings)


def lookups(max_vertices: int) -> list[Measure]:
    import jax
    import jax.numpy as jnp

    from rlnas.analysis.speed.reference import look_up
    from rlnas.bench.nb101.cell import module_hash
    from rlnas.bench.nb101.graph import adjacency_of, cells, labels_of, row_index, row_of

    benchmark, every, rng = _benchmark(max_vertices), cells(max_vertices), np.random.default_rng(0)
    chosen = rng.integers(benchmark.space.size, size=1 << 16)
    adjacency = jnp.asarray(adjacency_of(every.bits[chosen]))
    labels = jnp.asarray(labels_of(every.num_vertices[chosen], every.ops[chosen]))
    index, keys = row_index(max_vertices), jax.random.split(jax.random.key(0), len(chosen))
    batch = jax.jit(lambda b, i, a, x: jax.vmap(b.query)(row_of(i, a, x), keys))
    ours = len(chosen) / best_of(lambda: batch(benchmark, index, adjacency, labels))

    few = [benchmark.space.cell(row) for row in chosen[:1000].tolist()]
    known = {module_hash(cell): 0.9 for cell in few}
    specs = [([list(row) for row in cell.matrix], list(cell.ops)) for cell in few]
    reference = len(specs) / seconds_of(lambda: [look_up(known, *spec) for spec in specs])
    note = "labelled graph -> accuracy; reference: prune + md5 + dictionary, one at a time"
    return [Measure("look-ups", ours, reference, "1/s", note)]


def mdp(max_vertices: int) -> list[Measure]:
    import jax
    import jax.numpy as jnp

    from rlnas.analysis.speed.reference import PlainMDP
    from rlnas.bench.mdp import IncrementalMDP

    envs, steps = 4096, 50
    benchmark = _benchmark(max_vertices)

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
    plain = PlainMDP(_plain(benchmark), rng)

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
    from rlnas.analysis.speed.reference import enumerate_cells as plain_enumeration
    from rlnas.bench.nb101 import graph
    from rlnas.bench.nb101.cell import module_hash
    from rlnas.bench.nb101.neighbours import neighbours_of

    seconds = seconds_of(lambda: graph.enumerate_cells(max_vertices))
    count = len(graph.cells(max_vertices).bits)
    plain_cells: dict[str, Any] = {}
    plain_seconds = seconds_of(lambda: plain_cells.update(plain_enumeration(4)))
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
    space = _benchmark(max_vertices).space
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
    from rlnas.analysis.speed.reference import read_tfrecord
    from rlnas.bench.nb101.convert import convert
    from rlnas.bench.nb101.graph import hashes
    from rlnas.bench.nb101.synthetic import write_synthetic
    from rlnas.bench.nb101.table import Table

    hashes(max_vertices)  # cached once a machine; not part of a conversion
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder) / "synthetic.tfrecord", Path(folder) / "synthetic.npz"
        count = write_synthetic(path, max_vertices=max_vertices)
        seconds = seconds_of(
            lambda: convert(path, out, name="synthetic", max_vertices=max_vertices, progress=False)
        )
        opening = seconds_of(lambda: Table.load(out))
        few = min(count, 3000)
        plain_seconds = seconds_of(lambda: read_tfrecord(path, few))
    note = (
        f"{count:,} synthetic records in {seconds:.1f} s, table opens in {opening:.2f} s; "
        "reference: plain decoding"
    )
    return [Measure("conversion", count / seconds, few / plain_seconds, "records/s", note)]


def search(max_vertices: int) -> list[Measure]:
    from rlnas import agents
    from rlnas.agents.protocol import run_seeds, seed_keys
    from rlnas.analysis.speed import reference as speed_reference

    benchmark = _benchmark(max_vertices)
    plain, keys, few = _plain(benchmark), seed_keys(0, TARGET_SEEDS), 5
    rows = []
    for name in ("random_search", "evolution", "local_search"):
        config = agents.config(name)()

        def ours(config: Any = config) -> Any:
            return run_seeds(config, benchmark, TARGET_BUDGET, keys)

        def reference(name: str = name) -> None:
            for seed in range(few):
                getattr(speed_reference, name)(plain, np.random.default_rng(seed), TARGET_BUDGET)

        note = (
            f"{TARGET_SEEDS} seeds x {TARGET_BUDGET} queries, compiled; reference: plain, {few} "
            "seeds scaled up"
        )
        rows.append(
            Measure(name, best_of(ours), seconds_of(reference) * TARGET_SEEDS / few, "s", note)
        )
    return rows


def agent(max_vertices: int) -> list[Measure]:
    from rlnas.analysis.speed.agent import measure

    benchmark = _benchmark(max_vertices)
    return measure(benchmark, _plain(benchmark))


def network(max_vertices: int) -> list[Measure]:
    from rlnas.analysis.speed.network import measure

    return measure()


def trees(max_vertices: int) -> list[Measure]:
    from rlnas.analysis.speed.trees import measure

    return measure() if max_vertices > MAX_VERTICES["small"] else measure(2, 500)


SECTIONS: dict[str, Callable[[int], list[Measure]]] = {
    "lookups": lookups,
    "mdp": mdp,
    "enumeration": enumeration,
    "conversion": conversion,
    "search": search,
    "agent": agent,
    "network": network,
    "trees": trees,
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


def run_speed(config: SpeedConfig) -> None:
    """`rlnas speed`: every section in a process of its own, so that each peak memory is its own."""
    vertices = MAX_VERTICES[config.size]
    print(
        f"space of cells with at most {vertices} vertices, {config.cores} cores; synthetic "
        "accuracies"
    )
    print(f"{'':18}{'ours':>14} {'reference':>12} {'':9} {'ratio':>8}  {'peak':>8}")
    record = []
    for name in config.only or SECTIONS:
        call = (
            "import json, sys; from rlnas.analysis.speed.command import run_section; "
            "print(json.dumps(run_section(*json.loads(sys.argv[1]))))"
        )
        done = subprocess.run(
            [sys.executable, "-c", call, json.dumps([name, vertices, config.cores])],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UserError(
                f"section {name} failed with status {done.returncode}: {reason}; run it alone "
                f"with --only {name}"
            )
        result = json.loads(done.stdout.splitlines()[-1])
        record.append(result)
        for m in result["measures"]:
            print(
                f"{m['name']:18}{m['ours']:14,.4g} {m['reference']:12,.4g} {m['unit']:9} "
                f"{m['ratio']:7,.0f}x"
                f"  {result['peak_mb']:5,.0f} MB  {m['note']}",
                flush=True,
            )
    if config.json:
        from rlnas.bench.files import atomic_path

        with atomic_path(config.json) as path:
            path.write_text(
                json.dumps(
                    {"size": config.size, "cores": config.cores, "sections": record}, indent=1
                )
            )
