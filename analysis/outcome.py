"""What every result folder gets when it is done: the file that repeats the command, and a name."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from rlnas.analysis.toml_settings import to_toml
from rlnas.bench.files import atomic_path, is_file, quoted
from rlnas.bench.run_names import named, remember

COMMAND = "command.toml"


class Asked(NamedTuple):
    """A command that is under way. settings: an instance of its class. name: of `--name`."""

    command: str
    settings: Any
    name: str = ""


_ASKED: ContextVar[Asked | None] = ContextVar("asked", default=None)


@contextmanager
def under_way(asked: Asked) -> Iterator[None]:
    """Within, folders that are `finished` are this command's."""
    token = _ASKED.set(asked)
    try:
        yield
    finally:
        _ASKED.reset(token)


def finished(folder: Path, settings: Any = None, suffix: str = "") -> None:
    """Every command says so of the folder with its result. Nothing happens in Python, where there
    is no command that could be repeated. settings, suffix: of a command with several results, those
    that make this one alone, and what is put behind its name."""
    if (asked := _ASKED.get()) is None:
        return
    asked = asked._replace(
        settings=asked.settings if settings is None else settings,
        name=asked.name and asked.name + suffix,
    )
    path, text = folder / COMMAND, to_toml(asked.command, asked.settings)
    if not is_file(path) or path.read_bytes() != text.encode():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    before = named(folder.parent, asked.name) if asked.name else None
    if before and before.name != folder.name:
        print(f"rlnas: {asked.name} was the name of {quoted(before)}", file=sys.stderr)
    remember(folder, asked.name)
