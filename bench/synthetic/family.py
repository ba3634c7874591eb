"""The family of invented tables. Light to import; see `rlnas.bench.family`."""

from __future__ import annotations

import re
from typing import Any

from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError
from rlnas.bench.family import Family, Listing
from rlnas.bench.noise import Noise

NAME = re.compile(r"synthetic(?:-(nb101|nb201|tnb101)(?:-(\d{1,9}))?)?")
SIZES = {"nb101": 2_532, "nb201": 15_625, "tnb101": 4_096}
TRAINED_ON = ("nb101", "tnb101")
"""The spaces whose tables `synthetic` draws."""
BUDGETS = (4, 12, 36, 108)


class Synthetic(Family):
    name = "synthetic"
    title = "invented tables"
    names = ("synthetic",)
    hints = (
        (
            "rlnas compare --benchmark synthetic-nb101-0",
            "an invented table: synthetic-SPACE-NUMBER, SPACE nb101, nb201 or tnb101",
        ),
        (
            "rlnas train incontext --benchmark synthetic-nb201",
            "invented tables over one space alone",
        ),
    )
    options = ("rho",)

    def owns(self, name: str) -> bool:
        return NAME.fullmatch(name) is not None

    def here(self) -> list[Listing]:
        budgets = ", ".join(map(str, BUDGETS))
        return [Listing("synthetic", SIZES["nb101"], budgets, 3, "invented, endless: to train on")]

    def load(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        """The table that a name says; without a number the first, which also draws others, over
        that space or, of `synthetic`, over `TRAINED_ON`. rho: the partner of that table whose
        function correlates by so much with its own."""
        from rlnas.bench.synthetic.tables import load

        if epochs not in (None, *BUDGETS):
            raise UserError(
                f"no budget of {epochs} epochs in {name}; expected one of {list(BUDGETS)}"
            )
        found = NAME.fullmatch(name)
        assert found is not None  # it is owned
        space, number = found[1] or TRAINED_ON[0], int(found[2] or 0)
        drawn = () if found[2] else (found[1],) if found[1] else TRAINED_ON
        rho = options.get("rho")
        if rho is not None and not -1 <= rho <= 1:
            raise UserError(f"found rho = {rho}; expected a correlation from -1 to 1")
        return load(name, space, number, drawn, epochs=epochs, noise=noise, rho=rho)

    def fidelities(self, name: str, *, epochs: int | None, noise: Noise, **options: Any) -> Any:
        from rlnas.bench.fidelity import SeveralBudgets

        top = self.load(name, epochs=epochs, noise=noise, **options)
        below = [
            self.load(name, epochs=fewer, noise=noise, **options)
            for fewer in BUDGETS
            if fewer < top.epochs
        ]
        return SeveralBudgets.of([*below, top], continues=False)

    def facts(self, name: str) -> list[tuple[str, str]]:
        return [*super().facts(name), ("fidelities", Budgets(BUDGETS).caption)]


FAMILY = Synthetic()
