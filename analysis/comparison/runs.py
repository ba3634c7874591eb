"""Stored runs that are looked at together: where they lie, and whether they can be compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlnas.analysis import store
from rlnas.analysis.store import Run
from rlnas.bench.errors import UserError

SUMMARY = "summary.json"


def collect(folders: Sequence[Path]) -> list[Run]:
    """The runs of run folders and comparison folders, in order, each once. `UserError` names what
    is no run."""
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


def reference_in(folder: Path) -> str:
    """The reference of a comparison, for drawing it again; "" where it had none."""
    found = json.loads((folder / SUMMARY).read_text(encoding="utf-8")).get("reference")
    return found or ""


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
    found = [(n, facts_a.get(n), facts_b.get(n)) for n in names if facts_a.get(n) != facts_b.get(n)]
    return [("the benchmark" if n == "name" else n, x, y) for n, x, y in found]
