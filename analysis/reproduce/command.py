"""`rlnas reproduce`: what others have measured, measured again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rlnas.analysis.settings import check_at_least, check_folder
from rlnas.bench.bounds import Folder, Within
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once


@dataclass(frozen=True)
class Reproduce:
    """Run the agents under published protocols, and set those results beside ours.

    Numbers of NAS-Bench-201 and TransNAS-Bench-101 (made outside this project), of BANANAS' table
    and of arch2vec's curves on NAS-Bench-101. A benchmark, an agent or a package that is not here
    is named, with the reason, and the rest goes on. Runs are those of `rlnas compare`: kept in OUT,
    and reused.

    Examples:
      rlnas reproduce
      rlnas reproduce --only nb201-cifar100 --seeds 500
    """

    only: tuple[str, ...] = ()
    """Studies, by name; none: all of them."""

    seeds: Annotated[int, Within(2, 1_000_000, ", an interval needs them")] = 200
    """Runs of each agent."""

    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder reproduce-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for an option out of its range."""
        from rlnas.analysis.reproduce.studies import STUDIES

        names = [study.name for study in STUDIES]
        for name in self.only:
            if name not in names:
                raise UserError(f"no study {name!r}; expected some of {', '.join(names)}")
        check_at_least(2, ", an interval needs them", seeds=self.seeds)
        check_folder(self.out)

    def run(self) -> None:
        """Run what can be run, print a table a study, write figure and numbers."""
        from rlnas import bench
        from rlnas.analysis import store
        from rlnas.analysis.reproduce import text
        from rlnas.analysis.reproduce.figure import figure
        from rlnas.analysis.reproduce.measures import Reproduced, reproduce
        from rlnas.analysis.reproduce.studies import STUDIES
        from rlnas.analysis.style import save
        from rlnas.analysis.text import tell

        self.check()
        checked: list[tuple[Any, list[Reproduced]]] = []
        said: list[str] = []
        for study in STUDIES:
            if self.only and study.name not in self.only:
                continue
            try:
                there = bench.load(study.benchmark, noise=study.noise)
            except UserError as error:
                rows = [Reproduced(row, why="no benchmark") for row in study.rows]
                said.append(f"{study.name}: not checked: {error}")
            else:
                rows = reproduce(study, there, self.seeds, self.out)
                said.append(text.text(study, rows, self.seeds))
            checked.append((study, rows))
        said.append(text.total(checked))
        identity = {"studies": [study.name for study, _ in checked], "seeds": self.seeds}
        folder = store.folder_of(self.out, "reproduce", identity)
        paths: dict[str, Path] = {}
        path = folder / "numbers.csv"
        with at_once():
            if any(row.ours for _, rows in checked for row in rows):
                paths["figure"], paths[""] = save(figure(checked), folder)
            store.write_csv(path, [line for study, rows in checked for line in lines(study, rows)])
            tell("\n\n".join(said), folder, paths | {"numbers": path})


def lines(study: Any, rows: list[Any]) -> list[dict[str, Any]]:
    """A row of the CSV a point."""
    return [
        {
            "study": study.name, "agent": row.row.agent, "said": row.row.said, "unit": study.unit,
            "point": point, "measure": study.measure, "theirs": theirs,
            **{name: round(x, 4) for name, x in mine._asdict().items()}, "standard_errors": z,
        }
        for row in rows if row.ours
        for point, theirs, mine, z in zip(
            study.points, row.row.values, row.ours, row.errors, strict=True
        )
    ]  # fmt: skip
