"""The options of `rlnas train`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from rlnas.agents import registry
from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.analysis.trackers import Name
from rlnas.bench.bounds import Epochs, Folder, Queries, Seed, Within, Workers
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor

QUERIES = (10, 20, 50)
"""The query counts that trained agents are judged at unless told otherwise."""

JUDGING = 100
"""The searches that they are judged by in the end, likewise."""

EVALUATIONS = 8
"""Of a training, unless told otherwise."""

NAME = tyro.conf.arg(metavar="[AGENT]")
SETTINGS = tyro.conf.arg(name="")
"""So that the learner's settings stand beside the other options: `--steps`, not
`--learner.steps`."""

QUICK: dict[str, dict[str, Any]] = {
    "smoke": {"evaluation_seeds": 4, "evaluation_queries": (5, 10, 20), "judging_seeds": 8}
}
"""Of presets for first looks, beside the learner's own."""


@dataclass(frozen=True)
class TrainSettings:
    """What to train on what, how to evaluate it, and where it goes."""

    agent: tyro.conf.Positional[Annotated[str, NAME]] = registry.TRAINED
    """What to train, given before all options; it decides which ones there are."""
    benchmark: str = "nb101-digits"
    """What to train on: a name that `rlnas bench list` shows, or the path of a table."""
    preset: str = "default"
    """Settings to start from, other ones for some benchmarks; options given beside it go before
    it."""
    noise: str = "mean"
    """What a look-up answers: `mean` over repeats, one drawn (`sample`), or `repeat=i`; `mean:0,2`
    and `sample:0,2` know these repeats only."""
    epochs: Epochs = None
    """Training budget of the table in epochs; None takes the longest."""
    shown: Annotated[float, Within(0, 1, open=True)] = 1.0
    """Show the accuracies of this random share of the architectures only; the others are not in the
    MDP."""
    shown_region: bool = False
    """Let the share that `--shown` is be one connected region, grown over neighbours from a random
    architecture; held out is then what has few neighbours in it. Else single ones at random, and
    what is held out lies among them."""
    shown_vertices: Annotated[int | None, Within(1)] = None
    """Show only the cells with at most so many vertices."""
    shown_seed: Seed = 0
    """Which random share, or region, `--shown` is; trainings of other seeds see the same."""
    seed: Seed = 0
    """Root of all randomness."""
    seeds: Annotated[int, Within(1, 10_000)] = 1
    """Trainings: of --seed and the seeds behind it, each in a folder of its own, as alone."""
    workers: Workers | None = None
    """Trainings at once, each in a process of its own; default: one after another in this one, on
    Ray as many as the cluster has room for."""
    where: tyro.conf.OmitArgPrefixes[Executor] = LOCAL
    """Where the trainings run."""
    evaluate_every: Annotated[int | None, Within(1)] = None
    """Environment steps between evaluations; None: an eighth of the training."""
    evaluation_seeds: Annotated[int, Within(1, 100000)] = 20
    """Searches an evaluation; their look-ups are counted as training's."""
    evaluation_queries: tuple[Queries, ...] = QUERIES
    """Queries after which an evaluation's incumbents are told, ascending; each search makes as many
    as the last."""
    judging_seeds: Annotated[int, Within(1, 100000)] = JUDGING
    """Searches that agent and baselines are judged by in the end; none of them chose the
    checkpoint."""
    rehearsal: bool = False
    """Take a table of predictions (`rlnas bench rehearse`), which is no benchmark."""
    log: tuple[Name, ...] = ()
    """Tell these of each evaluation (extras of the same names), too; `tensorboard` writes below the
    training's folder, where W&B and MLflow do is their own settings' affair."""
    out: Folder = Path("runs")
    """Folder of all runs."""
    learner: Annotated[Any, SETTINGS] = None
    """Settings of MDP, learning and network; None: the preset's."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        if not 0 < self.shown <= 1:
            raise UserError(f"--shown is {self.shown}; expected a share above 0, at most 1")
        if self.shown < 1 and self.shown_vertices is not None:
            raise UserError("--shown and --shown-vertices are both given; expected one of them")
        if self.shown_region and self.shown == 1:
            raise UserError("--shown-region is given without --shown; expected --shown below 1")
        check_at_least(
            1,
            evaluate_every=1 if self.evaluate_every is None else self.evaluate_every,
            evaluation_seeds=self.evaluation_seeds,
            judging_seeds=self.judging_seeds,
            seeds=self.seeds,
        )
        if not self.evaluation_queries or list(self.evaluation_queries) != sorted(
            {max(1, q) for q in self.evaluation_queries}
        ):
            found = " ".join(map(str, self.evaluation_queries))
            raise UserError(
                f"--evaluation-queries is {found!r}; expected ascending numbers of at least 1"
            )
        check_seed(self.seed)
        check_seed(self.seed + self.seeds - 1, "seed + --seeds - 1")
        self.where.check()
        check_seed(self.shown_seed, "shown-seed")
        check_folder(self.out)
