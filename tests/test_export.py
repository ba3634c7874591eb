"""A table that is exported and imported again: what else than the measurements comes back, which
`test_nb101_table` compares."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nb201_tables import invented
from rlnas.analysis import cli
from rlnas.bench.commands.export import Export
from rlnas.bench.nb101 import graph
from rlnas.bench.nb101.sizes import sizes
from rlnas.bench.nb101.table import Table
from rlnas.bench.nb201.table import load
from rlnas.bench.objectives import Column, Objective
from rlnas.bench.values import Values
from tables import small_table


def again(capsys: pytest.CaptureFixture, out: Path) -> None:
    """Run the command that an export has printed."""
    command = capsys.readouterr().out.splitlines()[1].partition("rlnas ")[2]
    assert cli.main([*shlex.split(command), "--out", str(out)]) == 0
    capsys.readouterr()


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_networks_and_what_values_are(
    tmp_path: Path, capsys: pytest.CaptureFixture, shape: str
) -> None:
    small = graph.parameters(graph.cells(4), stem_channels=16, modules=1, in_channels=1)
    table = replace(small_table(), params=small)
    file = tmp_path / "the file.csv"
    every = [{"4": "single", "12": "max-of-3"}, {"4": "mean", "12": "mean"}, {"4": "max-of-3"}]
    for i, values in enumerate(every):
        replace(table, meta=table.meta | {"values": values}).save(tmp_path / "table.npz")
        Export(str(tmp_path / "table.npz"), shape=shape, out=file).run()
        again(capsys, tmp_path / f"{i}.npz")
        back = Table.load(tmp_path / f"{i}.npz")
        np.testing.assert_array_equal(back.params, small)
        np.testing.assert_array_equal(back.val, table.val)
        assert back.meta["values"] == values
        names = file.read_text(encoding="utf-8").splitlines()[0]
        assert ("mean_validation_accuracy" in names) == (i == 1) and ",training_time" in names
        assert ("max3_validation_accuracy" in names) == (i != 1 and shape == "wide")


def test_sizes_of_cells_that_were_not_counted() -> None:
    every = graph.cells(4)
    whole = graph.parameters(every, stem_channels=8, stacks=2, in_channels=1, classes=7)
    rows, recipe = np.array([3, 50, 90]), {"stem_channels": 8, "stacks": 2, "modules": 3}
    known = np.where(rows == 50, 0, whole[rows])
    np.testing.assert_array_equal(sizes(every, recipe, rows, known), whole)
    own = graph.parameters(every)
    np.testing.assert_array_equal(sizes(every, recipe | {"stacks": 1}, rows, known), own)
    np.testing.assert_array_equal(sizes(every, {}, rows, own[rows]), own)


@pytest.mark.long
def test_what_values_of_nb201_are(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table = replace(invented("nb201-cifar100"), values=Values.parse("mean-of-3"), epochs=12)
    table.save(tmp_path / "table.npz")
    Export(str(tmp_path / "table.npz"), shape="wide", out=tmp_path / "cells.csv").run()
    again(capsys, tmp_path / "out")
    back = load(tmp_path / "out" / "nb201-cifar100.npz")
    assert (str(back.values), back.epochs) == ("mean-of-3", 12)
    Export(str(tmp_path / "table.npz"), out=tmp_path / "long.csv").run()
    assert len(capsys.readouterr().out.splitlines()) == 1  # a form that is not read back


COSTS = (
    Objective("latency", "ms", about="on a Pi 4, it's said"),
    Objective("latency_64", "ms", about="on a Pi 4, it's said"),
    Objective("power_w", "W (peak)"),
    Objective("repeat"),  # a name that importers know
)


def columns(size: int) -> tuple[Column, ...]:
    """The second with a gap, the first with a value that is degenerate."""
    values = np.random.default_rng(0).uniform(1, 2, (len(COSTS), size)).astype(np.float32)
    values[0, 0], values[1, 3] = 1e-6, np.nan
    return tuple(Column(*each) for each in zip(COSTS, values, strict=True))


def put_back(said: list[str], table: str, capsys: pytest.CaptureFixture) -> None:
    """Run the commands that an export has printed, the first ones into the place of `table`."""
    assert len([line for line in said if line.startswith("then: ")]) == 2
    for line in said:
        head, _, command = line.partition("rlnas ")
        words = shlex.split(command)
        if head == "then: ":
            words[2] = table
        elif head == "back: ":
            words += ["--out", table if table.endswith("-again.npz") else str(Path(table).parent)]
        else:
            continue
        assert cli.main(words) == 0
    capsys.readouterr()


@pytest.mark.parametrize("shape", ["long", "wide"])
def test_costs_of_nb101_cells(tmp_path: Path, capsys: pytest.CaptureFixture, shape: str) -> None:
    table = small_table(4).with_columns(columns(91))
    table.save(tmp_path / "table.npz")
    Export(str(tmp_path / "table.npz"), shape=shape, out=tmp_path / "the file.csv").run()
    there = tmp_path / "x-again.npz"
    put_back(capsys.readouterr().out.splitlines(), str(there), capsys)
    back = Table.load(there)
    assert objectives(back.columns) == described("the file.csv")
    assert "1 degenerate values" in back.columns[0].objective.about
    for mine, theirs in zip(back.columns, table.columns, strict=True):
        np.testing.assert_array_equal(mine.values, theirs.values)
    np.testing.assert_array_equal(back.val, table.val)


def objectives(columns: tuple[Column, ...]) -> list[Objective]:
    """But for what is said of degenerate values."""
    found = [column.objective for column in columns]
    return [replace(each, about=each.about.partition("; ")[0]) for each in found]


def described(file: str) -> list[Objective]:
    """What comes back: of what nothing was said the file is said."""
    return [replace(each, about=each.about or f"from {file}") for each in COSTS]


def test_costs_of_transnas_cells(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    table = invented("tnb101-class_scene")
    table = replace(table, columns=columns(table.task.variant.size))
    table.save(tmp_path / "table.npz")
    Export(str(tmp_path / "table.npz"), shape="wide", out=tmp_path / "cells.csv").run()
    there = tmp_path / "tnb101-class_scene.npz"
    put_back(capsys.readouterr().out.splitlines(), str(there), capsys)
    back, measured = load(there), ~np.isnan(table.val).all(axis=1)
    assert objectives(back.columns) == described("cells.csv")
    for mine, theirs in zip(back.columns, table.columns, strict=True):
        np.testing.assert_array_equal(mine.values[measured], theirs.values[measured])
    Export(str(tmp_path / "table.npz"), out=tmp_path / "long.csv").run()
    lines = (tmp_path / "long.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith("seconds,latency (ms),latency_64 (ms),power_w (W (peak)),repeat (1)")
    assert len(lines) == 1 + measured.sum() * table.repeats
