"""The jobs of a grid of trainings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rlnas import agents
from rlnas.agents.learner import changed, has_setting, preset
from rlnas.agents.spec import convert
from rlnas.analysis import store
from rlnas.analysis.ablation.settings import AblateSettings
from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.errors import UserError
from rlnas.bench.family import named
from rlnas.bench.jax_setup import configuration

JOBS = "rlnas.analysis.ablation.jobs"
"""The module that trains."""
ALPHAS = (0.3, 1.0, 3.0, 10.0)
"""Of rewards relative to what was seen."""
PAPER_ALPHAS = (1.0, 2.0, 4.0, 6.0, 8.0, 16.0, 32.0, 50.0)
"""Of the paper's raw rewards."""


class Grid(NamedTuple):
    """preset: of the learner. changes: to the settings of that preset."""

    preset: str
    alpha: tuple[float, ...]
    neighbours: tuple[int, ...]
    seeds: int
    changes: Mapping[str, Any]


GRIDS = {
    "smoke": Grid("smoke", (1.0, 6.0), (5,), 2, {"steps": 3_072}),
    "default": Grid("grid", ALPHAS, (5, 10, 25), 5, {}),
    "paper": Grid("paper", PAPER_ALPHAS, (5, 10, 25, 50), 5, {}),
}


@dataclass(frozen=True)
class Row:
    """One job: settings that need a program of their own; alphas and seeds are traced in it."""

    agent: str
    benchmark: str
    settings: Any
    varied: tuple[tuple[str, Any], ...]
    alphas: tuple[float, ...]
    seeds: int
    seed: int
    evaluation_seeds: int
    folder: Path
    about: Mapping[str, Any]
    """The benchmark's `describe()`; `folder` is named by it, and by how JAX is set."""
    jax: Mapping[str, Any]

    def cell(self, alpha: float) -> Path:
        """Where the results of one alpha go."""
        key = [
            self.agent,
            asdict(replace(self.settings, alpha=alpha)),
            self.seeds,
            self.seed,
            self.evaluation_seeds,
        ]
        return self.folder / "cells" / f"{store.hash_of(key)}.json"

    def __str__(self) -> str:
        alpha = [("alpha", self.alphas[0])] if len(self.alphas) == 1 else []
        varied = [*self.varied, *alpha]
        return ", ".join(f"{name} {value}" for name, value in varied) or self.agent


def plan(
    config: AblateSettings, benchmark: Mapping[str, Any], *behind: Any
) -> tuple[list[Row], Path]:
    """The jobs of a grid and their folder; `UserError` for a setting that is none. benchmark: its
    `describe()`. behind: what has code that counts too, e.g. the benchmark itself."""
    grid, family = GRIDS[config.preset], named(benchmark.get("family", ""))
    alphas = tuple(float(a) for a in config.alpha or grid.alpha)
    seeds = grid.seeds if config.seeds is None else config.seeds
    workers = 1 if config.workers is None else config.workers
    check_at_least(1, seeds=seeds, workers=workers, evaluation_seeds=config.evaluation_seeds)
    config.where.check()
    check_seed(config.seed)
    check_folder(config.out)
    base = changed(preset(config.agent, family, grid.preset), grid.changes)
    if config.steps is not None:
        base = replace(base, steps=config.steps)
    axes = axes_of(config, grid, base)
    for name, given in {"alpha": list(alphas), **axes}.items():
        if len(set(given)) < len(given):
            raise UserError(f"{name} {' '.join(map(str, given))} has one twice; give each once")
    decisive = [
        config.agent,
        benchmark,
        asdict(base),
        sorted(axes.items()),
        alphas,
        seeds,
        config.seed,
        config.evaluation_seeds,
        store.decided_by(agents.config(config.agent), JOBS, *behind),
    ]
    folder = store.folder_of(config.out, "ablate", decisive)
    rows = []
    # On a cluster each alpha is a job: it is compiled as often as there are machines, but all work.
    jobs = [(alpha,) for alpha in alphas] if config.where.executor == "ray" else [alphas]
    for values, of_job in itertools.product(itertools.product(*axes.values()), jobs):
        varied = tuple(zip(axes, values, strict=True))
        row = Row(
            agent=config.agent,
            benchmark=config.benchmark,
            settings=changed(base, dict(varied)),
            varied=varied,
            alphas=of_job,
            seeds=seeds,
            seed=config.seed,
            evaluation_seeds=config.evaluation_seeds,
            folder=folder,
            about=benchmark,
            jax=configuration(),
        )
        rows.append(row)
    return rows, folder


def axes_of(config: AblateSettings, grid: Grid, base: Any) -> dict[str, list[Any]]:
    """Setting -> its values, alpha apart; `neighbours` first, where the agent has that."""
    axes: dict[str, list[Any]] = {}
    if has_setting(base, "neighbours"):
        axes["neighbours"] = list(config.neighbours or grid.neighbours)
    elif config.neighbours:
        raise UserError(f"--neighbours is given, but {config.agent} has no such setting")
    for text in config.vary:
        name, _, values = text.partition("=")
        if name in ("alpha", "neighbours", "steps"):
            raise UserError(f"--vary {text}: {name} has an option of its own, --{name}")
        if not values or not has_setting(base, name):
            raise UserError(
                f"--vary {text}: no such setting; expected FIELD=value,... of `rlnas train "
                f"{config.agent} --help`, e.g. gamma=0.5,0.9"
            )
        if name in axes:
            raise UserError(
                f"{name} is varied twice; give all its values at once, --vary {name}=value,value"
            )
        default = base
        for part in name.split("."):
            default = getattr(default, part)
        axes[name] = [convert(name, value, type(default)) for value in values.split(",")]
    return axes
