"""`rlnas ablate`: a grid of trainings, as jobs that are independent and resumable."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rlnas.agents.dqn import DQNConfig
from rlnas.agents.dqn_presets import PRESETS
from rlnas.agents.networks import NetworkConfig
from rlnas.agents.spec import convert
from rlnas.analysis import store
from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SMALL = replace(
    PRESETS["smoke"],
    network=NetworkConfig(width=32, layers=1, heads=2, feed_forward=64),
    steps=60_000,
    learning_starts=2_048,
    batch_size=64,
    capacity=25_600,
    target_every=2_048,
)
"""What a grid trains unless asked otherwise: smaller than the agent's own default, so that an hour
holds a grid."""

ALPHAS = (1.0, 2.0, 4.0, 6.0, 8.0, 16.0, 32.0, 50.0)
GRIDS: dict[str, dict[str, Any]] = {
    "smoke": {
        "alpha": (1.0, 6.0),
        "neighbours": (5,),
        "seeds": 2,
        "dqn": replace(PRESETS["smoke"], steps=3_072),
    },
    "default": {
        "alpha": ALPHAS,
        "neighbours": (5, 10, 25),
        "seeds": 5,
        "dqn": SMALL,
    },
    "paper": {
        "alpha": ALPHAS,
        "neighbours": (5, 10, 25, 50),
        "seeds": 5,
        "dqn": PRESETS["paper"],
    },
}


@dataclass(frozen=True)
class Ablate:
    """Train the agent over a grid of settings and say how the result depends on them.

    Trains every combination of --alpha, --neighbours and --vary, several seeds each, and lets each
    trained agent search. A training that is done is kept: interrupted, the same command goes on.
    One that fails is reported at the end, and the rest goes on. Writes
    OUT/ablate-<hash>/{results.parquet, results.csv, figure.png, figure.svg}.

    Examples:
      rlnas ablate --preset smoke
      rlnas ablate --alpha 1 2 4 6 8 16 32 50 --neighbours 5 10 25 --seeds 5
      rlnas ablate --alpha 6 --neighbours 25 --vary gamma=0.5,0.9,0.99 network.width=32,64
    """

    preset: Literal["default", "smoke", "paper"] = "default"
    """The grid and the size of a training to start from; options beside it go before it."""
    benchmark: str = "nb101-digits"
    """What to train and search on: a name that `rlnas bench list` shows, or the path of a table."""
    alpha: tuple[float, ...] = ()
    """Shaping exponents; default: the preset's."""
    neighbours: tuple[int, ...] = ()
    """Neighbour counts N; default: the preset's."""
    vary: tuple[str, ...] = ()
    """FIELD=value,value,... for any other setting of `rlnas train`, e.g. gamma=0.5,0.9 or
    network.layers=1,2."""
    seeds: int | None = None
    """Trainings of each combination; default: the preset's."""
    steps: int | None = None
    """Environment steps of a training; default: the preset's."""
    evaluation_seeds: int = 100
    """Searches of 50 queries that each trained agent is judged by."""
    seed: int = 0
    """Root of all randomness."""
    workers: int = os.cpu_count() or 1
    """Worker processes; a row of the grid (all its alphas and seeds) is one job."""
    out: Path = Path("runs")
    """Folder of all runs."""


@dataclass(frozen=True)
class Row:
    """One job: settings that need a program of their own; alphas and seeds are traced in it."""

    benchmark: str
    config: DQNConfig
    varied: tuple[tuple[str, Any], ...]
    alphas: tuple[float, ...]
    seeds: int
    seed: int
    evaluation_seeds: int
    folder: Path

    def cell(self, alpha: float) -> Path:
        """Where the results of one alpha go."""
        key = [
            asdict(replace(self.config, alpha=alpha)),
            self.seeds,
            self.seed,
            self.evaluation_seeds,
        ]
        return self.folder / "cells" / f"{store.hash_of(key)}.json"


def run(config: Ablate) -> None:
    """Run what is missing, then write table and figure."""
    from rlnas import bench
    from rlnas.analysis.ablation import figure as ablation_plot

    benchmark = bench.load(config.benchmark)
    rows, folder = plan(config, benchmark.describe())
    failures = run_jobs(rows, config.workers)
    if any(row.cell(alpha).exists() for row in rows for alpha in row.alphas):
        frame = collect(rows)
        _write_frames(frame, folder)
        print(
            ablation_plot.table(frame, what=ablation_plot.measured(benchmark), of=benchmark.reports)
        )
        for path in ablation_plot.write(folder, frame, benchmark):
            print(path)
    if failures:
        raise UserError(
            f"{len(failures)} of {len(rows)} jobs failed, first {failures[0]}; the same command "
            "retries them"
        )


def plan(config: Ablate, benchmark: Mapping[str, Any]) -> tuple[list[Row], Path]:
    """The jobs of a grid and their folder; `UserError` for a setting that is none."""
    grid = GRIDS[config.preset]
    alphas = tuple(float(a) for a in config.alpha or grid["alpha"])
    seeds = grid["seeds"] if config.seeds is None else config.seeds
    for name, value in (
        ("seeds", seeds),
        ("workers", config.workers),
        ("evaluation-seeds", config.evaluation_seeds),
    ):
        if value < 1:
            raise UserError(f"--{name} is {value}; expected at least 1")
    if not 0 <= config.seed < 2**32:
        raise UserError(f"--seed is {config.seed}; expected 0 to {2**32 - 1}")
    base: DQNConfig = grid["dqn"]
    if config.steps is not None:
        base = replace(base, steps=config.steps)
    axes: dict[str, list[Any]] = {"neighbours": list(config.neighbours or grid["neighbours"])}
    for name, given in map(_axis, config.vary):
        if name in axes:
            raise UserError(
                f"{name} is varied twice; give all its values at once, --vary {name}=value,value"
            )
        axes[name] = given
    for name, given in {"alpha": list(alphas), **axes}.items():
        if len(set(given)) < len(given):
            raise UserError(f"{name} {' '.join(map(str, given))} has one twice; give each once")
    identity = [
        benchmark,
        asdict(base),
        sorted(axes.items()),
        alphas,
        seeds,
        config.seed,
        config.evaluation_seeds,
    ]
    folder = config.out / f"ablate-{store.hash_of(identity)}"
    rows = []
    for values in itertools.product(*axes.values()):
        varied = tuple(zip(axes, values, strict=True))
        settings = base
        for name, value in varied:
            settings = _with(settings, name, value)
        rows.append(
            Row(
                config.benchmark,
                settings,
                varied,
                alphas,
                seeds,
                config.seed,
                config.evaluation_seeds,
                folder,
            )
        )
    return rows, folder


def _axis(text: str) -> tuple[str, list[Any]]:
    """`gamma=0.5,0.9` as ("gamma", [0.5, 0.9])."""
    name, _, values = text.partition("=")
    if name in ("alpha", "neighbours", "steps"):
        raise UserError(f"--vary {text}: {name} has an option of its own, --{name}")
    default: Any = DQNConfig()
    for part in name.split("."):
        known = is_dataclass(default) and part in {field.name for field in fields(default)}
        default = getattr(default, part) if known else None
    if not values or default is None or is_dataclass(default):
        raise UserError(
            f"--vary {text}: no such setting; expected FIELD=value,... of `rlnas train --help`, "
            "e.g. gamma=0.5,0.9"
        )
    return name, [convert(name, value, type(default)) for value in values.split(",")]


def _with(config: Any, name: str, value: Any) -> Any:
    head, _, rest = name.partition(".")
    return replace(config, **{head: _with(getattr(config, head), rest, value) if rest else value})


def run_jobs(rows: Sequence[Row], workers: int) -> list[str]:
    """Every row that is not done, in worker processes; returns one line a failed job."""
    from tqdm import tqdm

    todo = [row for row in rows if not all(row.cell(alpha).exists() for alpha in row.alphas)]
    failures: list[str] = []
    if not todo:
        return failures
    total = sum(len(row.alphas) for row in rows)
    with tqdm(total=total, unit="cell", desc="ablate", disable=None) as bar:

        def show() -> None:
            bar.n = sum(row.cell(alpha).exists() for row in rows for alpha in row.alphas)
            bar.refresh()

        # A process a job: one that dies takes no other with it.
        context = multiprocessing.get_context("spawn")
        pools = [ProcessPoolExecutor(1, context) for _ in range(min(workers, len(todo)))]
        try:
            running = {}
            queue = iter(todo)
            for i, row in enumerate(itertools.islice(queue, len(pools))):
                running[pools[i].submit(run_row, row)] = (i, row)
            while running:
                show()
                try:
                    future = next(as_completed(running, timeout=5))
                except TimeoutError:
                    continue
                i, row = running.pop(future)
                if error := future.exception():
                    said = " ".join(str(error).split())[:300]
                    failures.append(f"{_settings(row)}: {type(error).__name__}: {said}")
                    pools[i].shutdown(wait=False)
                    pools[i] = ProcessPoolExecutor(1, context)
                if (row := next(queue, None)) is not None:  # type: ignore[assignment]
                    running[pools[i].submit(run_row, row)] = (i, row)
            show()
        finally:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)
    return failures


def _settings(row: Row) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.varied)


def run_row(row: Row) -> None:
    """One job: each alpha's seeds in one call, all with one compiled program; writes a file an
    alpha."""
    import jax

    from rlnas import bench
    from rlnas.agents import dqn
    from rlnas.agents.evaluate import evaluate
    from rlnas.agents.protocol import seed_keys

    benchmark, config = (
        bench.load(row.benchmark),
        replace(row.config, alpha=0.0),
    )  # alpha is traced, below
    keys, evaluation = seed_keys(row.seed, row.seeds), seed_keys(row.seed + 1, row.evaluation_seeds)
    warm = config.warm_iterations

    @jax.jit
    def train(alpha: Any, keys: Any) -> tuple[Any, Any]:
        mdp = config.mdp(benchmark, alpha)

        def one(key: Any) -> tuple[Any, Any]:
            state = dqn.init(config, mdp, key)
            state, _ = dqn.run(config, mdp, state, warm, False)
            state, metrics = dqn.run(config, mdp, state, config.iterations - warm, True)
            return state.learner.params, (
                metrics.loss[-100:].mean(),
                metrics.val[-100:].mean(),
                state.lookups,
            )

        return jax.vmap(one)(keys)

    for alpha in row.alphas:
        if row.cell(alpha).exists():
            continue
        params, (loss, val, lookups) = jax.device_get(train(np.float32(alpha), keys))
        results = []
        for seed in range(row.seeds):
            found, _ = evaluate(
                config, jax.tree.map(lambda x, seed=seed: x[seed], params), benchmark, evaluation
            )
            results.append(
                {
                    "alpha": alpha,
                    **dict(row.varied),
                    "seed": seed,
                    "loss": float(loss[seed]),
                    "actors_val": float(val[seed]),
                    "lookups": int(lookups[seed]),
                    **_columns("dqn", found, benchmark),
                }
            )
        row.cell(alpha).parent.mkdir(parents=True, exist_ok=True)
        store.write_json(row.cell(alpha), results)


def _columns(name: str, found: Any, benchmark: Any) -> dict[str, float]:
    from rlnas.agents.evaluate import QUERIES
    from rlnas.analysis.ablation import figure as ablation_plot

    optimum = ablation_plot.best(benchmark)
    return {
        f"{name}_regret_{q}": optimum - float(found.reported[i]) for i, q in enumerate(QUERIES)
    } | {f"{name}_val_{q}": float(found.val[i]) for i, q in enumerate(QUERIES)}


def collect(rows: Sequence[Row]) -> pd.DataFrame:
    """One line a training that is done, with random search on the same evaluation keys beside
    it."""
    import pandas as pd

    from rlnas import agents, bench
    from rlnas.agents.evaluate import QUERIES, incumbents
    from rlnas.agents.protocol import run_seeds, seed_keys

    first = rows[0]
    benchmark = bench.load(first.benchmark)
    keys = seed_keys(first.seed + 1, first.evaluation_seeds)
    random = incumbents(run_seeds(agents.config("random_search")(), benchmark, max(QUERIES), keys))
    frame = pd.DataFrame(list(_results(rows)))
    return frame.assign(**_columns("random_search", random, benchmark))


def _results(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    for row in rows:
        for alpha in row.alphas:
            if row.cell(alpha).exists():
                yield from json.loads(row.cell(alpha).read_text())


def _write_frames(frame: pd.DataFrame, folder: Path) -> None:
    from rlnas.bench.files import atomic_path

    with atomic_path(folder / "results.parquet") as path:
        frame.to_parquet(path, index=False)
    with atomic_path(folder / "results.csv") as path:
        frame.to_csv(path, index=False, float_format="%.6g")
