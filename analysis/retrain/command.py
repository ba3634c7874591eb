"""`rlnas retrain`: the architectures a search found, trained for real beside controls: is the table
right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rlnas.analysis.retrain.settings import RetrainSettings
from rlnas.bench.errors import UserError
from rlnas.bench.options import asked, words_of
from rlnas.bench.retrain.recipes import default_preset, presets
from rlnas.bench.run_names import run_folder


@dataclass(frozen=True)
class Retrain(RetrainSettings):
    """Train the best architectures of finished runs for real, beside controls: was the table right?

    What is trained: the best by validation of RUNS, random controls, the worst, or named ones; each
    with several seeds. Survives kill -9: run the same command again, and every training goes on
    after its last whole epoch. Needs the extra `retrain` (torch, nasbench-pytorch, scikit-learn).

    Presets: nb101, nb201, tnb101 and nb301 are the benchmarks' own recipes, for a GPU (a cell of
    TransNAS-Bench-101 is trained as a classifier, whatever its task); digits is that of the
    embedded table; quick is a minute or two a training on a CPU core, for a few thousand images.
    Every setting below can be changed.

    Examples:
      rlnas retrain runs/compare-0123456789abcdef --top 5 --random 10 --dataset digits
      rlnas retrain runs/0123456789abcdef-150x200 --top 5 --dataset cifar10 --seeds 3
      rlnas retrain --cells '101 input,conv3x3-bn-relu,output' --dataset digits --preset quick
    """

    @classmethod
    def for_options(cls, options: Sequence[str]) -> Retrain:
        """The defaults that `--preset`, else `--dataset`, `--benchmark` and the runs, ask for."""
        given = asked(options)
        dataset = given.get("--dataset", cls.dataset)
        known = presets()
        default = default_preset(
            dataset, [given.get("--benchmark", ""), *benchmarks_of(words_of(options))]
        )
        preset = given.get("--preset", default)
        if preset not in known:  # tyro will tell what is wrong with it
            preset = default
        return cls(preset=preset, settings=known[preset])

    def run(self) -> None:
        """Choose, train what is missing, store, and print the verdict and where it lies."""
        self.check()
        from rlnas.analysis.outcome import finished
        from rlnas.analysis.retrain.train import finish

        finished(finish(self))


def benchmarks_of(words: Sequence[str]) -> list[str]:
    """The benchmarks of those words that are folders of runs."""
    from rlnas.bench.reading import read_json

    names = []
    for word in words:
        for name in ("manifest.json", "summary.json"):
            try:
                facts = read_json(run_folder(Path(word)) / name, seal=None)["benchmark"]
                names.append(str(facts["name"]))
            except (UserError, KeyError, TypeError):
                continue
    return names
