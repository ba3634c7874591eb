"""What is known of an architecture besides its accuracy, declared. Light."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

MOST_OBJECTIVES = 8
"""Accuracy among them: agents that read them have places for so many."""


@dataclass(frozen=True)
class Objective:
    """One number of an architecture. unit: "" for a count. about: of what, for captions."""

    name: str
    unit: str = ""
    direction: Literal["min", "max"] = "min"
    about: str = ""

    @property
    def title(self) -> str:
        """With its unit, as axes and tables name it."""
        return f"{self.name} ({self.unit})" if self.unit else self.name

    @property
    def sign(self) -> float:
        """What values are multiplied by, so that less is better."""
        return 1.0 if self.direction == "min" else -1.0


ACCURACY = Objective("accuracy", "fraction", "max", "validation accuracy, as queries answer it")
PARAMS = Objective("params", about="trainable parameters")
FLOPS = Objective("flops", about="operations for one image")
SECONDS = Objective("seconds", "s", about="of one training")
ALIASES = {"parameters": "params", "trainable_params": "params", "time": "seconds"}


@dataclass(frozen=True)
class Range:
    """The smallest and the largest value in the space, in the objective's own direction."""

    low: float
    high: float


def canonical(name: str) -> str:
    """Our name for an objective, by any of its names."""
    return ALIASES.get(name, name)


@dataclass(frozen=True)
class Column:
    """A column of costs with what it is, as tables hold it."""

    objective: Objective
    values: np.ndarray = field(compare=False)
