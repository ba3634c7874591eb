"""How a comparison of several benchmarks is run and written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rlnas import bench
from rlnas.agents.spec import parse_all
from rlnas.analysis import store
from rlnas.analysis.comparison.blocks import Source
from rlnas.analysis.comparison.runs import SUMMARY
from rlnas.analysis.comparison.several.figure import figure
from rlnas.analysis.comparison.several.measures import summary, together
from rlnas.analysis.comparison.several.text import text
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.comparison.write import draw, folder_for, histories
from rlnas.analysis.outcome import finished
from rlnas.analysis.store import Run
from rlnas.analysis.style import REFERENCE, save
from rlnas.analysis.text import places
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once, quoted
from rlnas.bench.plugins import PluginError, left_out


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
    comparison into its folder, and all of them together into one. Plug-ins that fail are left out,
    an agent that fails on one benchmark of what is together, too; `PluginError` names them at the
    end."""
    if all(entry.name != REFERENCE for entry in parse_all(agents)):
        agents = (REFERENCE, *agents)
    if not benchmarks:
        raise UserError("no benchmark given; expected a name that `rlnas bench list` shows")
    failed: list[PluginError] = []
    opened = {}
    for name in benchmarks:
        with noted(failed):
            opened[name] = bench.load(name, epochs=epochs, noise=noise)
    hashes = {store.hash_of(found.describe()) for found in opened.values()}
    if len(hashes) < len(opened) or len(set(benchmarks)) < len(benchmarks):
        raise UserError(f"--benchmark {' '.join(benchmarks)} names one twice; give each once")
    found: list[list[Run]] = []
    alone: dict[str, Path] = {}
    for name, benchmark in opened.items():
        with noted(failed):
            source = Source(name, epochs, noise)
            of = compare(benchmark, agents, out=out, failed=failed, source=source, **options)
            alone[name] = folder_for(of, out, reference)
            draw(of, alone[name], reference)
            found.append(of)
    tell(found, alone, out, reference)
    left_out(failed)


def tell(
    found: Sequence[Sequence[Run]], alone: Mapping[str, Path], out: Path, reference: str
) -> None:
    """What is together: agents that were on all benchmarks, if there are several with chance."""
    labels = [{run.label for run in of} for of in found]
    everywhere = set.intersection(*labels) if labels else set()
    runs = [run for of in found for run in of if run.label in everywhere]
    if len(found) > 1 and any(run.manifest["agent"] == REFERENCE for run in runs):
        together_in = folder_for(runs, out, reference)
        write(runs, together_in, reference)
        finished(together_in)
    else:
        for folder in alone.values():
            finished(folder)
    for i, (name, folder) in enumerate(alone.items()):
        print(f"{'alone' if i == 0 else '':8} {quoted(folder)}  {name}")
    if found:
        histories([run for of in found for run in of])


@contextmanager
def noted(failed: list[PluginError]) -> Iterator[None]:
    """Within, a plug-in that fails is added to `failed`."""
    try:
        yield
    except PluginError as error:
        failed.append(error)


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
