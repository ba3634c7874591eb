"""Names for benchmarks and agents: ours, and those of any installed package (entry points)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from rlnas.bench.errors import UserError


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

    def load(self, name: str) -> Any:
        """What `name` stands for; `UserError` when it is unknown."""
        entries = self.entries()
        if name not in entries:
            kind = self.group.removeprefix("rlnas.")
            kind = f"{kind[:-3]}y" if kind.endswith("ies") else kind[:-1]
            raise UserError(
                f"unknown {kind} {name!r}; expected one of {', '.join(sorted(entries))}"
            )
        return entries[name].load()
