"""The agent that reads the answers: a policy over candidates that is trained on invented tables and
searches any benchmark, at no look-up before the search. See `rlnas.agents.incontext_learner`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from rlnas.agents.incontext_learner import InContextLearner
from rlnas.agents.incontext_search import search
from rlnas.agents.prior import Known, resolve
from rlnas.agents.protocol import Agent
from rlnas.agents.trained import Trained
from rlnas.bench.benchmark import SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.files import embedded_dir


class Informed(NamedTuple):
    """What a search with a prior is compiled with: the policy's parameters, and the sources'."""

    params: Any
    known: Known


@dataclass(frozen=True)
class InContext(Trained):
    """`incontext[:CHECKPOINT][,option=value...]`: search with the policy that `rlnas train
    incontext` trained on invented tables; without a checkpoint, with the one that is shipped."""

    learner: ClassVar[type[InContextLearner]] = InContextLearner

    prior: str = ""
    """What is known of the space beforehand: benchmarks over the same architectures, or folders of
    blind trainings, with a comma between. Their look-ups are counted as those of a training."""
    budget: int = 0
    """Queries that it plans for; 0: as in training. It may be asked more."""
    fresh: int = 0
    """Uniform draws among the candidates; 0: as in training."""
    parents: int = 0
    """The best so many are those whose neighbours are candidates; 0: as in training."""
    points: int = 160
    """Answers that its processes have room for. Where they are full, the latest quarter and the
    best of the others stay, a half in all."""
    memory: int = 512
    """Latest queries remembered, so that none of them is asked again."""

    def __post_init__(self) -> None:
        for name, least in {
            "budget": 0,
            "fresh": 0,
            "parents": 0,
            "points": 32,
            "memory": 32,
        }.items():
            if (value := getattr(self, name)) < least:
                raise UserError(f"incontext has {name}={value}; expected at least {least}")
        if not self.checkpoint:
            object.__setattr__(self, "checkpoint", str(embedded_dir() / "incontext"))

    def identity(self) -> dict[str, Any]:
        """The options, the checkpoint's sha256, and the sources'."""
        sources = {"sources": resolve(self.prior).identity} if self.prior else {}
        return super().identity() | sources

    def parts(self) -> tuple[Any, Any]:
        program, params = super().parts()
        if not self.prior:
            return program, params
        bare = replace(program, agent=replace(program.agent, prior=""))
        return bare, Informed(params, resolve(self.prior).known)

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """Of the policy no look-up; of the sources, all that they know."""
        found = super().pretraining
        if found is None or not self.prior:
            return found
        known = resolve(self.prior).pretraining
        on = f"{found['trained_on']}, and knows {known['trained_on']}"
        return found | {"lookups": found["lookups"] + known["lookups"], "trained_on": on}

    def search(self, space: SearchSpace, settings: Any, params: Any) -> Agent:
        known = resolve(self.prior).known if self.prior else None
        if isinstance(params, Informed):
            params, known = params
        changes = {name: getattr(self, name) for name in ("fresh", "parents")}
        settings = replace(settings, **{name: value for name, value in changes.items() if value})
        return search(
            settings, space, params, budget=self.budget or settings.horizon, points=self.points,
            latest=self.memory, known=known,
        )  # fmt: skip
