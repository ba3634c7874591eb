"""Columns of costs from CSV files: units, degenerate values, both families, what is refused."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import invented, text, write_csv
from rlnas import bench
from rlnas.analysis import cli
from rlnas.bench.add_columns import add_columns
from rlnas.bench.cost_columns import from_table
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.column_table import CellColumns
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb201 import column_table, table
from tables import small_table

CELLS = 50


@pytest.fixture
def nb201(tmp_path: Path) -> Path:
    path = tmp_path / "nb201-cifar100.npz"
    invented().save(path)
    return path


def latencies(path: Path, header: str = "raspi4 (ms)", first: float = 0.001) -> Path:
    lines = [[text(i), first if i == 0 else 1 + i, i] for i in range(CELLS)]
    return write_csv(path, ["arch", header, "pi_mj"], lines)


@pytest.mark.parametrize(
    ("how", "first", "said"),
    [
        ("floor", 2.0, "1 degenerate values below 0.255 floored at 2, the smallest other"),
        ("exclude", np.nan, "excluded"),
        ("keep", 0.001, "kept as they are"),
    ],
)
def test_degenerate_values(nb201: Path, tmp_path: Path, how, first: float, said: str) -> None:
    cells = column_table.CellColumns(nb201)
    added = add_columns(cells, latencies(tmp_path / "x.csv"), nb201, degenerate=how)
    assert said in added.lines[0] and added.lines[0].startswith("raspi4 (ms): ")
    column, energy = table.load(nb201).columns
    assert (energy.objective.name, energy.objective.unit) == ("pi", "mJ")
    assert said in column.objective.about
    np.testing.assert_equal(column.values[:2], np.float32([first, 2.0]))
    assert np.isnan(column.values[CELLS:]).all()
    benchmark = bench.load(str(nb201))
    names = [objective.name for objective in benchmark.objectives]
    assert names == ["accuracy", "params", "flops", "seconds", "raspi4", "pi"]
    costs, (span,) = benchmark.costs(["raspi4"])
    assert span.high == CELLS and costs(benchmark.space.at(1))[0] == 2


def test_a_column_of_a_name_that_is_there_is_replaced(nb201: Path, tmp_path: Path) -> None:
    for first in (3.0, 4.0):
        cells = column_table.CellColumns(nb201)
        add_columns(cells, latencies(tmp_path / "x.csv", first=first), nb201)
    found = table.load(nb201).columns
    assert [c.objective.name for c in found] == ["pi", "raspi4"][::-1] and found[0].values[0] == 4


def test_lines_of_one_cell_that_say_the_same(nb201: Path, tmp_path: Path) -> None:
    lines = [[text(1), 1, ""], [text(2), 2, 7], [text(1), 1, ""]]
    path = write_csv(tmp_path / "x.csv", ["arch", "x", "y"], lines)
    add_columns(column_table.CellColumns(nb201), path, nb201)
    x, y = table.load(nb201).columns
    assert x.values[1:3].tolist() == [1, 2] and np.isnan(y.values[1]) and y.values[2] == 7


def test_cells_of_nb101_by_their_text(tmp_path: Path) -> None:
    small_table(4).save(tmp_path / "t.npz")
    space = bench.load(str(tmp_path / "t.npz")).space
    lines = [[space.format(i), 10 - i, "x"] for i in (2, 0)]
    path = write_csv(tmp_path / "x.csv", ["arch", "latency_ms", "note"], lines)
    added = add_columns(CellColumns(tmp_path / "t.npz"), path, tmp_path / "t.npz")
    assert added.skipped == ("note",)
    (column,) = Table.load(tmp_path / "t.npz").columns
    assert (column.objective.name, column.objective.unit) == ("latency", "ms")
    np.testing.assert_equal(column.values[:3], np.float32([10, np.nan, 8]))
    part = bench.load(str(tmp_path / "t.npz")).restrict(np.array([0, 2]))
    assert part.costs(["latency"])[0](jnp.int32(1))[0] == 8
    assert part.costs(["params"])[1][0].low > 0


@pytest.mark.parametrize(
    ("header", "lines", "said"),
    [
        (["arch", "x"], [["nonsense", 1]], "line 2"),
        (["arch", "x"], [[text(1), 1], [text(1), 2]], "line 3: this cell was there before"),
        (["cell", "x"], [["a", 1]], "no column says which cell a line is"),
        (["arch"], [[text(1)]], "no column but those that name cells"),
        (["arch", "x"], [[text(1), "fast"]], "no column of numbers"),
        (["arch", "params"], [[text(1), 3]], "none of accuracy, flops, parameters, params"),
        (["arch", "x"], [[text(1), "inf"]], "expected a finite number"),
    ],
)
def test_what_is_refused(nb201: Path, tmp_path: Path, header, lines, said: str) -> None:
    before = nb201.read_bytes()
    with pytest.raises(UserError) as caught:
        path = write_csv(tmp_path / "x.csv", header, lines)
        add_columns(column_table.CellColumns(nb201), path, nb201)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert nb201.read_bytes() == before


def test_the_command(nb201: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = latencies(tmp_path / "x.csv", header="raspi4")
    words = ["bench", "add-columns", str(nb201), str(path)]
    assert cli.main([*words, "--columns", "raspi4=pi4", "--unit", "ms"]) == 0
    assert "pi4 (ms): 50 values, 2 to 50; 1 degenerate values" in capsys.readouterr().out
    assert cli.main(["bench", "info", str(nb201)]) == 0
    assert "pi4 (ms), 2 to 50 (from x.csv; 1 degenerate" in capsys.readouterr().out
    assert cli.main([*words, "--columns", "raspi5"]) == 2
    assert cli.main(["bench", "add-columns", "nb301-yahpo", str(path)]) == 2


def test_a_table_whose_columns_have_other_names_is_damaged() -> None:
    values = np.ones((3, 1), np.float32)
    about = {"name": "x", "unit": "", "direction": "min", "about": ""}
    assert from_table(values, [about], "t", "again")[0].objective.name == "x"
    for meta in ([], [about, about], [about | {"name": "a b"}]):
        with pytest.raises(UserError):
            from_table(values, meta, "t", "again")
