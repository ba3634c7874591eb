"""`rlnas bench info`."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from rlnas.bench.commands.text import aligned
from rlnas.bench.family import family_of


@dataclass(frozen=True)
class Info:
    """Print what a table holds, its best cells' accuracies and its own noise; or what is known of
    another benchmark."""

    benchmark: Positional[str]
    """A name that `rlnas bench list` shows, or the path of a table or surrogate."""

    def run(self) -> None:
        print(aligned(family_of(self.benchmark).facts(self.benchmark)))
