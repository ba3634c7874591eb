"""The words of a command line before it is parsed: some options decide what the others are."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from rlnas.bench.errors import UserError

NEGATIVE = re.compile(r"(--(?:.*\.)?)no-")
"""Of a switch: `--no-flip`, `--recipe.no-flip`."""


def words_of(options: Sequence[str]) -> list[str]:
    """All words; `--name=value` is two."""
    return [word for option in options for word in option.split("=", 1)]


def asked(options: Sequence[str]) -> dict[str, str]:
    """word -> the word behind it, so `["--name"]` is what the option is given."""
    return dict(pairwise(words_of(options)))


def preset_of(options: Sequence[str], presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings that `--preset` in `options` stands for, its name among them; none for a name
    that is not there: the parser tells."""
    name = asked(options).get("--preset", "default")
    return {"preset": name, **presets[name]} if name in presets else {}


def gathered(words: Sequence[str], lists: Collection[str]) -> list[str]:
    """The same words with each option once: what is given to a list again is added to it.

    lists: the options that take several values, nested ones in full (`recipe.checkpoints`).
    `UserError` for another one that is repeated.
    """
    parts: list[list[str]] = [[]]  # an option with its values; first, what comes before them all
    for word in words:
        option, equals, value = word.partition("=")
        if option.startswith("--") and len(option) > 2:
            parts.append([option, *([value] if equals else [])])
        else:
            parts[-1].append(word)
    names = ["", *(_name_of(part[0]) for part in parts[1:])]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        if not any(f".{known}".endswith(f".{name}") for known in lists):
            found = [p for p, of in zip(parts, names, strict=True) if of == name]
            values = ", ".join(" ".join(part[1:] or part) for part in found)
            raise UserError(f"--{name} is given {len(found)} times ({values}); expected once")
    if len(set(names)) == len(names):
        return list(words)  # as they are
    once: dict[str, list[str]] = {}
    for name, part in zip(names, parts, strict=True):
        once[name] = once[name] + part[1:] if name in once else part
    return [word for part in once.values() for word in part]


def _name_of(option: str) -> str:
    """The same for all ways to spell it."""
    return NEGATIVE.sub(r"\1", option).removeprefix("--").replace("_", "-")
