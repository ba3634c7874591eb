"""`rlnas runs`: what lies below a folder of runs, and how to be rid of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from rlnas.bench.bounds import Within
from rlnas.bench.run_names import RUNS


@dataclass(frozen=True)
class Runs:
    """List what lies below a folder of runs: the command, what came of it, when, its size, its
    names, and whether it is done.

    `rlnas runs show` says all about one, `rlnas runs rm` removes some, `rlnas runs clean` what was
    left half done. A name is given by `--name`; `latest` is the last result.

    Examples:
      rlnas compare --budget 50 --name short
      rlnas runs
      rlnas runs show short
      rlnas runs elsewhere --all
    """

    folder: Positional[Path] = RUNS
    """Where they lie."""
    all: bool = False
    """The runs that comparisons are made of, too, and what other results are made of."""

    def run(self) -> None:
        from rlnas.analysis.runs.text import listed

        print(listed(self.folder, self.all))


@dataclass(frozen=True)
class ShowRun:
    """Say all about a result: what it is, its files, and the command that repeats it."""

    name: Positional[Path]
    """A folder, its name, a name that it was given, or `latest`."""

    def run(self) -> None:
        from rlnas.analysis.runs.text import told

        print(told(self.name))


@dataclass(frozen=True)
class Remove:
    """Remove results. A run that a comparison is made of stays, unless the comparison goes, too."""

    names: Positional[tuple[Path, ...]]
    """Folders, their names, or names that they were given."""

    def run(self) -> None:
        from rlnas.analysis.runs.remove import remove

        remove(self.names)


@dataclass(frozen=True)
class Clean:
    """Remove what was left half done, and has not been written to for a while; with --yes. Without
    it, say what would go.

    The same command would go on with it: nothing is lost but what was computed.
    """

    folder: Positional[Path] = RUNS
    """Where the runs lie."""
    yes: bool = False
    """Remove them."""
    hours: Annotated[float, Within(0, 100_000)] = 1.0
    """Leave what was written to in the last hours: some process may be at work on it."""

    def run(self) -> None:
        from rlnas.analysis.runs.remove import clean

        clean(self.folder, self.yes, self.hours)
