"""`rlnas compress`: trained cells made smaller by policies, with distillation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlnas.analysis.compress.settings import PRESETS, CompressSettings
from rlnas.bench.options import preset_of


@dataclass(frozen=True)
class Compress(CompressSettings):
    """Make trained cells smaller: policies remove and shrink, students learn from the teacher.

    After N2N (Ashok et al. 2018, arXiv 1709.06030), on the images, splits and macro structure of a
    table. A removal policy keeps or removes the vertices and edges of a trained teacher; on its
    best student a shrinkage policy makes operations smaller. Students begin with what fits of the
    teacher's weights and learn its logits; reward: A / A_teacher x C (2 - C), C = 1 - parameters /
    the teacher's, and -1 for what is no cell. Measured against as many random choices: how much
    smaller at equal accuracy, by the students' own trainings and by the table's.

    Writes OUT/compress-<hash>/: students.parquet, manifest.json and the figure, which `rlnas
    report` draws again. Interrupted, it goes on where it was. Needs the extra `retrain` (torch,
    nasbench-pytorch, scikit-learn).

    Examples:
      rlnas compress
      rlnas compress --preset smoke
      rlnas compress --teachers 20 --epochs 10
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Compress:
        """The defaults that `--preset` in `options` asks for."""
        return cls(**preset_of(options, PRESETS))

    def run(self) -> None:
        """Train what is missing, write the files, print the table and where they lie."""
        self.check()
        from rlnas.analysis.compress.run import finish

        finish(self)
