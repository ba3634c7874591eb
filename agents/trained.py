"""A trained agent as a word of a comparison, `NAME:FOLDER,option=value,...`, whatever it is; with a
pattern for the folder, all trainings that it finds."""

from __future__ import annotations

import glob
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import jax
import numpy as np
from flax.errors import FlaxError

from rlnas.agents.checkpoint import FACTS, Checkpoint
from rlnas.agents.learner import Incremental
from rlnas.agents.protocol import Agent
from rlnas.agents.spec import NO_OPTION, folder_and_options, options
from rlnas.bench.benchmark import SearchSpace, numbers_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted

FINISHED = "manifest.json"
"""What `rlnas train` writes last."""


@dataclass(frozen=True)
class Trained:
    """Search with what `rlnas train` left in a folder. A learner's agent is registered as a class
    derived from this one that names its `learner`."""

    learner: ClassVar[type[Any]]
    """The settings of its training, a `Learner`."""

    checkpoint: str = field(default="", metadata=NO_OPTION)
    """Folder of a training (`rlnas train`); empty: nothing is trained before, protocol `cold`."""
    sha256: str = field(default="", metadata=NO_OPTION)
    """Of the checkpoint, filled in: what the run's identity depends on."""

    @classmethod
    def from_spec(cls, text: str) -> Any:
        """Of `FOLDER,option=value,...`, either part optional."""
        path, rest = folder_and_options(text)
        config = cls(checkpoint=path, **options(cls, rest))
        return replace(config, sha256=config.saved().sha256) if path else config

    @classmethod
    def texts(cls, text: str) -> list[str]:
        """Of a pattern such as `runs/train-*`, with options or without: those of each finished
        training of this agent, other folders left out. `UserError` where there is none."""
        pattern, rest = folder_and_options(text)
        if not glob.has_magic(pattern) or Path(pattern).is_dir():
            return [text]
        found = [
            ",".join(filter(None, [folder, rest]))
            for folder in sorted(glob.glob(pattern))
            if all((Path(folder) / name).is_file() for name in (FACTS, FINISHED))
            and type(Checkpoint.load(Path(folder)).settings) is cls.learner
        ]
        if not found:
            raise UserError(
                f"no folder {pattern} has a finished training of this agent; expected a pattern "
                "for some, e.g. runs/train-*"
            )
        return found

    def saved(self) -> Checkpoint:
        """What lies in the folder; `UserError` where that is another agent's, or no longer what it
        was."""
        found = Checkpoint.load(Path(self.checkpoint))
        if type(found.settings) is not self.learner:
            raise UserError(
                f"the checkpoint in {self.checkpoint} is one of {found.agent}; expected "
                f"{quoted(f'{found.agent}:{self.checkpoint}')}"
            )
        if self.sha256 not in ("", found.sha256):
            raise UserError(
                f"the checkpoint in {self.checkpoint} is another one now (sha256 "
                f"{found.sha256[:12]}..., expected {self.sha256[:12]}...); run the same command "
                "again, after its training"
            )
        return found

    def identity(self) -> dict[str, Any]:
        """The options, and the checkpoint's sha256, wherever it lies."""
        found = asdict(self) | {"sha256": self.saved().sha256 if self.checkpoint else ""}
        del found["checkpoint"]
        return found

    def parts(self) -> tuple[Any, Any]:
        """The options with the settings of the training, and the parameters."""
        if not self.checkpoint:
            return self, None
        saved = self.saved()
        return Program(replace(self, checkpoint="", sha256=""), saved.settings), saved.params

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """What was looked up before the search, and on what; None where nothing was."""
        if not self.checkpoint:
            return None
        return self.saved().pretraining | {"checkpoint": self.checkpoint}

    def unseen(self, benchmark: Any, archs: np.ndarray) -> np.ndarray | None:
        """Which architectures (of `benchmark`, any leading shape) training never looked up; None
        where that is unknown."""
        seen = self.saved().seen if self.checkpoint else None
        space = benchmark.space
        numbers = numbers_of(space)
        if seen is None or numbers is None:
            return None
        flat = archs.reshape(-1, *space.arch_shape)
        shape = archs.shape[: archs.ndim - len(space.arch_shape)]
        return ~np.isin(numbers[np.asarray(jax.vmap(space.index)(flat))], seen).reshape(shape)

    def build(self, space: SearchSpace) -> Agent:
        """The agent with the checkpoint's parameters."""
        saved = self.saved() if self.checkpoint else None
        return self.search(space, saved and saved.settings, saved and saved.params)

    def search(self, space: SearchSpace, settings: Any, params: Any) -> Agent:
        """The greedy search of a `Learner` with `params`, which may be traced; None, both, without
        a checkpoint."""
        if settings is None:
            raise UserError("found no checkpoint; expected NAME:FOLDER of a training")
        check_fits(settings, space, params)
        agent: Agent = settings.agent(space, params)
        return agent


def check_fits(settings: Any, space: SearchSpace, params: Any) -> None:
    """`UserError` for parameters that cannot read this space, as they were trained on another."""
    if not isinstance(settings, Incremental):
        return
    learner: Any = settings  # a `Learner`, too
    view = learner.blank_view(space)
    try:
        jax.eval_shape(lambda params: learner.score(space, params, view), params)
    except (FlaxError, TypeError) as error:
        raise UserError(
            "the checkpoint was trained on architectures encoded otherwise than this benchmark's, "
            f"which have {space.num_features} features; search a benchmark over the space that it "
            "was trained on, or train on this one"
        ) from error


@dataclass(frozen=True)
class Program:
    """What is compiled of a trained agent: its options, and how it was trained."""

    agent: Trained
    settings: Any

    def build(self, space: SearchSpace, params: Any) -> Agent:
        return self.agent.search(space, self.settings, params)
