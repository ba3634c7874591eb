"""`rlnas predict`: how well predictors rank architectures that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from rlnas.analysis.settings import check_folder
from rlnas.bench.bounds import Seed, Within
from rlnas.bench.errors import UserError
from rlnas.bench.files import at_once

Cells = Annotated[int, Within(2, 100_000)]


@dataclass(frozen=True)
class Predict:
    """Measure predictors of accuracy: train each on a few architectures, judge it on others.

    For each number of architectures trained on, with different draws: rank correlations with the
    validation accuracies of those held out, of all and within their best tenth; the regret of the
    best among the predicted top 1 and top 10; the seconds of a fit. Beside them what needs no
    training: parameters and FLOPs, fewer epochs, columns of a file (`rlnas bench proxies` makes
    one; NASLib's files are read, too). Intervals are over the draws.

    Predictors: ensemble, gp, random_forest, boosting, graph_network; params, flops; options behind
    a colon, `gp:kernel=wl`. Needs the extra `predictors` for random_forest and boosting
    (scikit-learn, xgboost). Measurements are kept in OUT/predictions and reused.

    Examples:
      rlnas predict
      rlnas predict nb201-cifar100 nb101-mnist --predictors gp ensemble --train 20 100
      rlnas predict nb101-digits --columns nb101-digits-proxies.csv
    """

    benchmarks: Positional[tuple[str, ...]] = ("nb101-digits",)
    """Names that `rlnas bench list` shows, or paths of tables."""

    predictors: tuple[str, ...] = ()
    """Which, as words; by default all that are installed and that a benchmark can have."""

    train: tuple[Cells, ...] = (10, 20, 50, 100, 200, 500)
    """Architectures trained on; those behind the largest number are held out, from all."""

    draws: Annotated[int, Within(2, 10_000, ", an interval needs them")] = 10
    """Different choices of them."""

    pool: Annotated[int, Within(40, 1_000_000)] = 16_000
    """Architectures drawn of a benchmark that has more."""

    epochs: tuple[Annotated[int, Within(1)], ...] = ()
    """Smaller budgets to take as predictors; by default those that a table has."""

    columns: tuple[str, ...] = ()
    """CSV files with an architecture a line (column `arch`, or as NASLib writes them), as FILE or
    BENCHMARK=FILE: every column of numbers is a predictor, and the file's architectures are those
    that count."""

    truth: str = ""
    """The column of these files that is to be predicted in place of the benchmark's values."""

    seed: Seed = 0
    """Root of all randomness."""

    out: Path = Path("runs")
    """Folder of all runs; results go to its folder predict-<hash of the settings>."""

    def check(self) -> None:
        """`UserError` for options that do not fit."""
        for option in ("benchmarks", "train"):
            found = getattr(self, option)
            if not found or len(set(found)) < len(found):
                said = " ".join(map(str, found)) or "empty"
                raise UserError(f"--{option} is {said}; expected at least 1, all different")
        if self.truth and not self.columns:
            raise UserError(f"--truth is {self.truth}; expected --columns FILE with it")
        check_folder(self.out)

    def run(self) -> None:
        """Measure, print the tables, write figure and numbers."""
        from rlnas.analysis import store
        from rlnas.analysis.predict.columns import files_of
        from rlnas.analysis.predict.data import pool_of
        from rlnas.analysis.predict.figure import figure
        from rlnas.analysis.predict.run import chosen, lines, measured
        from rlnas.analysis.predict.text import text
        from rlnas.analysis.style import save
        from rlnas.analysis.text import tell

        self.check()
        predictors = chosen(self.predictors)
        files = files_of(self.columns, self.benchmarks)
        pools = [
            pool_of(
                name, self.pool, self.seed,
                epochs=self.epochs, file=files.get(name), truth=self.truth,
            )
            for name in self.benchmarks
        ]  # fmt: skip
        self.check_epochs([set(pool.free) for pool in pools])
        train = sorted(self.train)
        rows = measured(
            pools, predictors, train,
            draws=self.draws, seed=self.seed, out=self.out, strict=bool(self.predictors),
        )  # fmt: skip
        identity = {
            "pools": [pool.about for pool in pools],
            "predictors": {label: repr(config) for label, config in predictors.items()},
            "train": train, "draws": self.draws, "seed": self.seed,
            **store.decided_by(*predictors.values(), *(pool.space for pool in pools)),
        }  # fmt: skip
        folder = store.folder_of(self.out, "predict", identity)
        table, numbers = folder / "predict.csv", folder / "predict.json"
        said = text(rows, train, self.draws)
        with at_once():
            png, svg = save(figure(rows, train), folder)
            store.write_csv(table, list(lines(rows)))
            store.write_json(numbers, {"rows": list(lines(rows))})
            tell(said, folder, {"figure": png, "": svg, "numbers": numbers, "table": table})
            store.write_json(folder / store.MANIFEST, {"format": "rlnas-predict", **identity})

    def check_epochs(self, found: list[set[str]]) -> None:
        """`UserError` for a budget that no benchmark has below its own."""
        for epochs in () if self.truth else self.epochs:
            if not any(f"{epochs} epochs" in free for free in found):
                raise UserError(
                    f"--epochs has {epochs}, which none of {', '.join(self.benchmarks)} has below "
                    "its largest budget; `rlnas bench info` says which there are"
                )
