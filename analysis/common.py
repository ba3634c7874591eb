"""Options that commands have in common: `--config FILE.toml` of all, `--name NAME` of those that
write a folder below `runs`. Light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rlnas.analysis.toml_settings import words_of
from rlnas.bench.errors import UserError
from rlnas.bench.files import expanded
from rlnas.bench.run_names import RUNS, valid_run_name


class Common(NamedTuple):
    """What was given; "" where nothing was."""

    config: str = ""
    name: str = ""


ABOUT = {
    "config": "--config FILE.toml: options from a file, as every result folder has one that "
    "repeats it (command.toml); what the command line says goes before it.",
    "name": "--name NAME: what the result is called beside its hash, wherever a run is asked for; "
    "`latest` is the last one.",
}


def common_options(command: type) -> tuple[str, ...]:
    """Which of them a command has."""
    out = getattr(command, "out", None)
    writes = isinstance(out, Path) and out.parts[:1] == RUNS.parts
    return ("config", "name") if writes else ("config",)


def taken(name: str, command: type, words: Sequence[str]) -> tuple[list[str], Common]:
    """The other words, those of a file among them, and what was given. `UserError`."""
    rest: list[str] = []
    given: dict[str, str] = {}
    known = common_options(command)
    iterator = iter(words)
    for word in iterator:
        option, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or option not in known:
            rest.append(word)
            continue
        if option in given:
            raise UserError(f"--{option} is given twice; expected once")
        given[option] = value if equals else next(iterator, "")
        if not given[option] or given[option].startswith("--"):
            raise UserError(f"--{option} is given nothing; expected {ABOUT[option].split(':')[0]}")
    if "name" in given:
        valid_run_name(given["name"])
    if "config" in given:
        path = Path(expanded(given["config"]))
        of_file = words_of(path, name, command, rest)
        leading = bool(rest) and not rest[0].startswith("--")
        rest = [*rest, *of_file] if leading else [*of_file, *rest]
    return rest, Common(**given)
