"""The options of `rlnas maskconnect`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rlnas.analysis.settings import check_folder
from rlnas.bench.bounds import Folder, Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import MAX_EDGES
from rlnas.bench.retrain.engine import require

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {"vertices": 4, "sets": 3, "seeds": 1, "epochs": 2},
}


@dataclass(frozen=True)
class MaskConnectSettings:
    """What is connected, how, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table that tells the truth, of cells trained by `rlnas bench tabulate`: a name, or the
    path of a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    vertices: Annotated[int, Within(4, 7)] = 5
    """Of a cell, with input and output."""
    active: Annotated[int, Within(1, 6)] = 2
    """Inputs of a vertex, K; one with fewer vertices before it has them all."""
    sets: Annotated[int, Within(1, 243)] = 12
    """Sequences of operations, drawn from all there are. More may be added later."""
    seeds: Annotated[int, Within(1, 10000)] = 3
    """Trainings of each. More may be added later."""
    seed: Seed = 0
    """Of the first training."""
    epochs: Annotated[int, Within(1, 100000)] = 20
    """Of a training. Its optimiser is the table's own recipe."""
    score_optimiser: Literal["sgd", "adam"] = "sgd"
    """Of the scores: plain gradient descent, or Adam, which makes more of small gradients."""
    score_rate: Annotated[float, Within(0, 100)] = 0.05
    """Of that optimiser; at 0 nothing is learned of them."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder maskconnect-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` without what it needs."""
        check_folder(self.out)
        edges = sum(min(self.active, vertex) for vertex in range(1, self.vertices))
        if edges > MAX_EDGES:
            raise UserError(
                f"{self.vertices} vertices with {self.active} inputs have {edges} edges; a cell "
                f"has at most {MAX_EDGES}: choose a smaller --active or --vertices"
            )
        require()
