"""Of all the folders that are given, what can be drawn; and what cannot, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis import store
from rlnas.analysis.comparison.runs import (
    SUMMARY,
    by_ground,
    comparison_runs,
    folder_name,
    ground_of,
    is_of_several,
)
from rlnas.analysis.comparison.several.write import write as write_several
from rlnas.analysis.comparison.write import write
from rlnas.analysis.folders import DRAWN_BY, PARTS, REPORTED, Left, kind_of, tell
from rlnas.analysis.seconds import write as seconds
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.run_names import run_folder


def plot(folders: Sequence[Path], out: Path, reference: str = "") -> None:
    """Figure and table of the runs in run folders and comparisons; into `out`, or a folder of it
    for each benchmark, noise policy and budget, where there are several; a comparison of several
    benchmarks alone, and those whose queries may be at any fidelity, as they were. reference: as
    `measure` takes it. What is left is told on stderr; `UserError` when all of it is."""
    folders = [*map(run_folder, folders)]
    if len(folders) == 1 and is_of_several(folders[0]):
        return write_several(comparison_runs(folders[0]), out, reference)
    if not folders:
        raise UserError(
            "no runs given; expected run folders, or a compare-... folder, as in `rlnas plot "
            "runs/*`"
        )
    again = [folder for folder in folders if (folder / seconds.SUMMARY).is_file()]
    done, left = redrawn(again, out, reference, alone=len(folders) == 1)
    runs, others = gather([folder for folder in folders if folder not in again])
    drawn, more = once(runs)
    left += others + more
    if not drawn and done:
        return tell(left)
    if not drawn:
        if len(left) == 1:
            raise UserError(left[0].why)
        tell(left)
        raise UserError(
            f"nothing to draw in {len(folders)} folders; expected run folders, or a compare-... one"
        )
    grounds = by_ground(drawn, folder_name)
    for i, (name, of) in enumerate(grounds.items()):
        if len(grounds) == 1:
            write(of, out, reference)
            continue
        print(f"{'' if i == done == 0 else chr(10)}{name}")
        write(of, out / name, reference)
    tell(left)


def redrawn(
    folders: Sequence[Path], out: Path, reference: str, alone: bool
) -> tuple[int, list[Left]]:
    """(how many comparisons by seconds, or by queries at any fidelity, were drawn; what was not).
    alone: whether into `out` itself."""
    done, left = 0, []
    for folder in folders:
        try:
            if not alone:
                print(f"{chr(10) if done else ''}{folder.name}")
            seconds.redraw(folder, out if alone else out / folder.name, reference)
            done += 1
        except UserError as error:
            left.append(Left(folder, str(error)))
    return done, left


def gather(folders: Sequence[Path]) -> tuple[list[Run], list[Left]]:
    """The runs in run folders and comparisons, in order, each once; and what has none."""
    runs: list[Run] = []
    left: list[Left] = []
    for folder in folders:
        try:
            if (folder / SUMMARY).is_file():
                runs += comparison_runs(folder)
            elif folder.is_dir():
                runs.append(store.load(folder))
            else:
                raise UserError(
                    f"no folder {quoted(folder)}; expected a run folder, or a compare-... folder"
                )
        except UserError as error:
            kind, why = kind_of(folder), str(error)
            if kind in REPORTED:
                why = f"{REPORTED[kind]}: `rlnas report` draws or says them again"
            if kind in DRAWN_BY:
                why = (
                    f"{REPORTED[kind]}: the same `rlnas {DRAWN_BY[kind]}` again draws them, from "
                    "its stored runs; `rlnas report` says them again"
                )
            left.append(Left(folder, PARTS.get(kind, why)))
    return list({run.manifest["hash"]: run for run in runs}.values()), left


def once(runs: Sequence[Run]) -> tuple[list[Run], list[Left]]:
    """Each agent once on a ground, in order: with most seeds, then the newest; what is left."""
    best: dict[str, Run] = {}
    left: list[Left] = []
    for run in sorted(runs, key=lambda r: (r.manifest["seeds"], r.manifest["created"]))[::-1]:
        if run.manifest["seeds"] < 2:
            left.append(Left(run.folder, "one seed, and an interval needs at least 2"))
            continue
        ground, manifest = ground_of(run), run.manifest
        agent = store.hash_of([ground, manifest["agent"], manifest["config"]])
        label = agent if manifest["pretraining"] else store.hash_of([ground, run.label])
        if taken := best.get(agent) or best.get(label):
            left.append(Left(run.folder, f"{run.label} is drawn from {quoted(taken.folder)}"))
            continue
        best[agent] = best[label] = run
    drawn = {run.manifest["hash"] for run in best.values()}
    return [run for run in runs if run.manifest["hash"] in drawn], left
