"""Names for benchmarks and agents: ours, and those of any installed package (entry points)."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rlnas.bench.arguments import shown, text
from rlnas.bench.errors import UserError
from rlnas.bench.plugins import PluginError, package_of, reason_of


@dataclass(frozen=True)
class Registry:
    """`builtin` maps a name to `module:attribute`; an outside package adds names by an entry point
    of `group`.

    A built-in name wins over an outside one, so that installing a package never changes a result.
    """

    group: str
    builtin: Mapping[str, str]

    def entries(self) -> dict[str, EntryPoint]:
        """Every entry by its name, ours first; nothing is imported."""
        found = {entry.name: entry for entry in entry_points(group=self.group)}
        ours = {name: EntryPoint(name, target, self.group) for name, target in self.builtin.items()}
        return ours | {name: entry for name, entry in found.items() if name not in ours}

    def names(self) -> list[str]:
        """All registered names, sorted; nothing is imported."""
        return sorted(self.entries())

    def load(self, name: Any) -> Any:
        """What `name` stands for: a registered name, or the `module:attribute` of one that is not.

        `UserError` when it is unknown, or cannot be imported.
        """
        kind = self.group.removeprefix("rlnas.")
        kind = f"{kind[:-3]}y" if kind.endswith("ies") else kind[:-1]
        name = text(name, f"the name of a {kind}")
        entries = self.entries()
        if name in self.builtin:
            return entries[name].load()
        if name in entries:
            return attribute(entries[name].value, f"{kind} {name} of {package_of(entries[name])}: ")
        if is_target(name):
            return attribute(name)
        raise UserError(
            f"unknown {kind} {shown(name)}; expected one of {', '.join(sorted(entries))}"
        )


def is_target(word: str) -> bool:
    """Whether a word has the form `module:attribute`."""
    module, _, name = word.partition(":")
    return name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def attribute(target: str, what: str = "") -> Any:
    """What `module:attribute` names; modules in the current folder are found, after all others.
    `UserError` where there is none, or what importing it raises. what: said before that."""
    module, _, name = target.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        found = importlib.import_module(module)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{what}{target} cannot be imported ({reason_of(error)}); expected module:attribute of "
            "an installed package, or of a file in this folder (--traceback says more)"
        ) from error
    if not hasattr(found, name):
        raise PluginError(f"{what}{target}: {found.__file__} defines no {name}")
    return getattr(found, name)
