"""How a comparison of several benchmarks is run and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.agents.spec import parse_all
from rlnas.analysis import store
from rlnas.analysis.comparison.runs import SUMMARY
from rlnas.analysis.comparison.several.figure import figure
from rlnas.analysis.comparison.several.measures import summary, together
from rlnas.analysis.comparison.several.text import text
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.comparison.write import draw, folder_for, histories
from rlnas.analysis.store import Run
from rlnas.analysis.style import REFERENCE, save
from rlnas.analysis.text import places
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once, quoted


def run_several(
    benchmarks: Sequence[str],
    agents: Sequence[str],
    *,
    noise: str,
    epochs: int | None,
    out: Path,
    reference: str,
    **options: Any,
) -> None:
    """Each benchmark as `compare` runs it, and random search on all, since scores begin there; each
    comparison into its folder, and all of them together into one."""
    if all(entry.name != REFERENCE for entry in parse_all(agents)):
        agents = (REFERENCE, *agents)
    if not benchmarks:
        raise UserError("no benchmark given; expected a name that `rlnas bench list` shows")
    opened = {name: bench.load(name, epochs=epochs, noise=noise) for name in benchmarks}
    if len({store.hash_of(found.describe()) for found in opened.values()}) < len(benchmarks):
        raise UserError(f"--benchmark {' '.join(benchmarks)} names one twice; give each once")
    runs: list[Run] = []
    alone: dict[str, Path] = {}
    for name, found in opened.items():
        of = compare(found, agents, out=out, **options)
        alone[name] = folder_for(of, out, reference)
        draw(of, alone[name], reference)
        runs += of
    write(runs, folder_for(runs, out, reference), reference)
    for i, (name, folder) in enumerate(alone.items()):
        print(f"{'alone' if i == 0 else '':8} {quoted(folder)}  {name}")
    histories(runs)


@at_once()
def write(runs: Sequence[Run], folder: Path, reference: str = "") -> None:
    """Figure, CSV and JSON into `folder`; the table and the paths onto stdout. reference: as
    `measure` takes it."""
    several = together(runs, reference)
    store.write_csv(folder / "table.csv", several.rows)
    png, svg = save(figure(several), folder)
    store.write_json(folder / SUMMARY, summary(several))
    files = {"figure": png, "": svg, "table": folder / "table.csv", "summary": folder / SUMMARY}
    print(f"{text(several)}\n\n{places(files)}")
