"""Runs for a terminal."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

from rlnas.analysis.outcome import COMMAND
from rlnas.analysis.runs.data import files_in, result_of, results, users_of
from rlnas.analysis.text import aligned
from rlnas.bench.files import quoted
from rlnas.bench.names import visible


def size_of(count: int) -> str:
    """Bytes with a unit."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def listed(out: Path, everything: bool) -> str:
    """A line a result, the newest first."""
    found = results(out)
    shown = [result for result in found if everything or not result.part or not result.done]
    hidden = len(found) - len(shown)
    more = f"{hidden} runs that these are made of: --all lists them" if hidden else ""
    if not shown:
        return more or f"nothing in {quoted(out)}: `rlnas compare` is a beginning"
    lines = [
        [
            visible(result.folder.name),
            " ".join(result.names) or "-",
            result.kind,
            result.when,
            size_of(result.size),
            "done" if result.done else "half",
            result.what,
        ]
        for result in shown
    ]
    table = aligned([["folder", "name", "command", "when (UTC)", "size", "", "what"], *lines], {4})
    return "\n".join([table, *([more] if more else [])])


def told(word: Path) -> str:
    """All about one."""
    result = result_of(word)
    lines = [
        ["folder", quoted(result.folder)],
        ["names", " ".join(result.names) or "-"],
        ["command", result.kind],
        ["what", result.what or "-"],
        ["when", f"{result.when} UTC"],
        ["size", size_of(result.size)],
        ["done", "yes" if result.done else "no: the same command again goes on with it"],
    ]
    if users := users_of(result):
        lines.append(["part of", " ".join(map(quoted, users))])
    if (result.folder / COMMAND).is_file():
        lines.append(["repeat", repeated(result.folder / COMMAND)])
    for i, file in enumerate(files_in(result.folder)):
        name = file.path.relative_to(result.folder)
        lines.append(["" if i else "files", f"{name}  {size_of(file.size)}"])
    return "\n".join(f"{name:8} {value}".rstrip() for name, value in lines)


def repeated(path: Path) -> str:
    """The command line that repeats a result."""
    try:
        command = tomllib.loads(path.read_text(encoding="utf-8"))["command"]
    except (OSError, KeyError, ValueError):
        return f"{quoted(path)} cannot be read"
    words = ["rlnas", *str(command).split()]
    return f"{shlex.join(words)} --config {quoted(path)}"
