"""`rlnas bench list`."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.bench.commands.import_csv import required
from rlnas.bench.commands.text import aligned
from rlnas.bench.family import Listing, broken, everything, families


@dataclass(frozen=True)
class List:
    """List the benchmarks that are here, and what can be had."""

    def run(self) -> None:
        from rlnas.bench.downloads import downloads

        here = [*(line for family in everything() for line in family.here()), *broken()]
        print(
            aligned(
                [
                    ("name", "architectures", "budgets (epochs)", "repeats", "file"),
                    *map(_spelled, here),
                ]
            )
        )
        to_be_had = [(f"rlnas bench fetch {name}", d.what) for name, d in downloads().items()]
        to_be_had += [
            (
                f"rlnas bench import-csv {_required(family.importer)} --family {name}",
                f"any CSV of {family.title} cells",
            )
            for name, family in families().items()
            if family.importer
        ]
        to_be_had += [("rlnas bench convert FILE", "official files that are here already")]
        to_be_had += [hint for family in families().values() for hint in family.hints]
        print("\nto be had")
        print(aligned([(f"  {command}", what) for command, what in to_be_had]))


def _required(importer: type) -> str:
    """The options that an importer asks for, e.g. `FILE --name NAME`."""
    return " ".join(n.upper() if n == "file" else f"--{n} {n.upper()}" for n in required(importer))


def _spelled(line: Listing) -> tuple[str, ...]:
    size = "-" if line.size is None else f"{line.size:,}"
    size = f"{line.size:.3g}" if line.size and line.size > 1e12 else size
    repeats = "-" if line.repeats is None else str(line.repeats)
    return line.name, size, line.budgets or "-", repeats, line.file
