"""`rlnas speed`: the hot paths, each beside a plain reference in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlnas.bench.bounds import RecordFile, Workers
from rlnas.bench.errors import UserError

SECTIONS = (
    "lookups", "mdp", "enumeration", "conversion", "search", "timed", "agent", "network", "trees",
    "fronts", "executor",
)  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """Measure the hot paths, each against a plain Python reference in the same run.

    Accuracies and the converted file are synthetic here: speed does not depend on them.

    Examples:
      rlnas speed
      rlnas speed --size small --only lookups mdp
    """

    size: Literal["small", "medium", "full"] = "full"
    """The space: cells with at most 5, 6 or 7 vertices (2,532, 64,542 or 423,624)."""
    only: tuple[str, ...] = ()
    """Sections to run (default: all but the last): lookups, mdp, enumeration, conversion, search,
    timed, agent, network, trees, fronts, executor (needs Ray, and takes minutes)."""
    cores: Workers = 2
    """Processor cores to use (Linux)."""
    json: RecordFile = None
    """Also write the record there."""

    def __post_init__(self) -> None:
        unknown = set(self.only) - set(SECTIONS)
        if unknown:
            raise UserError(
                f"unknown section {sorted(unknown)[0]!r}; expected {', '.join(SECTIONS)}"
            )
        if self.cores < 1:
            raise UserError(f"found --cores {self.cores}; expected at least 1")

    def run(self) -> None:
        """Every section in a process of its own, so that each peak memory is its own."""
        from rlnas.analysis.speed.table import run

        run(self.size, self.only or SECTIONS[:-1], self.cores, self.json)
