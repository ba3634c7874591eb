"""`rlnas oneshot`: how well one network with shared weights ranks the cells that a table trained
one by one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from rlnas.bench.nb101.cell import Cell
    from rlnas.bench.nb101.recipe import Recipe
    from rlnas.bench.nb101.table import Table
    from rlnas.bench.retrain.presets import Settings

SCORES, SUMMARY, TIMED = "scores.parquet", "manifest.json", "timed.json"
SAMPLE = 50  # steps, and cells scored, whose time is taken together
PRESETS: dict[str, dict[str, Any]] = {
    # Chosen on seed 0 by the rank correlation with the table; what is reported has other seeds.
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {"max_vertices": 4, "epochs": 2, "steps": 50, "seeds": 2, "trainings": 1},
}


@dataclass(frozen=True)
class OneShot:
    """Train one network that holds the weights of all cells, score every cell with them, compare
    with the table.

    The supernet is trained by single-path uniform sampling (Guo et al. 2020, arXiv 1904.00420) on
    the images, splits and macro structure of the table; a cell's score is how well it does on the
    validation images with the shared weights. Reports rank correlations with intervals, what
    picking by the score costs, and the time saved (ENAS's trade, arXiv 1802.03268), beside what one
    real training of each cell, a short one and the number of parameters tell.

    Writes OUT/oneshot-<hash>/: scores.parquet, manifest.json and the figure. Interrupted, it goes
    on from the last epoch; seeds that are done are kept. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas oneshot
      rlnas oneshot --preset smoke
      rlnas oneshot --seeds 5 --epochs 80
    """

    benchmark: str = "nb101-digits"
    """The table to compare with, of cells trained by `rlnas bench tabulate`: a name, or the path of
    a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: int = 5
    """Only the cells with at most so many vertices."""
    epochs: int = 10
    """Length of the supernet's training; a checkpoint is written after each."""
    steps: int = 1000
    """Batches an epoch, each of one cell drawn uniformly."""
    learning_rate: float = 0.015
    """At first; cosine to 0. The rest of the optimiser is the table's own recipe."""
    seeds: int = 3
    """Supernets to train, each from its own seed."""
    seed: int = 1
    """The first one. The settings were chosen on seed 0."""
    score: Literal["loss", "accuracy"] = "loss"
    """What ranks the cells: validation cross-entropy or accuracy with shared weights. Both are
    written."""
    trainings: int = 10
    """Cells, drawn uniformly, that are really trained here for their time, as the table's was
    another machine's."""
    out: Path = Path("runs")
    """Folder of all runs; results go to its folder oneshot-<hash of the settings>."""

    @classmethod
    def default_for(cls, options: Sequence[str]) -> OneShot:
        """The defaults that `--preset` in `options` asks for."""
        words = [word for option in options for word in option.split("=", 1)]
        preset = dict(pairwise(words)).get("--preset", "default")
        return cls(preset=preset, **PRESETS.get(preset, {}))  # type: ignore[arg-type]


class Scored(NamedTuple):
    """One seed. accuracy (fractions), loss: float32 [M], of every cell with shared weights. Seconds
    on the clock."""

    seed: int
    accuracy: np.ndarray
    loss: np.ndarray
    train_seconds: float
    score_seconds: float

    def score(self, kind: str) -> np.ndarray:
        """[M], higher is better."""
        return self.accuracy if kind == "accuracy" else -self.loss


class Truth(NamedTuple):
    """What the table knows of the cells that are compared, at its largest budget, and at its
    smallest for `early`.

    rows [M]: canonical rows. val, test [M, R]: fractions, R repeats. early [M, R] or None where
    there is one budget only. params [M]. seconds: of training every cell once, as the table has
    them.
    """

    rows: np.ndarray
    cells: Sequence[Cell]
    val: np.ndarray
    test: np.ndarray
    early: np.ndarray | None
    epochs: tuple[int, ...]
    params: np.ndarray
    seconds: float


def run(config: OneShot) -> None:
    """Train what is missing, compare, write the files, print the table and where they lie."""
    from rlnas.analysis import store
    from rlnas.analysis.oneshot import figure as oneshot_plot
    from rlnas.analysis.oneshot import measures as oneshot_measures
    from rlnas.analysis.style import save
    from rlnas.analysis.text import tell
    from rlnas.bench.files import sha256
    from rlnas.bench.nb101.table import Table, find

    check(config)
    path = find(config.benchmark)
    table = Table.load(path)
    truth = truth_of(table, config.max_vertices)
    recipe = recipe_of(table)
    images = images_of(config, table)
    kept = ("dataset", "max_vertices", "epochs", "steps", "learning_rate")
    identity = {
        "format": "rlnas-oneshot",
        "version": 1,
        "benchmark": {"name": table.name, "sha256": sha256(path)},
    }
    identity |= {name: getattr(config, name) for name in kept}
    folder = store.folder_of(config.out, "oneshot", identity)
    scored = train_and_score(config, truth.cells, images, recipe, folder)
    timed = time_apart(config, truth.cells, images, recipe, folder)
    report = oneshot_measures.compare(
        truth, scored, config.score, timed, config.epochs * config.steps
    )
    write_scores(folder / SCORES, truth, scored)
    paths = save(oneshot_plot.figure(report, truth, scored, config.score, table.name), folder)
    asked = {
        "seed": config.seed,
        "seeds": config.seeds,
        "score": config.score,
        "recipe": asdict(recipe),
    }
    versions = store.versions() | version_of_torch()
    store.write_json(
        folder / SUMMARY, identity | asked | {"results": report.summary(), "versions": versions}
    )
    files = {
        "figure": paths[0],
        "": paths[1],
        "scores": folder / SCORES,
        "all": folder / SUMMARY,
    }
    tell(oneshot_measures.text(report, table.name), folder, files)


def check(config: OneShot) -> None:
    """`UserError` for an option out of its range, or without what it needs."""
    for name in ("epochs", "steps", "seeds", "trainings"):
        check_at_least(1, **{name: getattr(config, name)})
    if not 3 <= config.max_vertices <= 7:
        raise UserError(f"--max-vertices is {config.max_vertices}; expected 3 to 7")
    if not 0 < config.learning_rate < 10:
        raise UserError(
            f"--learning-rate is {config.learning_rate}; expected a number from 0 to 10"
        )
    check_seed(config.seed)
    check_folder(config.out)
    from importlib.util import find_spec

    for package in ("torch", "nasbench_pytorch", "sklearn"):
        if find_spec(package) is None:
            raise UserError(f"{package} is not installed; `pip install 'rlnas[retrain]'` to train")


def truth_of(table: Table, max_vertices: int) -> Truth:
    """The cells with at most `max_vertices` vertices of which the table has all repeats."""
    import numpy as np

    from rlnas.bench.nb101 import graph
    from rlnas.bench.nb101.cell import from_bits

    every = graph.cells(table.meta["max_vertices"])
    known = ~np.isnan(table.val[:, -1]).any(1) & ~np.isnan(table.test[:, -1]).any(1)
    rows = np.flatnonzero(known & (every.num_vertices[table.row] <= max_vertices))
    if len(rows) < 20:
        raise UserError(
            f"{table.name} has {len(rows)} such cells with all accuracies; expected at least 20 "
            "to compare"
        )
    columns = (x[table.row[rows]] for x in (every.num_vertices, every.bits, every.ops))
    cells = [
        from_bits(int(v), int(bits), [int(op) for op in ops if op != graph.UNUSED])
        for v, bits, ops in zip(*columns, strict=True)
    ]
    early = table.val[rows, 0] if len(table.epochs) > 1 else None
    seconds = float(np.nanmean(table.seconds[rows, -1], axis=1).sum())
    epochs = tuple(int(e) for e in table.epochs)
    return Truth(
        table.row[rows],
        cells,
        table.val[rows, -1],
        table.test[rows, -1],
        early,
        epochs,
        table.params[rows],
        seconds,
    )


def recipe_of(table: Table) -> Recipe:
    """How the table's cells were built and trained; `UserError` for a table that does not say
    so."""
    from rlnas.bench.nb101.recipe import Recipe

    try:
        recipe = dict(table.meta["recipe"])
        return Recipe(**recipe | {"checkpoints": tuple(recipe["checkpoints"])})
    except (KeyError, TypeError):
        raise UserError(
            f"{table.name} does not say how its cells were trained; expected a table made by "
            "`rlnas bench tabulate`"
        ) from None


def images_of(config: OneShot, table: Table) -> Any:
    """The data set, split as the table's was."""
    from rlnas.bench.retrain import datasets

    images = datasets.load(config.dataset)
    if images.splits != table.meta["splits"]:
        raise UserError(
            f"{table.name} was trained on images split as {table.meta['splits']}, "
            f"{config.dataset} is {images.splits}; "
            "choose the table's own with --dataset"
        )
    return images


def train_and_score(
    config: OneShot, cells: Sequence[Cell], images: Any, recipe: Recipe, folder: Path
) -> list[Scored]:
    """Every seed, from its file where it is done."""
    import time

    import numpy as np
    from tqdm import tqdm

    from rlnas.bench.files import atomic_path
    from rlnas.bench.nb101 import supernet

    schedule = supernet.Schedule(config.epochs, config.steps, config.learning_rate)
    found = []
    for seed in range(config.seed, config.seed + config.seeds):
        path, checkpoint = folder / f"seed-{seed}.npz", folder / f"seed-{seed}.safetensors"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tqdm(
                total=config.epochs, desc=f"seed {seed}: train", unit="epoch", disable=None
            ) as bar:

                def tell(done: supernet.Progress, bar: Any = bar) -> None:
                    bar.set_postfix(loss=f"{done.loss:.3f}")
                    bar.update(done.epoch - bar.n)

                net, seconds = supernet.train(
                    cells, images, recipe, schedule, seed, checkpoint, tell
                )
            with tqdm(
                total=len(cells), desc=f"seed {seed}: score", unit="cell", disable=None
            ) as bar:
                start = time.perf_counter()
                accuracy, loss = supernet.score(net, cells, images, bar.update)
                spent = time.perf_counter() - start
            with atomic_path(path) as temporary, open(temporary, "wb") as file:
                np.savez(file, accuracy=accuracy, loss=loss, seconds=np.array([seconds, spent]))
            checkpoint.unlink()
        found.append(read_scored(path, seed, len(cells)))
    return found


def read_scored(path: Path, seed: int, cells: int) -> Scored:
    """A finished seed; `UserError` when its file is damaged."""
    import zipfile

    import numpy as np

    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            accuracy, loss, seconds = (file[name] for name in ("accuracy", "loss", "seconds"))
            if accuracy.shape != (cells,) or loss.shape != (cells,) or seconds.shape != (2,):
                raise ValueError(f"scores of shape {accuracy.shape}")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is damaged ({error}); delete it and run again") from None
    return Scored(seed, accuracy, loss, *seconds.tolist())


def time_apart(
    config: OneShot, cells: Sequence[Cell], images: Any, recipe: Recipe, folder: Path
) -> list[tuple[float, float, float]]:
    """Seconds of (training a cell for real and measuring it, a step of the supernet, scoring a
    cell), many times.

    Processor time of one thread, the three by turns, so that a busy machine slows them alike: the
    seconds that the supernet took on the clock would tell more of what else was running. Kept in a
    file, which more may be added to.
    """
    import tempfile
    from dataclasses import replace
    from time import process_time

    import numpy as np
    from tqdm import tqdm

    from rlnas.analysis.store import write_json
    from rlnas.bench.nb101 import supernet
    from rlnas.bench.nb101.network import CellNetwork
    from rlnas.bench.retrain import networks
    from rlnas.bench.retrain.fit import Fit

    path = folder / TIMED
    found = [tuple(row) for row in json.loads(path.read_text())] if path.exists() else []
    drawn = np.random.default_rng(0).integers(len(cells), size=config.trainings)
    schedule = supernet.Schedule(1, SAMPLE, config.learning_rate)

    def seconds_of(work: Callable[[], Any]) -> float:
        start = process_time()
        work()
        return process_time() - start

    def really(cell: Cell, settings: Settings) -> None:
        """Train one cell for real and measure it."""
        plan, channels, classes = CellNetwork(cell), images.channels, images.classes
        fit = Fit(*networks.make(plan, settings, channels, classes, 0), images, settings, 0)
        while not fit.done:
            fit.epoch()
        fit.measure()

    with tempfile.TemporaryDirectory() as scratch:

        def train() -> Any:
            return supernet.train(cells, images, recipe, schedule, 0, Path(scratch) / "state")[0]

        if len(found) < config.trainings:
            net = train()  # what a first time costs is not counted
            really(cells[0], replace(recipe.settings, epochs=1))
        rng = np.random.default_rng(1)
        for place in tqdm(
            drawn[len(found) :].tolist(), desc="timing", unit="training", disable=None
        ):
            (Path(scratch) / "state").unlink()
            some = [cells[i] for i in rng.integers(len(cells), size=SAMPLE).tolist()]
            real = seconds_of(lambda place=place: really(cells[place], recipe.settings))  # type: ignore[misc]
            step = seconds_of(train) / SAMPLE
            scoring = seconds_of(lambda some=some: supernet.score(net, some, images)) / SAMPLE  # type: ignore[misc]
            found.append((real, step, scoring))
            write_json(path, found)
    return found[: config.trainings]


def write_scores(path: Path, truth: Truth, scored: Sequence[Scored]) -> None:
    """One line a cell and seed: row in the table, the scores, and the table's means. Accuracies are
    fractions."""
    import pandas as pd

    from rlnas.bench.files import atomic_path
    from rlnas.bench.nb101.cell import module_hash

    hashes = [module_hash(cell) for cell in truth.cells]
    frames = [
        pd.DataFrame(
            {
                "row": truth.rows,
                "module_hash": hashes,
                "seed": one.seed,
                "shared_val_accuracy": one.accuracy,
                "shared_val_loss": one.loss,
                "table_val_mean": truth.val.mean(1),
                "table_test_mean": truth.test.mean(1),
            }
        )
        for one in scored
    ]
    with atomic_path(path) as temporary:
        pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)


def version_of_torch() -> dict[str, str]:
    from importlib.metadata import version

    return {"torch": version("torch")}
