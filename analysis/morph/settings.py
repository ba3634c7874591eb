"""The options of `rlnas morph`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rlnas.analysis.settings import check_folder
from rlnas.bench.bounds import Folder, Rate, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.retrain.engine import require

PRESETS: dict[str, dict[str, Any]] = {
    # Epochs and rate were chosen looking at a few pairs of other seeds.
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {
        **{"max_vertices": 4, "pairs": 2, "parent_epochs": 2, "epochs": 2, "episodes": 2},
        **{"nets": 2, "seeds": 1},
    },
}


@dataclass(frozen=True)
class MorphSettings:
    """What is edited, trained and compared, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table that tells the truth, of cells trained by `rlnas bench tabulate`: a name, or the
    path of a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: Annotated[int, Within(3, 7)] = 5
    """Only cells with at most so many vertices."""
    pairs: Annotated[int, Within(1, 10000)] = 30
    """Cells with an edit, drawn from the table, the kinds of edits by turns: the edited cell is
    trained from inherited weights, and from scratch. More may be added later."""
    parent_epochs: Annotated[int, Within(1, 10000)] = 5
    """Of what weights are inherited from, from scratch."""
    epochs: Annotated[int, Within(1, 10000)] = 10
    """Of a training from inherited weights."""
    learning_rate: Rate = 0.2
    """Of a training from inherited weights, at first; cosine to 0. The rest of the optimiser is the
    table's own recipe."""
    start: str = "1 input,output"
    """The cell that the search begins with, as the benchmark writes it."""
    edits: Annotated[int, Within(1, 100)] = 5
    """Of the start cell, in an episode; fewer where there are no more."""
    episodes: Annotated[int, Within(1, 100000)] = 12
    """Batches of cells after which the actors learn."""
    nets: Annotated[int, Within(1, 10000)] = 5
    """Cells in an episode's batch, all made from the same start."""
    policy_rate: Rate = 0.02
    """Of the actors' Adam."""
    entropy: Annotated[float, Within(0, 1000)] = 0.01
    """Weight of the entropy of the actors' choices."""
    seeds: Annotated[int, Within(1, 10000)] = 3
    """Searches of either kind, by the actors and by random edits. More may be added later."""
    seed: Seed = 1
    """Of the first search."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder morph-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` without what it needs."""
        check_folder(self.out)
        if not 3 <= self.max_vertices <= 7:
            raise UserError(f"--max-vertices is {self.max_vertices}; expected 3 to 7")
        require()
