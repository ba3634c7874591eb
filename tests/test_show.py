"""`rlnas show`: what it says of an architecture is what the table says, in every family; and where
the vertices of a drawing stand."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from nb201_tables import invented_cells
from rlnas import bench
from rlnas.analysis.graph_layout import place
from rlnas.analysis.show import data
from rlnas.analysis.show.data import look_up
from rlnas.analysis.show.figure import figure
from rlnas.analysis.show.text import text
from rlnas.bench.fidelity import SeveralBudgets
from rlnas.bench.landscape import lists_of, values_of
from said import called
from surrogates import invented_benchmark

CELL = "110101 input,conv3x3-bn-relu,maxpool3x3,output"
GENOTYPE = (
    "0:sep_conv_3x3|1:skip_connect|0:max_pool_3x3|2:sep_conv_5x5|1:dil_conv_3x3|2:avg_pool_3x3|"
    "0:skip_connect|3:sep_conv_3x3,0:sep_conv_3x3|1:skip_connect|0:max_pool_3x3|2:sep_conv_5x5|"
    "1:dil_conv_3x3|3:avg_pool_3x3|0:skip_connect|4:sep_conv_3x3"
)


def opened(benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is asked for is `benchmark`."""
    made = SeveralBudgets.of([benchmark], continues=False)
    monkeypatch.setattr(bench, "load_fidelities", lambda name, epochs: made)


def test_the_numbers_are_the_table_s(table: Path) -> None:
    seen = look_up(CELL, str(table), None)
    benchmark = bench.load(str(table))
    row = benchmark.space.row(CELL)
    assert seen.number == row
    assert [answer.epochs for answer in seen.answers] == [4, 12]
    for answer in seen.answers:
        at = bench.load(str(table), epochs=answer.epochs).lookup(CELL)
        assert answer[1:] == (float(at.val), float(at.test), float(at.sim_seconds))
    val, test = map(np.asarray, values_of(benchmark))
    offsets, flat = lists_of(benchmark)
    near = flat[offsets[row] : offsets[row + 1]]
    assert set(seen.near) == {benchmark.space.format(i) for i in near}
    said = text(seen)
    assert f"by validation accuracy: rank {(val > val[row]).sum() + 1} of {len(val)}" in said
    assert f"by test accuracy: rank {(test > test[row]).sum() + 1} of {len(test)}" in said
    better = (val[near] > val[row]).sum()
    line = next(x for x in said.splitlines() if x.startswith("validation accuracy %"))
    found = [100 * of(val[near]) for of in (np.max, np.median, np.min)]
    assert line.split()[3:] == [*(f"{x:.2f}" for x in found), *f"{better} of {len(near)}".split()]
    assert f"validation: {benchmark.space.format(near[val[near].argmax()])}" in said
    assert "  2 max pool  <-  input, 1\n  output      <-  2\n" in said  # as the bits say


def test_a_number_is_an_architecture_of_a_table(table: Path) -> None:
    assert look_up("7", str(table), 4).text == bench.load(str(table)).space.format(7)


@pytest.mark.long
def test_cells_of_nas_bench_201(monkeypatch: pytest.MonkeyPatch) -> None:
    benchmark = invented_cells()
    opened(benchmark, monkeypatch)
    monkeypatch.setattr(data, "values_of", lambda b: (np.asarray(b.mean_val), b.mean_test))
    by_digits, space = look_up("012340", "any", None), benchmark.space
    assert by_digits.arch.tolist() == [0, 1, 2, 3, 4, 0]  # a zero in front: no number
    assert int(space.index(data.parsed(space, "12", "any"))) == 12
    assert len(by_digits.near) == 24
    assert [cost.objective.name for cost in by_digits.costs] == ["params", "flops"]
    assert "rank" in text(by_digits)


def test_a_space_without_numbers_is_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(invented_benchmark(), monkeypatch)
    seen = look_up(GENOTYPE, "any", None)
    assert seen.text == GENOTYPE and seen.number is None
    assert len(seen.near) == 120 and len(seen.everybody.val) == data.DRAWN
    said = text(seen)
    below = (seen.everybody.val < seen.own.val[0]).sum()
    assert f"better than {below} of 1,000 drawn at random" in said
    assert "normal cell:" in said and "reduction cell:" in said
    drawn = figure(seen)
    assert len(drawn.axes) == 3
    names = {label.get_text() for label in drawn.legends[0].get_texts()}
    assert names == set(re.findall(r"\w+_\w+_?\w*(?=[|,]|$)", GENOTYPE))


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture_is_what_its_name_says(suffix: str, table: Path, tmp_path: Path) -> None:
    path = tmp_path / f"cell.{suffix}"
    for command in (["show"], ["bench", "show"]):
        done = called(*command, CELL, "--benchmark", table, "--out", path)
        assert done.returncode == 0, done.stderr
        head = path.read_bytes()[:200]
        assert head.startswith(b"\x89PNG") if suffix == "png" else b"<!DOCTYPE svg" in head
        assert str(path) in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["11 input"], "found '11 input'; expected"),
        (["99999"], "has no architecture number '99999'; expected 0 to"),
        (["5", "--epochs", "7"], "no budget of 7 epochs"),
        (["5", "--out", "cell.pdf"], "--out is cell.pdf; expected a name that ends in .png or"),
    ],
)
def test_bad_input_is_one_line(words: list[str], said: str, table: Path, tmp_path: Path) -> None:
    done = called("show", *words, "--benchmark", table, cwd=tmp_path)
    assert done.returncode == 2 and not done.stdout
    assert said in done.stderr and done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_default_picture_has_a_name_of_its_own(table: Path, tmp_path: Path) -> None:
    for cell in ("5", "6", "5"):
        assert called("show", cell, "--benchmark", table, cwd=tmp_path).returncode == 0
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_edges_lead_to_the_right_and_meet_nobody_else() -> None:
    space = bench.load("nb101-digits").space
    for row in range(0, 2532, 97):
        placed = place(space, jnp.int32(row))
        spots = {(x, y) for _, x, y in placed.vertices}
        assert len(spots) == len(placed.vertices)
        for route in placed.routes:
            assert route[0] in spots and route[-1] in spots
            assert not spots & set(route[1:-1])
            assert all(a[0] < b[0] for a, b in pairwise(route))
        cell = space.cell(row)
        assert len(placed.routes) == cell.num_edges and len(placed.vertices) == cell.num_vertices
