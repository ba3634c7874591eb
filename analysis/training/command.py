"""`rlnas train`: a learned agent, from nothing to a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from rlnas import agents, bench
from rlnas.analysis.settings import check_at_least, check_folder, check_seed
from rlnas.bench.errors import UserError

QUERIES = (10, 20, 50)
"""The query counts that trained agents are judged at unless told otherwise."""

SETTINGS = tyro.conf.arg(name="")
"""So that the learner's settings stand beside the other options: `--steps`, not
`--learner.steps`."""


@dataclass(frozen=True)
class Train:
    """Train an agent that learns to search, on a benchmark it may look accuracies up in.

    Writes OUT/train-<hash>/: the best checkpoint (chosen by validation accuracy alone), the
    learning curve as CSV and picture, and, until it is done, the state that an interrupted training
    goes on from, kill -9 included. Then search with it: `rlnas compare --agents random_search
    AGENT:FOLDER`.

    Protocols: train on the table that is searched later (amortised, the paper's setting); on a part
    of it (`--shown`, `--shown-vertices`: split); on another table, budget or repeat (transfer).
    Without any training (cold), the agent's name alone in `rlnas compare` learns inside its budget.

    Examples:
      rlnas train
      rlnas train --preset smoke
      rlnas train --shown 0.25 --alpha 8 --neighbours 10
      rlnas train --epochs 5 --noise repeat=0
      rlnas train --benchmark nb301-yahpo
    """

    agent: tyro.conf.Positional[str] = agents.TRAINED
    """What to train, given before all options; it decides which ones there are."""
    benchmark: str = "nb101-digits"
    """What to train on: a name that `rlnas bench list` shows, or the path of a table."""
    preset: str = "default"
    """Settings to start from, other ones for some benchmarks; options given beside it go before
    it."""
    noise: str = "mean"
    """What a look-up answers: `mean` over repeats, one drawn (`sample`), or `repeat=i`."""
    epochs: int | None = None
    """Training budget of the table in epochs; None takes the longest."""
    shown: float = 1.0
    """Show the accuracies of this random share of the architectures only; the others are not in the
    MDP."""
    shown_vertices: int | None = None
    """Show only the cells with at most so many vertices."""
    seed: int = 0
    """Root of all randomness."""
    evaluate_every: int = 20_000
    """Environment steps between evaluations, which also save."""
    evaluation_seeds: int = 100
    """Searches an evaluation; their look-ups are counted as training's."""
    evaluation_queries: tuple[int, ...] = QUERIES
    """Queries after which an evaluation's incumbents are told, ascending; each search makes as many
    as the last."""
    out: Path = Path("runs")
    """Folder of all runs."""
    learner: Annotated[Any, SETTINGS] = None
    """Settings of MDP, learning and network; None: the preset's."""

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Train:
        """The defaults that the agent, `--benchmark` and `--preset` in `options` ask for."""
        from rlnas.agents.learner import presets  # imports the learner, which may be heavy

        agent = options[0] if options and not options[0].startswith("-") else cls.agent
        words = [word for option in options for word in option.split("=", 1)]
        asked = dict(pairwise(words))
        known = presets(agent, bench.family_of(asked.get("--benchmark", cls.benchmark)))
        preset = asked.get("--preset", cls.preset)
        settings = known.get(preset, known["default"])
        choices: Any = Literal[tuple(known)]
        learner: Any = Annotated[type(settings), SETTINGS]
        with_choices = make_dataclass(
            cls.__name__,
            [("preset", choices, cls.preset), ("learner", learner, field(default=settings))],
            bases=(cls,),
            namespace={"__doc__": cls.__doc__},
            frozen=True,
        )
        made: Train = with_choices(agent=agent, preset=preset if preset in known else cls.preset)
        return made

    def run(self) -> None:
        """Train, evaluating and saving at intervals; print what came of it and where it lies."""
        from rlnas.analysis.training.loop import train
        from rlnas.analysis.training.text import summary

        self.check()
        benchmark = bench.load(self.benchmark, epochs=self.epochs, noise=self.noise)
        print(summary(train(self, benchmark)))

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        if not 0 < self.shown <= 1:
            raise UserError(f"--shown is {self.shown}; expected a share above 0, at most 1")
        if self.shown < 1 and self.shown_vertices is not None:
            raise UserError("--shown and --shown-vertices are both given; expected one of them")
        check_at_least(
            1, evaluate_every=self.evaluate_every, evaluation_seeds=self.evaluation_seeds
        )
        if not self.evaluation_queries or list(self.evaluation_queries) != sorted(
            {max(1, q) for q in self.evaluation_queries}
        ):
            found = " ".join(map(str, self.evaluation_queries))
            raise UserError(
                f"--evaluation-queries is {found!r}; expected ascending numbers of at least 1"
            )
        check_seed(self.seed)
        check_folder(self.out)
