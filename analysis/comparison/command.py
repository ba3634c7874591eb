"""`rlnas compare`: agents side by side at a query budget, with the uncertainty of the answer.
`rlnas plot`: its figure and table again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional

from rlnas.analysis.settings import BASELINES
from rlnas.bench.bounds import Epochs, Folder, Queries, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.plugins import PluginError, left_out


@dataclass(frozen=True)
class Compare:
    """Compare search agents at a query budget.

    Every agent searches the benchmark many times, each time with another seed. What comes out is a
    figure of the best architecture so far (accuracy and regret, against queries and simulated
    training time), tables with 95 % intervals and paired differences to a reference, and the raw
    history of every run.

    Of several benchmarks each is compared by itself, and all together by scores: 0 is the mean of
    random search after as many queries, 1 the best there is.

    The unit of a learned agent is the training: trainings that differ by their seeds only, e.g. all
    of `AGENT:runs/train-*`, are one agent, and its intervals are over trainings first.

    Runs are kept in OUT by the hash of what decides them, settings, code and JAX's: what is done is
    not done again, more seeds or a smaller budget take what is there, and a comparison that was
    interrupted goes on where it stopped.

    Examples:
      rlnas compare
      rlnas compare --agents random_search local_search local_search:variant=full --budget 50
      rlnas compare --agents random_search evolution:population=100,tournament=10 --seeds 500
      rlnas compare --benchmark nb101-full --epochs 36 --noise sample
      rlnas compare --benchmark nb101-digits --objectives accuracy params
      rlnas compare --reward mnasnet:objective=params,target=20000
      rlnas compare --benchmark nb301-yahpo --budget 300 --seeds 100
      rlnas compare --benchmark nb301-yahpo --seconds 1e6 --agents random_search hyperband bohb
      rlnas compare --any-fidelity --budget 150 --agents random_search hyperband bohb
      rlnas compare --benchmark nb101-digits nb101-full nb301-yahpo
      rlnas compare --agents random_search evolution 'AGENT:runs/train-*' --reference evolution
      rlnas compare --agents local_search bridge:optuna:sampler=tpe bridge:my_module:AskTell
    """

    benchmark: tuple[str, ...] = ("nb101-digits", "nb101-mnist")
    """What to search: a name that `rlnas bench list` shows, or the path of a table; several of them
    are compared one by one and together."""

    agents: tuple[str, ...] = BASELINES
    """Who searches: `name` or `name:option=value,option=value`, several of them; `label=` before
    one says what it is called; `all` is every registered agent, as it is by default."""

    budget: Queries = 150
    """Queries a run may make, exactly."""

    seconds: Annotated[float | None, Within(0, 1e12, open=True)] = None
    """Simulated seconds a run may spend, in place of --budget: a query that would pass them is not
    made. Agents that name fidelities (`rlnas agents`) then ask shorter trainings, too, where the
    benchmark has them; benchmarks are compared one by one."""

    any_fidelity: bool = False
    """Agents that name fidelities ask shorter trainings, too, and of --budget every query counts as
    one, at whatever fidelity; benchmarks are compared one by one. Without it, and without
    --seconds, all ask whole trainings."""

    seeds: Annotated[int, Within(2, 1_000_000, ", an interval needs them")] = 200
    """Independent runs of each agent; intervals need at least 2."""

    seed: Seed = 0
    """Root of all randomness; run number i of an agent has the same key whatever --seeds is."""

    noise: str = "mean"
    """What a query answers: the `mean` over an architecture's repeats, one drawn (`sample`), or
    `repeat=i`; `mean:0,2` and `sample:0,2` know these repeats only, also in what is reported."""

    epochs: Epochs = None
    """Training budget of the table in epochs; None takes the longest."""

    reference: str = ""
    """The agent that the others are measured against, by its label; empty: the best of those that
    are not trained, after the last query."""

    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""

    objectives: tuple[str, ...] = ()
    """Compare searches for several objectives, by how much of the front they find: accuracy, and
    others that the benchmark has (params, flops, seconds, columns of the table). Then the agents
    are by default random_search, nsga2, and weighted with several agents."""

    reward: str = ""
    """What is searched for instead of accuracy: `name:option=value,...` of mnasnet, monas,
    monas_constrained, rena, n2n, e.g. mnasnet:objective=params,target=20000,w=-0.07; it is what is
    reported, too."""

    where: OmitArgPrefixes[Executor] = LOCAL
    """Where blocks of ten seeds run, of fifty with --seconds or --any-fidelity; agents outside JAX
    run on this machine."""

    out: Folder = Path("runs")
    """Folder of all runs."""

    redo: bool = False
    """Run again what is done already."""

    def run(self) -> None:
        """Run what is missing, then write figure, table and summary, and print the table and where
        all lies."""
        from rlnas.analysis.comparison.several.write import run_several
        from rlnas.analysis.comparison.sweep import compare
        from rlnas.analysis.comparison.write import finish

        self.where.check()
        by_fidelity = self.seconds is not None or self.any_fidelity
        if by_fidelity:
            return self.with_fidelities()
        others = ("seconds", "any_fidelity")
        options = {name: value for name, value in vars(self).items() if name not in others}
        if objectives := options.pop("objectives"):
            from rlnas.analysis.fronts.run import compare_fronts

            agents = options.pop("agents")
            with self.where.opened():
                for name in options.pop("benchmark"):
                    compare_fronts(name, agents, objectives, **options)
            return None
        if len(self.benchmark) != 1:
            with self.where.opened():
                return run_several(options.pop("benchmark"), **options)
        (benchmark,), reference = options.pop("benchmark"), options.pop("reference")
        failed: list[PluginError] = []
        with self.where.opened():
            runs = compare(benchmark, failed=failed, **options)
        finish(runs, self.out, reference)
        left_out(failed)

    def with_fidelities(self) -> None:
        """A comparison by simulated seconds, or by queries at any fidelity, of each benchmark by
        itself."""
        by_seconds = self.seconds is not None
        if by_seconds and self.any_fidelity:
            raise UserError(
                "--any-fidelity is given with --seconds, of which any fidelity is asked anyway; "
                "expected one of them"
            )
        if self.objectives or self.reward:
            given = "--seconds" if by_seconds else "--any-fidelity"
            raise UserError(
                f"{given} is given with --objectives or --reward; expected a budget of queries, "
                "--budget, of whole trainings for these"
            )
        from rlnas.analysis.comparison.blocks import Source
        from rlnas.analysis.seconds.write import opened, run

        with self.where.opened():
            for name in self.benchmark:
                there = opened(name, self.epochs, self.noise, self.rehearsal)
                run(
                    there, self.agents, kind="seconds" if by_seconds else "fidelities",
                    seconds=self.seconds, queries=self.budget, seeds=self.seeds, seed=self.seed,
                    out=self.out, redo=self.redo, reference=self.reference, where=self.where,
                    source=Source(name, self.epochs, self.noise),
                )  # fmt: skip


@dataclass(frozen=True)
class Plot:
    """Draw the figure and the table of a comparison again, from its stored runs; nothing is
    searched.

    Any folders can be given, in any order: each agent is drawn once (of its runs, the one with most
    seeds, then the newest), a figure for each benchmark, noise policy and budget; a comparison of
    several benchmarks that is given alone is drawn as it was. Comparisons by --seconds or
    --any-fidelity, and what `rlnas fidelity` wrote, are drawn as they were, from the runs beside
    them. What cannot be drawn is named: fronts are drawn by the same `rlnas compare --objectives`
    again, which searches nothing that is done; other folders, e.g. of trainings, are for `rlnas
    report`.

    Examples:
      rlnas plot runs/*
      rlnas plot runs/compare-0123456789abcdef --out figures
      rlnas plot runs/0123456789abcdef-150x200 runs/fedcba9876543210-150x200 --out figures
    """

    runs: Positional[tuple[Path, ...]] = ()
    """Run folders, or a `compare-...` folder for all of its runs."""

    out: Folder = Path("figures")
    """The folder to write figure.png, figure.svg, table.csv and summary.json to; of several
    figures, each in a folder of it."""

    reference: str = ""
    """As of `rlnas compare`."""

    def run(self) -> None:
        """Load, check, write, and print the table and where it lies."""
        from rlnas.analysis.comparison.plot import plot

        plot(self.runs, self.out, self.reference)
