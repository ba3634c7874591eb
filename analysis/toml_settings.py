"""Settings as TOML, and back to the words of a command line: `--config FILE.toml`. Light."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

from tyro.conf import Positional

from rlnas.bench.arguments import shown
from rlnas.bench.bounds import BESIDE
from rlnas.bench.errors import UserError
from rlnas.bench.files import quoted
from rlnas.bench.options import NEGATIVE

MOST_BYTES = 1_000_000
LEFT_OUT = ("out", "redo", "log", "executor", "address", "gpus-per-task")
"""Where results go or are computed is no part of what they are, nor who is told of them."""


def to_toml(command: str, settings: Any) -> str:
    """`command`, then every option that is not None, nested ones as tables."""
    lines = [f"# rlnas {command} --config FILE", f"command = {text(command)}", "", "[options]"]
    lines += [
        f"{key(name)} = {text(value)}"
        for name, value in flat(settings)
        if value is not None and name not in LEFT_OUT
    ]
    return "\n".join([*lines, ""])


def flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(option, value), nested ones as their command spells them."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        name = prefix + field.name.replace("_", "-")
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from flat(value, "" if field.name in BESIDE else f"{name}.")
        else:
            yield name, value


def key(name: str) -> str:
    return text(name) if "." in name else name


def text(value: Any) -> str:
    """A TOML value: its strings are written as JSON's."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, bool | int):
        return json.dumps(value)
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def words_of(path: Path, command: str, settings: type, given: Sequence[str]) -> list[str]:
    """The words that a file stands for, but for what the words `given` say, too: a command line
    goes before its file. settings: the command's class. `UserError` for what is no such file."""
    taken = {plain(word) for word in given if word.startswith("--")}
    places = positional(settings)
    leading = bool(given) and not given[0].startswith("--")
    first: list[str] = []
    words: list[str] = []
    for name, value in read(path, command).items():
        option, values = plain(name), value if isinstance(value, list) else [value]
        for one in values:
            if not isinstance(one, str | int | float | bool):
                raise UserError(
                    f"--config {path}: {name} is {shown(one)}; expected a number, a text, true or "
                    "false, or a list of them"
                )
        if option in places:
            first += [] if leading else map(str, values)
        elif option not in taken and isinstance(value, bool):
            head, dot, last = option.rpartition(".")
            words.append(f"--{head}{dot}{'' if value else 'no-'}{last}")
        elif option not in taken:
            words += [f"--{option}", *map(str, values)]
    return [*first, *words]


def plain(option: str) -> str:
    """An option by its name alone, however it is spelled."""
    name = NEGATIVE.sub(r"\1", option.partition("=")[0])
    return name.removeprefix("--").replace("_", "-")


def read(path: Path, command: str) -> dict[str, Any]:
    """The options in a file."""
    what = f"--config {quoted(path)}"
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"{what} is larger than {MOST_BYTES:,} bytes; expected settings")
        found = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UserError(f"{what}: {error.strerror}; expected a file of settings") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{what} is no TOML ({error}); expected a file of settings") from None
    of, options = found.get("command", command), found.get("options", {})
    if unknown := [name for name in found if name not in ("command", "options")]:
        raise UserError(f"{what} has {shown(unknown[0])}; expected `command` and `[options]`")
    if of != command:
        raise UserError(f"{what} is of the command {shown(of)}; expected one of {command!r}")
    if not isinstance(options, dict):
        raise UserError(f"{what} has the options {shown(options)}; expected a table")
    return dict(nested(options))


def nested(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Tables in tables, as dotted names."""
    for name, value in options.items():
        if isinstance(value, dict):
            yield from nested(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def positional(settings: type) -> set[str]:
    """The options that stand without a name."""
    mark = get_args(Positional[int])[1]
    hints = get_type_hints(settings, include_extras=True)
    return {plain(name) for name, hint in hints.items() if mark in get_args(hint)[1:]}
