"""From options to the files of `rlnas oneshot enas`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np

from rlnas.agents.enas_controller import EnasController
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.analysis import store
from rlnas.analysis.oneshot.alternating import Search, Turns
from rlnas.analysis.oneshot.choices import TABLE, Choice, Found, report_of
from rlnas.analysis.oneshot.data import ground_of
from rlnas.analysis.oneshot.report import Truth
from rlnas.analysis.oneshot.settings import EnasSettings
from rlnas.analysis.oneshot.train import AGAIN, really, seconds_of
from rlnas.analysis.oneshot.write import ENAS, write_enas
from rlnas.bench.checks import ArrayOf, check_arrays
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.benchmark import CellBenchmark, from_table
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.supernet_training import Schedule
from rlnas.bench.npz import load_npz, save_npz
from rlnas.bench.progress import bar
from rlnas.bench.retrain.datasets import Dataset

LOOP = "rlnas.analysis.oneshot.alternating"
SEAL = ("rlnas-enas-found", 1)
ARRAYS = {
    "places": ArrayOf("int32", ("samples",), 0),
    "accuracy": ArrayOf("float32", ("samples",), 0, 1),
    "loss": ArrayOf("float32", ("samples",), nan=True, anything=True),
    "rewards": ArrayOf("float32", ("epochs",), 0, 1),
    "seconds": ArrayOf("float64", (3,), 0),
}
BUDGETS = (10, 100)  # queries of the controller on the table
KEPT = ("dataset", "max_vertices", "epochs", "steps", "learning_rate", "controller_steps")


def finish(config: EnasSettings) -> None:
    """Search with every seed that is not done, compare, write the files, print the table."""
    ground = ground_of(config.benchmark, config.dataset, config.max_vertices)
    truth, recipe, images, _, facts, table = ground
    benchmark = from_table(table, noise="sample").restrict(
        np.flatnonzero(np.isin(table.row, truth.rows))
    )
    if len(truth.rows) < benchmark.space.whole:
        raise UserError(
            f"{table.name} has {len(truth.rows):,} of {benchmark.space.whole:,} cells; expected "
            "all, as the controller may draw any"
        )
    identity = ENAS.seal | {"benchmark": facts}
    identity |= {name: getattr(config, name) for name in (*KEPT, "samples")}
    identity |= store.decided_by(LOOP)
    folder = store.folder_of(config.out, "enas", identity)
    seeds = range(config.seed, config.seed + config.seeds)
    kept = [folder / f"seed-{seed}.npz" for seed in seeds]
    store.tell_reused("searches", [p for p in kept if p.exists()], config.seeds)
    found = [
        search(config, truth, benchmark, images, recipe, seed, where)
        for seed, where in zip(seeds, kept, strict=True)
    ]
    drawn = np.random.default_rng(0).integers(len(truth.cells), size=config.trainings).tolist()
    times = [
        seconds_of(lambda cell=truth.cells[i]: really(cell, images, recipe.settings))  # type: ignore[misc]
        for i in drawn
    ]
    real, spent = float(np.mean(times)), float(np.mean([one.seconds.sum() for one in found]))
    report = report_of(truth, found, on_table(config, benchmark, truth, real), real, spent)
    asked = {name: getattr(config, name) for name in ("seed", "seeds", "table_seeds")}
    asked |= {"recipe": asdict(recipe)}
    versions = store.versions() | {"torch": version("torch")}
    summary = identity | asked | {"results": report.summary(), "versions": versions}
    ENAS.write(folder, summary)
    write_enas(folder)


def search(
    config: EnasSettings,
    truth: Truth,
    benchmark: CellBenchmark,
    images: Dataset,
    recipe: Recipe,
    seed: int,
    path: Path,
) -> Found:
    """One seed: from its file, or from its last epoch on."""
    if path.exists():
        return read(path, seed, config)
    schedule = Schedule(config.epochs, config.steps, config.learning_rate)
    turns = Turns(schedule, config.controller_steps, config.samples)
    under_way = Search(benchmark.space, truth.cells, images, recipe, turns, seed)
    checkpoint = path.with_suffix(".safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    if checkpoint.exists():
        under_way.read(checkpoint)
    with bar(f"seed {seed}", config.epochs, unit="epoch") as shown:
        shown.update(under_way.training.done.epoch)
        while under_way.training.done.epoch < config.epochs:
            under_way.epoch()
            under_way.write(checkpoint)
            shown.update()
            shown.set_postfix(reward=f"{under_way.rewards[-1]:.3f}")
    found = under_way.finish()
    save_npz(path, SEAL, found._asdict(), seed=seed)
    checkpoint.unlink(missing_ok=True)
    return found


def read(path: Path, seed: int, config: EnasSettings) -> Found:
    """A finished seed; `UserError` when its file is damaged."""
    arrays, meta = load_npz(path, hint=AGAIN, seal=SEAL)
    if (meta["format"], meta["version"], meta.get("seed")) != (*SEAL, seed):
        raise UserError(f"{path} holds no search of seed {seed}; {AGAIN}")
    sizes: Mapping[str, int] = {"samples": config.samples, "epochs": config.epochs}
    check_arrays(arrays, ARRAYS, path, AGAIN, sizes=sizes)
    return Found(**{name: arrays[name] for name in Found._fields})


def on_table(
    config: EnasSettings, benchmark: CellBenchmark, truth: Truth, real: float
) -> list[Choice]:
    """The controller's own searches, every query a training for real. real: seconds of one."""
    keys = seed_keys(0, config.table_seeds)
    history = run_seeds(EnasController(), benchmark, max(BUDGETS), keys)
    archs, best = np.asarray(history.arch), np.asarray(history.incumbent)
    test, each = truth.test.mean(1), np.arange(config.table_seeds)
    return [Choice(TABLE, n, test[archs[each, best[:, n - 1]]].tolist(), n * real) for n in BUDGETS]
