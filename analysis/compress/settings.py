"""The options of `rlnas compress`. Light."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from rlnas.analysis.settings import check_folder
from rlnas.bench.bounds import Folder, Rate, Seed, Share, Within
from rlnas.bench.retrain.engine import require

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # Seconds, for tests and first looks.
    "smoke": {"teachers": 1, "batches": 2, "rollouts": 2, "epochs": 1},
}


@dataclass(frozen=True)
class CompressSettings:
    """What is compressed, how, and where it goes."""

    benchmark: str = "nb101-digits"
    """The table that tells the truth, of cells trained by `rlnas bench tabulate`: a name, or the
    path of a file."""
    dataset: str = "digits"
    """The images the table was trained on."""
    preset: Literal["default", "smoke"] = "default"
    """Settings to start from; options given beside it go before it."""
    max_vertices: Annotated[int, Within(4, 7)] = 5
    """Only cells with at most so many vertices."""
    teachers: Annotated[int, Within(1, 1000)] = 10
    """The best cells of the table by mean validation accuracy, each compressed by itself. More may
    be added later."""
    batches: Annotated[int, Within(1, 100000)] = 8
    """Of students, in each of the two stages; after each, the policy learns."""
    rollouts: Annotated[int, Within(1, 10000)] = 5
    """Students in a batch."""
    epochs: Annotated[int, Within(1, 10000)] = 5
    """Of a student's distillation."""
    learning_rate: Rate = 0.05
    """Of a student's distillation, at first; cosine to 0. The rest of the optimiser is the table's
    own recipe."""
    policy_rate: Rate = 0.02
    """Of the policies' Adam."""
    entropy: Annotated[float, Within(0, 1000)] = 0.01
    """Weight of the entropy of the policies' choices."""
    tolerance: Share = 0.01
    """How much accuracy, a fraction, a student may lose and still count as equal."""
    seed: Seed = 0
    """Of trainings and policies."""
    out: Folder = Path("runs")
    """Folder of all runs; results go to its folder compress-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` without what it needs."""
        check_folder(self.out)
        require()
