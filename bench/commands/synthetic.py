"""`rlnas bench synthetic`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rlnas.bench.bounds import Seed, Within
from rlnas.bench.errors import UserError


@dataclass(frozen=True)
class Synthetic:
    """Invented tables beside real ones: how alike they are in a few summary numbers.

    `rlnas train incontext` learns on such tables alone. Printed: how neighbours correlate, the
    quantiles from the median (0) to the best (1), how repeats and the size of the operations
    correlate with accuracy; of the invented ones, the spread over many.
    """

    tables: Annotated[int, Within(1, 100000)] = 64
    """Invented tables, over NAS-Bench-101 cells with at most 5 vertices."""
    beside: tuple[str, ...] = ("nb101-digits",)
    """Real benchmarks, by name; tables only."""
    seed: Seed = 0
    """Which tables."""

    def run(self) -> None:
        from rlnas.bench.synthetic.summary import beside

        if self.tables < 1:
            raise UserError(f"found --tables {self.tables}; expected at least 1")
        print(beside(self.beside, self.tables, self.seed))
