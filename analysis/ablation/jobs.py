"""The jobs of a grid, side by side: one that dies takes no other with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from rlnas import bench
from rlnas.agents.evaluate import evaluate
from rlnas.agents.learner import Learner, iterations, run
from rlnas.agents.protocol import seed_keys
from rlnas.analysis import store
from rlnas.analysis.ablation.data import accuracies, is_sound, write_cell
from rlnas.analysis.ablation.plan import Row
from rlnas.analysis.training.settings import QUERIES
from rlnas.bench.beside import beside, compiled
from rlnas.bench.executor import LOCAL, Executor, check_same
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.progress import bar
from rlnas.bench.workers import Failure


def run_jobs(rows: Sequence[Row], workers: int | None = None, where: Executor = LOCAL) -> list[str]:
    """Every row that is not done; returns one line a failed job. The file of an alpha is written
    here, as soon as its results are there."""
    todo = [replace(row, alphas=tuple(alphas)) for row in rows if (alphas := missing(row))]
    # What one alpha compiled is there for the next; short jobs last, so that workers end together.
    todo.sort(key=lambda row: (row.alphas[0], -getattr(row.settings, "neighbours", 0)))
    failures: dict[int, str] = {}

    def made(task: int, told: tuple[float, list[dict[str, Any]]]) -> None:
        alpha, results = told
        cell = todo[task].cell(alpha)
        again = is_sound(cell, todo[task].seeds)  # the job was begun anew
        cell.parent.mkdir(parents=True, exist_ok=True)
        write_cell(cell, results)
        shown.update(not again)

    def done(task: int, result: Any) -> None:
        if isinstance(result, Failure):
            failures[task] = f"{todo[task]}: {result.reason[:300]}"

    cells = sum(len(row.alphas) for row in rows)
    left = sum(len(missing(row)) for row in rows)
    there = [row.cell(a) for row in rows for a in row.alphas if a not in missing(row)]
    store.tell_reused("cells", there, cells)
    if todo:
        with bar("ablate", cells, unit="cell", initial=cells - left) as shown:
            # A core each: else a single worker takes them all, and many get in each other's way.
            where.run_all(run_row, todo, workers, made, done, xla_threads=1)
    return [failures[task] for task in sorted(failures)]


def missing(row: Row) -> list[float]:
    """The alphas of a row that are not done, or whose file is damaged."""
    return [alpha for alpha in row.alphas if not is_sound(row.cell(alpha), row.seeds)]


@pinned()
def run_row(row: Row, tell: Callable[[Any], None]) -> None:
    """One job: each alpha's seeds in one call, all with one compiled program; tells of each (alpha,
    the results of its trainings)."""
    check_same("settings of JAX", configuration(), row.jax)
    benchmark = bench.load(row.benchmark)
    check_same(row.benchmark, benchmark.describe(), row.about)
    learner: Learner = replace(row.settings, alpha=0.0)  # it is traced, below
    keys = seed_keys(row.seed, row.seeds, "training")
    evaluation = seed_keys(row.seed, row.evaluation_seeds, "evaluation")
    warm = learner.warm_iterations

    @jax.jit
    def train(alpha: Any, keys: Any) -> tuple[Any, Any]:
        mdp = learner.mdp(benchmark, alpha)

        def one(key: Any) -> tuple[Any, Any]:
            state = learner.init(mdp, key)
            state, _ = run(learner, mdp, state, warm, False)
            state, metrics = run(learner, mdp, state, iterations(learner) - warm, True)
            return state.learner.params, (
                metrics.loss[-100:].mean(),
                metrics.val[-100:].mean(),
                state.lookups,
            )

        return jax.vmap(one)(keys)

    several, _ = jax.eval_shape(train, np.float32(0), keys)
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), several)
    with beside() as submit:
        submit(train.lower(np.float32(0), keys).compile)
        compiled(evaluate, learner, one, benchmark, evaluation, QUERIES, False)
    for alpha in row.alphas:
        params, (loss, val, lookups) = jax.device_get(train(np.float32(alpha), keys))
        results = []
        for seed in range(row.seeds):
            of_seed = jax.tree.map(lambda x, seed=seed: x[seed], params)
            found, _ = evaluate(learner, of_seed, benchmark, evaluation, QUERIES, False)
            results.append(
                {
                    "alpha": alpha,
                    **dict(row.varied),
                    "seed": seed,
                    "loss": float(loss[seed]),
                    "actors_val": float(val[seed]),
                    "lookups": int(lookups[seed]),
                    **accuracies(found),
                }
            )
        tell((alpha, results))
