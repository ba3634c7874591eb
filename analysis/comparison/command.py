"""`rlnas compare`: agents side by side at a query budget, with the uncertainty of the answer."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    from rlnas.analysis.comparison.sweep import Contender
    from rlnas.analysis.store import Run

BASELINES = ("random_search", "random_walk", "local_search", "evolution")


@dataclass(frozen=True)
class Compare:
    """Compare search agents at a query budget.

    Every agent searches the benchmark many times, each time with another seed. What comes out is a
    figure of the best architecture so far (accuracy and regret, against queries and simulated
    training time), a table with 95 % intervals and the probability of beating random search, and
    the raw history of every run.

    Runs are kept in OUT by the hash of their settings: what is done is not done again, and a
    comparison that was interrupted goes on where it stopped.

    Examples:
      rlnas compare
      rlnas compare --agents random_search local_search local_search:variant=full --budget 50
      rlnas compare --agents random_search evolution:population=100,tournament=10 --seeds 500
      rlnas compare --benchmark nb101-full --epochs 36 --noise sample
      rlnas compare --benchmark nb301-yahpo --budget 300 --seeds 100
    """

    benchmark: str = "nb101-digits"
    """What to search: a name that `rlnas bench list` shows, or the path of a table."""

    agents: tuple[str, ...] = BASELINES
    """Who searches: `name` or `name:option=value,option=value`, several of them."""

    budget: int = 150
    """Queries a run may make, exactly."""

    seeds: int = 200
    """Independent runs of each agent; intervals need at least 2."""

    seed: int = 0
    """Root of all randomness; run number i of an agent has the same key whatever --seeds is."""

    noise: str = "mean"
    """What a query answers: the `mean` over an architecture's repeats, one drawn (`sample`), or
    `repeat=i`."""

    epochs: int | None = None
    """Training budget of the table in epochs; None takes the longest."""

    out: Path = Path("runs")
    """Folder of all runs."""

    redo: bool = False
    """Run again what is done already."""


def run(config: Compare) -> None:
    """Run what is missing, then write figure, table and summary, and print the table and where all
    lies."""
    from rlnas import bench

    check(config)
    contenders = parse_agents(config.agents)
    benchmark = bench.load(config.benchmark, epochs=config.epochs, noise=config.noise)
    if of := getattr(benchmark, "distilled", ""):
        raise UserError(
            f"{benchmark.name} is distilled, for training on; compare on what it imitates, "
            f"--benchmark {of}"
        )
    runs = run_all(config, contenders, benchmark)
    finish(config, runs)


def check(config: Compare) -> None:
    """`UserError` for an option out of its range."""
    check_at_least(1, " query", budget=config.budget)
    check_at_least(2, ", an interval needs them", seeds=config.seeds)
    check_seed(config.seed)
    check_folder(config.out)


def parse_agents(words: tuple[str, ...]) -> list[Contender]:
    """`UserError` for an unknown agent or option, for none, and for the same agent twice."""
    from rlnas.agents.spec import parse_all
    from rlnas.analysis.comparison.sweep import Contender

    found: list[Contender] = []
    for label, config in parse_all(words).items():
        name = label.partition(":")[0]
        same = next(
            (other.label for other in found if (other.name, other.config) == (name, config)), None
        )
        if same:
            raise UserError(f"agents {same} and {label} are the same; give one of them")
        found.append(Contender(name, label, config))
    return found


def run_all(config: Compare, contenders: list[Contender], benchmark) -> list[Run]:
    """Every contender's run: loaded when it is done and whole, else made."""
    from tqdm import tqdm

    from rlnas.analysis import store
    from rlnas.analysis.comparison import sweep

    runs = []
    with tqdm(total=config.seeds * len(contenders), unit="run", disable=None, leave=False) as bar:
        for contender in contenders:
            bar.set_description(contender.label)
            spec = sweep.spec_of(contender, benchmark, config.budget, config.seed, config.seeds)
            folder = config.out / spec.hash
            if config.redo:
                store.forget_parts(folder)
            try:
                if store.is_done(folder) and not config.redo:
                    runs.append(store.load(folder, contender.label))
                    bar.update(config.seeds)
                    continue
            except store.DamagedRun as error:
                bar.write(f"rlnas: redoing {contender.label}: {error}", file=sys.stderr)
            runs.append(sweep.run_agent(contender, benchmark, spec, folder, bar.update))
    return runs


def finish(config: Compare, runs: list[Run]) -> None:
    """The comparison's own folder, named by the hash of its runs in their order."""
    from rlnas.analysis import store
    from rlnas.analysis.comparison import redraw

    folder = store.folder_of(
        config.out, "compare", [[run.manifest["hash"], run.label] for run in runs]
    )
    redraw.write(runs, folder)
    for run in runs:
        queries, seconds = (
            run.manifest["seeds"] * run.manifest["budget"],
            run.manifest["wall_seconds"],
        )
        rate = f"{queries:,} queries in {seconds:.1f} s, compilation included"
        print(f"{'history' if run is runs[0] else '':8} {run.folder}  {run.label}  ({rate})")
    print(f"memory   {store.peak_mb():,.0f} MB at most")
