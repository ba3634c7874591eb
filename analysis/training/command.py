"""`rlnas train`: a learned agent, from nothing to a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rlnas import agents, bench
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.training.settings import QUICK, SETTINGS, TrainSettings
from rlnas.bench.errors import UserError
from rlnas.bench.options import asked
from rlnas.bench.plugins import blamed


@dataclass(frozen=True)
class Train(TrainSettings):
    """Train an agent that learns to search; on a benchmark it may look accuracies up in.

    Writes OUT/train-<hash>/: the best checkpoint (chosen by validation accuracy alone), the
    learning curve as CSV and picture, and, until it is done, the state that an interrupted training
    goes on from, kill -9 included. Then search with it: `rlnas compare --agents random_search
    AGENT:FOLDER`.

    Protocols: train on the table that is searched later (amortised, the paper's setting); on a part
    of it (`--shown`, with `--shown-region` or without, `--shown-vertices`: split); on another
    table, budget or repeat (transfer).
    Without any training (cold), the agent's name alone in `rlnas compare` learns inside its budget.

    `--seeds 5` makes five, of this and the next seeds, each to the bytes of `--seed` alone; what is
    done is left as it is. --workers and --executor ray say how many at once, and where; --name N
    names them N-0 to N-4.

    Examples:
      rlnas train
      rlnas train --seeds 5
      rlnas train --preset smoke
      rlnas train --shown 0.25 --alpha 8 --neighbours 10
      rlnas train --shown 0.5 --shown-region
      rlnas train --epochs 5 --noise repeat=0
      rlnas train --benchmark nb301-yahpo
      rlnas train incontext
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Train:
        """The defaults that the agent, `--benchmark` and `--preset` in `options` ask for."""
        from rlnas.agents.learner import (  # imports the learner, which may be heavy
            learner_class,
            presets,
        )

        agent = options[0] if options and not options[0].startswith("-") else cls.agent
        given = asked(options)
        preset = given.get("--preset", cls.preset)
        learner = learner_class(agent)
        usual = getattr(learner, "usual", {}) | getattr(learner, "quick", {}).get(preset, {})
        benchmark = usual.get("benchmark", cls.benchmark)
        known = presets(agent, bench.family_of(given.get("--benchmark", benchmark)))
        settings = known.get(preset, known["default"])
        if taken := {f.name for f in fields(cls)} & {f.name for f in fields(settings)}:
            raise UserError(
                f"agent {agent} has settings of the same names as `rlnas train`: "
                f"{', '.join(sorted(taken))}; give them others"
            )
        choices: Any = Literal[tuple(known)]
        described: Any = Annotated[type(settings), SETTINGS]
        with_choices = make_dataclass(
            cls.__name__,
            [
                ("preset", choices, cls.preset),
                *((name, type(value), value) for name, value in usual.items()),
                ("learner", described, field(default=settings)),
            ],
            bases=(cls,),
            namespace={"__doc__": cls.__doc__},
            frozen=True,
        )
        preset = preset if preset in known else cls.preset
        made: Train = with_choices(agent=agent, preset=preset, **QUICK.get(preset, {}))
        return made

    def run(self) -> None:
        """Train, evaluating and saving at intervals; print what came of it and where it lies."""
        from rlnas.analysis.outcome import finished
        from rlnas.analysis.trackers import named
        from rlnas.analysis.training.several import train_several
        from rlnas.analysis.training.text import summary, summary_of

        self.check()
        trackers = named(self.log)
        benchmark = bench.load(self.benchmark, epochs=self.epochs, noise=self.noise)
        check_rehearsal(benchmark, self.rehearsal)

        def made(alone: TrainSettings, folder: Path) -> None:
            finished(folder, alone, "" if self.seeds == 1 else f"-{alone.seed}")

        with blamed(f"agent {self.agent}", agents.config(self.agent)):
            folders, failures = train_several(self, benchmark, trackers, made)
        if folders:
            print(summary(folders[0]) if self.seeds == 1 else summary_of(folders))
        if failures:
            raise UserError(
                f"{len(failures)} of {self.seeds} trainings failed, first {failures[0]}; the same "
                "command goes on with them"
            )
