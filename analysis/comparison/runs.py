"""Stored runs that are looked at together: where they lie, and whether they can be compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.analysis.store import Run
from rlnas.bench.checks import Each, Fields, Text, check
from rlnas.bench.errors import UserError
from rlnas.bench.reading import read_json
from rlnas.bench.run_names import run_folder

SUMMARY = "summary.json"
HOW = "give the run folders themselves, or compare again"
ENTRY = Fields({"hash": Text(form=r"[0-9a-f]{16}-\d+x\d+"), "agent": Text()})
SUMMARY_RULES = Fields({"runs": Each(ENTRY)}, {"reference": Text(null=True)})


def collect(folders: Sequence[Path]) -> list[Run]:
    """The runs of run folders and comparison folders, in order, each once. `UserError` names what
    is no run."""
    if not folders:
        raise UserError(
            "no runs given; expected run folders, or a compare-... folder, as in `rlnas plot "
            "runs/*`"
        )
    runs: list[Run] = []
    for folder in map(run_folder, folders):
        if (folder / SUMMARY).is_file():
            runs += comparison_runs(folder)
        elif folder.is_dir():
            runs.append(store.load(folder))
        else:
            raise UserError(f"no folder {folder}; expected a run folder, or a compare-... folder")
    return list({run.manifest["hash"]: run for run in runs}.values())


def comparison_runs(folder: Path) -> list[Run]:
    """The runs a comparison lists; they lie beside it."""
    listed = [(entry["hash"], entry["agent"]) for entry in summary_in(folder)["runs"]]
    return [store.load(folder.parent / name, label) for name, label in listed]


def summary_in(folder: Path) -> dict[str, Any]:
    """What a comparison, of one benchmark or several, says of itself; `UserError` where there is
    none, or a damaged one."""
    path = folder / SUMMARY
    return dict(check(read_json(path, hint=HOW), SUMMARY_RULES, path, HOW))


def is_of_several(folder: Path) -> bool:
    """Whether a comparison of several benchmarks lies there."""
    try:
        return "benchmarks" in summary_in(folder)
    except UserError:
        return False


def reference_in(folder: Path) -> str:
    """The reference of a comparison, for drawing it again; "" where it had none."""
    return summary_in(folder).get("reference") or ""


def check_comparable(runs: Sequence[Run]) -> None:
    """`UserError` unless all runs are of one benchmark, noise policy and budget, with at least two
    seeds each."""
    if not runs:
        raise UserError(
            "no runs given; expected run folders, or a folder written by `rlnas compare`"
        )
    first = runs[0]
    for run in runs[1:]:
        for what, a, b in differences(first, run):
            raise UserError(
                f"these runs cannot be compared: {what} is {a} in {first.folder} but {b} in "
                f"{run.folder}; "
                "give runs that share benchmark, noise policy and budget"
            )
    for run in runs:
        if run.manifest["seeds"] < 2:
            raise UserError(
                f"{run.folder} has one seed, and an interval needs at least 2; run more seeds"
            )


def differences(a: Run, b: Run) -> list[tuple[str, Any, Any]]:
    """What the grounds of two runs disagree in: (what, in a, in b)."""
    facts_a, facts_b = (
        {"budget": run.manifest["budget"]} | run.manifest["benchmark"] for run in (a, b)
    )
    names = ["name", "noise", "epochs", *sorted({*facts_a, *facts_b} - {"name", "noise", "epochs"})]
    apart = [(n, facts_a.get(n), facts_b.get(n)) for n in names if facts_a.get(n) != facts_b.get(n)]
    return [("the benchmark" if n == "name" else n, x, y) for n, x, y in apart]


def by_ground(runs: Sequence[Run], name: Callable[[Run], str]) -> dict[str, list[Run]]:
    """The runs of each benchmark, noise policy and budget, in order, by its name; where names are
    the same, with a few digits."""
    grounds: dict[str, list[Run]] = {}
    for run in runs:
        grounds.setdefault(ground_of(run), []).append(run)
    names = [name(of[0]) for of in grounds.values()]
    return {
        name if names.count(name) == 1 else f"{name}-{ground[:6]}": of
        for name, (ground, of) in zip(names, grounds.items(), strict=True)
    }


def ground_of(run: Run) -> str:
    """Equal for runs that can stand in one figure: of one benchmark, noise policy and budget."""
    return store.hash_of([run.manifest["budget"], run.manifest["benchmark"]])


def folder_name(run: Run) -> str:
    """Of a folder for its ground, e.g. `nb101-digits-150-queries`."""
    about = run.manifest["benchmark"]
    noise = "" if about.get("noise") in (None, "mean") else f"{about['noise']}-"
    name = f"{about.get('name')}-{noise}{run.manifest['budget']}-queries"
    return re.sub(r"[^\w.=-]+", "-", name)
