"""Removing runs: a folder goes whole, and its names with it."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rlnas.analysis.runs.data import Result, result_of, results, users_of
from rlnas.analysis.runs.text import size_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.run_names import forget


def remove(words: Sequence[Path]) -> None:
    """All of them, or none: `UserError` for what is no run, or is needed by what stays."""
    if not words:
        raise UserError("no runs given; expected folders, or names that `rlnas runs` lists")
    found = {result.folder.resolve(): result for result in map(result_of, words)}
    for result in found.values():
        staying = [user for user in users_of(result) if user.resolve() not in found]
        if staying:
            raise UserError(
                f"{quoted(result.folder)} is a part of {quoted(staying[0])}; remove that, too, or "
                "neither"
            )
    for result in found.values():
        gone(result)


def clean(out: Path, yes: bool, hours: float) -> None:
    """What is half done."""
    half = [result for result in results(out) if not result.done]
    recent = [result for result in half if result.changed > time.time() - 3600 * hours]
    old = [result for result in half if result not in recent]
    if recent:
        names = " ".join(quoted(result.folder) for result in recent)
        print(f"rlnas: left: {names} (written to in the last {hours:g} hours)", file=sys.stderr)
    if not old:
        return print("nothing half done")
    for result in old:
        if yes:
            gone(result)
        else:
            print(f"{quoted(result.folder)}  {size_of(result.size)}  {result.what}".rstrip())
    if not yes:
        print("nothing is removed; --yes removes them")
    return None


def gone(result: Result) -> None:
    """Out of sight at once, so that nothing half is left where runs are looked for."""
    hidden = result.folder.with_name(f".removed-{result.folder.name}")
    if hidden.exists():
        shutil.rmtree(hidden)
    forget(result.folder)
    result.folder.rename(hidden)
    shutil.rmtree(hidden)
    print(f"removed {quoted(result.folder)}  {size_of(result.size)}")
