"""`rlnas agents`: who can search, with which options."""

from __future__ import annotations

import dataclasses
import inspect
import re
from dataclasses import dataclass
from textwrap import fill

from tyro.conf import Positional

from rlnas import agents
from rlnas.agents import registry
from rlnas.bench.docs import field_docs
from rlnas.bench.errors import UserError
from rlnas.bench.plugins import package_of


@dataclass(frozen=True)
class Agents:
    """List the agents, or say what one does and which options it has.

    Agents of other installed packages are listed too.

    Examples:
      rlnas agents
      rlnas agents evolution
    """

    name: Positional[str | None] = None
    """An agent, or `module:Class` of one that is not registered; without it all are listed."""

    def run(self) -> None:
        print(described(self.name) if self.name else listed())


def listed() -> str:
    """A line an agent."""
    entries = registry.REGISTRY.entries()
    width = max(map(len, entries))
    lines = []
    for name in sorted(entries):
        try:
            said = (inspect.getdoc(agents.config(name)) or "").split("\n\n")[0]
        except UserError as error:  # of an outside package
            said = str(error)
        said = re.sub(r" \([^)]*\)", "", " ".join(said.split()))  # sources
        first = said.split(". ")[0].removesuffix(".")
        outside = "" if name in registry.REGISTRY.builtin else f" ({package_of(entries[name])})"
        lines.append(f"{name.ljust(width)}  {first}{outside}")
    return "\n".join([*lines, "", "`rlnas agents NAME` explains one and its options."])


def described(name: str) -> str:
    """What it does, and its options with their types, defaults and meanings."""
    from rlnas.agents.spec import ReadsText, option_fields, option_types

    settings = agents.config(name)
    said, docs = inspect.getdoc(settings) or "", field_docs(settings)
    lines = [f"{name}: {said}", ""]
    fields = {field.name: field for field in option_fields(settings)}
    if not fields:
        return "\n".join([*lines, "It has no options."])
    text = ""
    if isinstance(settings, ReadsText):
        text = getattr(settings, "BEFORE_OPTIONS", "TEXT,")
    lines.append(f"options, as in `--agents {name}:{text}{next(iter(fields))}=...`:")
    for option, kind in option_types(settings).items():
        lines.append(f"  {option}: {kind}{default_of(fields[option])}")
        lines.append(
            fill(docs.get(option, ""), 96, initial_indent=" " * 6, subsequent_indent=" " * 6)
        )
    return "\n".join(lines)


def default_of(field: dataclasses.Field) -> str:
    if field.default is not dataclasses.MISSING:
        return f" = {field.default!r}" if field.default != "" else " = (empty)"
    if field.default_factory is not dataclasses.MISSING:
        return f" = {field.default_factory()!r}"
    return ", needed"
