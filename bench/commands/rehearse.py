"""`rlnas bench rehearse`."""

from __future__ import annotations

from dataclasses import dataclass

from tyro.conf import Positional

from rlnas.bench.bounds import TableFile, Vertices


@dataclass(frozen=True)
class Rehearse:
    """Predict every cell of the space from a partial table: to rehearse training and search at full
    size.

    The new table is no benchmark, and says so: cells of the partial table keep their values, all
    other ones are a regressor's (gradient boosting on the encoding), fitted to nine tenths of them;
    the last tenth tells how far it can be believed. Columns of costs are left out. Commands search
    it with `--rehearsal` only. Needs the extra `retrain` (scikit-learn).
    """

    table: Positional[str]
    """The table of NAS-Bench-101 cells to learn from, by name or path."""
    max_vertices: Vertices = 7
    """Predict all cells with at most so many vertices."""
    out: TableFile = None
    """Where to write it; default: the cache folder, under the name TABLE-rehearsal."""

    def run(self) -> None:
        from rlnas.bench.nb101.rehearsal import rehearse
        from rlnas.bench.progress import bar

        with bar("rehearse", 1, unit="table") as shown:
            said = rehearse(self.table, self.max_vertices, self.out)
            shown.update()
        print(said)
