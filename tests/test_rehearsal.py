"""The rehearsal table is a prediction, and says so wherever it is searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rlnas import bench
from rlnas.analysis import cli
from rlnas.analysis.rehearsal import called
from rlnas.bench.commands.rehearse import Rehearse
from rlnas.bench.errors import UserError
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.table import Table
from rlnas.bench.objectives import Column, Objective
from rlnas.bench.repeats import repeat_mean
from said import complaints
from tables import small_table

NOT = "NOT A BENCHMARK"


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a third of a small space, whose accuracies a regressor can half learn; one cell of the
    third was not measured."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra `retrain`)")
    folder = tmp_path_factory.mktemp("rehearsal")
    table = small_table(5, rows=range(0, 2532, 3))
    edges = np.bitwise_count(np.asarray(table.row)).astype(np.float32)[:, None, None]
    table.val[:] = 0.5 + 0.02 * edges + 0.01 * np.arange(3)
    table.val[7] = np.nan
    sizes = {"stem_channels": 8, "stacks": 1, "modules": 1}
    small = graph.parameters(graph.cells(5), in_channels=1, **sizes)[table.row]
    replace(table, params=small, meta=table.meta | {"recipe": sizes}).save(folder / "part.npz")
    Rehearse(str(folder / "part.npz"), max_vertices=5, out=folder / "all.npz").run()
    return folder / "all.npz"


def test_it_predicts_every_cell_of_a_larger_space_and_says_what_it_is(rehearsal: Path) -> None:
    whole, part = Table.load(rehearsal), Table.load(rehearsal.with_name("part.npz"))
    assert len(whole.row) == 2532 and np.isfinite(whole.val).all() and np.isnan(whole.test).all()
    assert NOT in whole.meta["notes"][0] and "rehearsal" in whole.name
    measured = np.arange(len(part.row)) != 7
    for key in ("val", "seconds"):  # what is known stays as it is
        kept, known = (getattr(t, key)[:, -1] for t in (whole, part))
        np.testing.assert_array_equal(kept[part.row, 0][measured], repeat_mean(known)[measured])
    np.testing.assert_array_equal(whole.params[part.row], part.params)
    about = bench.load(str(rehearsal)).about
    assert about.startswith("small-rehearsal is a table of predictions; NOT A BENCHMARK: ")


def test_costs_are_left_out_and_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra `retrain`)")
    table = small_table(5, rows=range(0, 2532, 20))
    latency = Column(Objective("latency", "ms"), np.ones(len(table.row), np.float32))
    table.with_columns([latency]).save(tmp_path / "part.npz")
    Rehearse(str(tmp_path / "part.npz"), max_vertices=4, out=tmp_path / "all.npz").run()
    assert "Left out, as nothing predicts them: columns of costs (latency)." in (
        capsys.readouterr().out
    )
    assert not Table.load(tmp_path / "all.npz").columns


def test_more_cells_do_not_make_a_worse_table(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """scikit-learn stops early above 10,000 cells unless told otherwise."""
    ensemble = pytest.importorskip("sklearn.ensemble")
    told = []

    class Regressor(ensemble.HistGradientBoostingRegressor):
        def fit(self, *data):
            told.append(self.early_stopping)
            return super().fit(*data)

    monkeypatch.setattr(ensemble, "HistGradientBoostingRegressor", Regressor)
    small_table(5, rows=range(0, 2532, 20)).save(tmp_path / "part.npz")
    Rehearse(str(tmp_path / "part.npz"), max_vertices=4, out=tmp_path / "all.npz").run()
    assert told and not any(told)


COMMANDS = {
    "compare": "--agents random_search local_search --budget 4 --seeds 2",
    "landscape": "--walks 4 --length 4 --lags 2",
}


@pytest.mark.long
@pytest.mark.parametrize("name", [*COMMANDS, "train", "ablate"])
def test_commands_take_it_where_that_is_asked_for_and_say_what_it_is(
    name: str, rehearsal: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    more = COMMANDS.get(name, "").split()
    words = [name, *more, "--benchmark", str(rehearsal), "--out", str(tmp_path)]
    assert cli.main(words) == 2
    assert f"small-rehearsal is {NOT}" in complaints(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
    if name not in COMMANDS:  # trainings take their time
        return
    assert cli.main([*words, "--rehearsal"]) == 0
    said = capsys.readouterr().out
    assert f"small-rehearsal ({NOT})" in said and "trained architectures" not in said
    drawn = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.svg")]
    assert drawn and all(NOT in figure for figure in drawn)


def test_only_what_is_declared_is_a_rehearsal() -> None:
    assert called({"name": "x", "values": "max-of-3"}) == called({"name": "x"}) == "x"
    assert called({"name": "x", "values": "predicted"}) == f"x ({NOT})"


@pytest.mark.long
def test_too_few_cells_are_refused(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra `retrain`)")
    small_table(4).save(tmp_path / "few.npz")
    with pytest.raises(UserError, match="has 91 cells; expected at least 100"):
        Rehearse(str(tmp_path / "few.npz")).run()
