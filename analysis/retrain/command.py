"""`rlnas retrain`: the architectures a search found, trained for real beside controls: is the table
right?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

import tyro

from rlnas.analysis.settings import check_at_least, check_folder
from rlnas.bench.errors import UserError
from rlnas.bench.retrain.engine import Options, require
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.retrain.recipes import default_preset, presets


@dataclass(frozen=True)
class Retrain:
    """Train the best architectures of finished runs for real, beside controls, and compare with the
    table.

    What is trained: the best by validation of RUNS, random controls, the worst, or named ones; each
    with several seeds. Survives kill -9: run the same command again, and every training goes on
    after its last whole epoch. Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).

    Presets: nb101 and nb301 are the benchmarks' own recipes, for a GPU; digits is that of the
    embedded table; quick is a minute or two a training on a CPU core, for a few thousand images.
    Every setting below can be changed.

    Examples:
      rlnas retrain runs/compare-0123456789abcdef --top 5 --random 10 --dataset digits
      rlnas retrain runs/0123456789abcdef --top 5 --dataset cifar10 --seeds 3
      rlnas retrain --cells '110101 input,maxpool3x3,conv3x3-bn-relu,output' --dataset images.npz
      --preset quick
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders, or `compare-...` folders for all of their runs."""

    top: int | None = None
    """So many of the best architectures by validation, over all seeds of RUNS; default 5, none
    without RUNS."""

    random: int = 0
    """So many controls, drawn uniformly from the benchmark, none of them among the top."""

    worst: int = 0
    """So many of the worst by the table among those that RUNS looked up."""

    cells: tuple[str, ...] = ()
    """Architectures by their text, as `rlnas bench export` writes them."""

    csv: Path | None = None
    """Architectures from a CSV file, column `arch`."""

    seed: int = 0
    """Of the draw of the controls."""

    dataset: str = "cifar10"
    """Images: cifar10 (0.17 GB, downloaded once), digits, or an `.npz` with x_train, y_train,
    x_test, y_test."""

    data_dir: Path | None = None
    """Where CIFAR-10's archive lies or goes; default: the cache folder."""

    preset: Literal["nb101", "nb301", "quick", "digits"] = "nb101"
    """Recipe; default: digits for digits, nb301 for runs on NAS-Bench-301, else nb101."""

    settings: tyro.conf.OmitArgPrefixes[Settings] = field(default_factory=Settings)
    """The recipe."""

    seeds: int = 3
    """Trainings of each architecture."""

    first_seed: int = 1000
    """Seeds count from here. An embedded table's own repeats are seeds 0, 1 and 2: they would only
    be repeated."""

    workers: int = 0
    """Trainings at once; 0: on the CPU one a core, on a GPU as many as fill it."""

    options: tyro.conf.OmitArgPrefixes[Options] = field(default_factory=Options)
    """How to run."""

    plain_loop_batches: int = 20
    """Measure the speed of one model over so many batches, beside a plain loop; 0: do not."""

    keep_weights: bool = False
    """Keep the trained weights (safetensors) instead of removing them with the checkpoint."""

    benchmark: str | None = None
    """The table to compare with, by name or path; default: that of RUNS, else nb101-digits."""

    table_epochs: int | None = None
    """Its training budget; default: that of RUNS, else the longest."""

    out: Path = Path("runs")
    """Folder of all runs: trainings are kept in trainings-<hash>, results go to retrain-<hash>."""

    @classmethod
    def default_for(cls, options: Sequence[str]) -> Retrain:
        """The defaults that `--preset`, else `--dataset` and the runs, ask for."""
        words = [word for option in options for word in option.split("=", 1)]
        asked = dict(pairwise(words))
        dataset = asked.get("--dataset", cls.dataset)
        preset = asked.get("--preset") or default_preset(
            dataset, [asked.get("--benchmark", ""), *benchmarks_of(words)]
        )
        known = presets()
        if preset not in known:  # tyro will tell what is wrong with it
            preset = "nb101"
        return cls(preset=preset, settings=known[preset])  # type: ignore[arg-type]


def benchmarks_of(words: Sequence[str]) -> list[str]:
    """The benchmarks of those words that are folders of runs."""
    found = []
    for word in words:
        for name in ("manifest.json", "summary.json"):
            try:
                facts = json.loads((Path(word) / name).read_text(encoding="utf-8"))["benchmark"]
                found.append(str(facts["name"]))
            except (OSError, ValueError, KeyError, TypeError):
                continue
    return found


def check(config: Retrain) -> None:
    """`UserError` for an option out of its range, or a package that is missing."""
    for name, least in (
        ("seeds", 1),
        ("random", 0),
        ("worst", 0),
        ("workers", 0),
        ("plain_loop_batches", 0),
    ):
        check_at_least(least, **{name: getattr(config, name)})
    check_at_least(0, top=config.top or 0)
    check_folder(config.out)
    require()


def run(config: Retrain) -> None:
    """Choose, train what is missing, store, and print the verdict and where it lies."""
    from rlnas.analysis.comparison.runs import collect
    from rlnas.analysis.retrain import run as retrain_run
    from rlnas.analysis.retrain import select as retrain_select
    from rlnas.analysis.retrain import verdict as retrain_verdict

    check(config)
    runs = collect(config.runs) if config.runs else []
    benchmark, notes = retrain_select.ground(runs, config.benchmark, config.table_epochs)
    texts = [*config.cells, *(retrain_select.from_csv(config.csv) if config.csv else [])]
    top = config.top if config.top is not None else 5 if runs else 0
    chosen = retrain_select.choose(
        benchmark,
        runs,
        top=top,
        random=config.random,
        worst=config.worst,
        texts=texts,
        seed=config.seed,
    )
    for note in notes:
        print(note, file=sys.stderr)
    folder = retrain_run.train(config, benchmark, chosen, notes)
    retrain_verdict.write(folder)
    failed = retrain_run.failed(folder)
    if failed:
        raise UserError(
            f"{failed} trainings failed and are missing above; run the same command again to "
            "retry them"
        )
