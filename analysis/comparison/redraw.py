"""`rlnas plot`: the figure and the table again, from stored histories alone; and how every
comparison is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from rlnas.bench.errors import UserError

if TYPE_CHECKING:
    from rlnas.analysis.store import Run

SUMMARY = "summary.json"


@dataclass(frozen=True)
class Plot:
    """Draw the figure and the table of a comparison again, from its stored runs; nothing is
    searched.

    Runs can be mixed freely as long as benchmark, noise policy and budget agree.

    Examples:
      rlnas plot runs/compare-0123456789abcdef --out figures
      rlnas plot runs/0123456789abcdef runs/fedcba9876543210 --out figures
    """

    runs: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Run folders, or a `compare-...` folder for all of its runs."""

    out: Path = Path("figures")
    """The folder to write figure.png, figure.svg, table.csv and summary.json to."""


def run(config: Plot) -> None:
    """Load, check, write, and print the table and where it lies."""
    write(collect(config.runs), config.out)


def collect(folders: Sequence[Path]) -> list[Run]:
    """The runs of run folders and comparison folders, in order, each once. `UserError` names what
    is no run."""
    from rlnas.analysis import store

    if not folders:
        raise UserError(
            "no runs given; expected run folders, or a compare-... folder, as in `rlnas plot "
            "runs/*`"
        )
    runs: list[Run] = []
    for folder in folders:
        if (folder / SUMMARY).is_file():
            runs += comparison_runs(folder)
        elif folder.is_dir():
            runs.append(store.load(folder))
        else:
            raise UserError(f"no folder {folder}; expected a run folder, or a compare-... folder")
    return list({run.manifest["hash"]: run for run in runs}.values())


def comparison_runs(folder: Path) -> list[Run]:
    """The runs a comparison lists; they lie beside it."""
    from rlnas.analysis import store

    path = folder / SUMMARY
    try:
        listed = [
            (entry["hash"], entry["agent"])
            for entry in json.loads(path.read_text(encoding="utf-8"))["runs"]
        ]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise UserError(
            f"{path} is no summary of a comparison; give the run folders themselves"
        ) from None
    return [store.load(folder.parent / name, label) for name, label in listed]


def write(runs: Sequence[Run], folder: Path) -> None:
    """Figure, CSV and JSON into `folder`; the table and the paths onto stdout."""
    from rlnas.analysis import store
    from rlnas.analysis.comparison import figure as plots
    from rlnas.analysis.comparison import table as report
    from rlnas.analysis.style import save
    from rlnas.analysis.text import places

    report.check_comparable(runs)
    table = report.rows(runs)
    report.write_csv(folder / "table.csv", table)
    paths = save(plots.comparison(runs), folder)
    store.write_json(folder / SUMMARY, report.summary(runs, table))
    print(report.text(runs, table))
    print()
    files = {
        "figure": paths[0],
        "": paths[1],
        "table": folder / "table.csv",
        "summary": folder / SUMMARY,
    }
    print(places(files))
