"""How fast runs under a budget of simulated seconds are, beside one seed of plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlnas import agents
from rlnas.agents.brackets import hyperband
from rlnas.agents.protocol import seed_keys
from rlnas.agents.timed import run_timed
from rlnas.analysis.speed.measure import Measure, best_of, seconds_of
from rlnas.bench.fidelity import SeveralBudgets
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.nb101.table import Table, make_meta

EPOCHS = (4, 12, 36, 108)
SEEDS, SECONDS, MOST = 200, 1e6, 8192


def fidelities_of(max_vertices: int) -> SeveralBudgets:
    """Every cell of the space, random accuracies; some 10 s an epoch."""
    rows = len(graph.cells(max_vertices).bits)
    rng = np.random.default_rng(0)
    shape = (rows, len(EPOCHS), 1)
    val = rng.uniform(0.85, 0.95, shape).astype(np.float32)
    pace = rng.uniform(5, 15, (rows, 1, 1))
    seconds = (pace * np.array(EPOCHS)[:, None]).astype(np.float32)
    every = np.arange(rows, dtype=np.int32)
    meta = make_meta("synthetic", max_vertices=max_vertices, source="rlnas speed: random numbers")
    table = Table(every, np.array(EPOCHS, np.int32), every, val, val, val, seconds, meta)
    return SeveralBudgets.of([from_table(table, epochs=e) for e in EPOCHS], continues=False)


def plain_hyperband(
    val: list[list[float]], cost: list[list[float]], rng: np.random.Generator, seconds: float
) -> tuple[float, int]:
    """(the best value at the highest fidelity, queries) of one run. val, cost: [fidelities][M]."""
    brackets = hyperband((0, 1, 2, 3), 3.0)
    best, spent, queries = (-1, -1.0), 0.0, 0
    while True:
        for bracket in brackets:
            rung = [int(rng.integers(len(val[0]))) for _ in range(bracket.counts[0])]
            for fidelity, count in zip(bracket.fidelities, bracket.counts, strict=True):
                rung = rung[:count]
                for arch in rung:
                    if spent + cost[fidelity][arch] > seconds:
                        return best[1], queries
                    spent += cost[fidelity][arch]
                    queries += 1
                    best = max(best, (fidelity, val[fidelity][arch]))
                rung.sort(key=lambda arch: -val[fidelity][arch])


def measure(max_vertices: int) -> list[Measure]:
    fidelities = fidelities_of(max_vertices)
    config, keys = agents.config("hyperband")(), seed_keys(0, SEEDS)

    def ours() -> Any:
        return run_timed(config, fidelities, SECONDS, keys, MOST)

    tables = [np.asarray(x.mean_val).tolist() for x in fidelities.benchmarks]
    costs = [np.asarray(x.all_seconds).tolist() for x in fidelities.benchmarks]
    few = 3

    def reference() -> None:
        for seed in range(few):
            plain_hyperband(tables, costs, np.random.default_rng(seed), SECONDS)

    queries = int(np.asarray(ours().made).sum())
    note = (
        f"{SEEDS} seeds x {SECONDS:,.0f} simulated s, {queries:,} queries, compiled; reference: "
        f"plain, {few} seeds scaled up"
    )
    return [Measure("hyperband", best_of(ours), seconds_of(reference) * SEEDS / few, "s", note)]
