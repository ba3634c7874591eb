"""`rlnas bench import-csv`: for every family that reads CSV files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from tyro.conf import Positional

from rlnas.bench.bounds import Epochs, TableFile
from rlnas.bench.commands.text import announced
from rlnas.bench.errors import UserError
from rlnas.bench.family import Made, families, with_importer
from rlnas.bench.options import asked


@dataclass(frozen=True)
class ImportCsv:
    """Import a CSV table of trained architectures (`--family`, default nb101).

    What every family's importer has; a family derives from this, says in its docstring which
    columns it reads, and fills `read`.
    """

    file: Positional[Path]
    """A CSV file with a header line, plain or gzipped, with commas, semicolons or tabs."""
    out: TableFile = None
    """Where to write; default: the cache folder, where commands find it by its name."""
    columns: tuple[str, ...] = ()
    """COLUMN=NAME for columns that go by other names, e.g. acc=validation_accuracy."""
    epochs: Epochs = None
    """The budget, where the file does not say after how many epochs."""
    values: tuple[str, ...] = ()
    """What a value is, for captions: single, mean-of-3, max-of-3, predicted; of one budget,
    108=max-of-3."""
    note: tuple[str, ...] = ()
    """Remarks to keep with the numbers, e.g. where the file is from."""
    family: str = "nb101"
    """The family of benchmarks that the architectures are of; each has options of its own."""

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Any:
        """The importer of the family that `--family` in `options` names."""
        wanted = asked(options).get("--family", cls.family)
        if wanted not in with_importer():
            raise UserError(f"--family {wanted}: expected one of {', '.join(with_importer())}")
        return families()[wanted].importer

    def run(self) -> None:
        print(announced(self.read()))

    def read(self) -> Sequence[Made]:
        """Write a table or several."""
        raise NotImplementedError


def required(importer: type) -> list[str]:
    """The options without a default."""
    return [f.name for f in fields(importer) if f.default is f.default_factory is MISSING]
