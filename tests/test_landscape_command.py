"""`rlnas landscape`, from options to files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.analysis.landscape import map as maps
from rlnas.analysis.landscape.command import Landscape
from rlnas.analysis.landscape.figure import figure
from rlnas.analysis.landscape.measures import ascents, measure, summary, tables
from rlnas.analysis.landscape.text import text
from rlnas.bench.connected import connectivity
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.benchmark import from_table
from rlnas.bench.stand_ins import GridBenchmark, make, ring
from said import called, complaints
from tables import small_benchmark, small_table

HILLS = [0.1, 0.5, 0.9, 0.5, 0.2, 0.6, 0.8, 0.3]

FILES = {
    "figure.png",
    "figure.svg",
    "report.txt",
    "report.sha256",
    "summary.json",
    "autocorrelation.csv",
    "optima.csv",
    "ranks.csv",
    "rewards.csv",
    "reward_histogram.csv",
}


@pytest.mark.long
def test_the_command_leaves_everything_behind(tmp_path: Path) -> None:
    """A partial table with missing values, through the command line, twice: equal bytes."""
    rows = np.delete(np.arange(91), [5, 50, 60])
    table = small_table(rows=rows)
    table.val[3] = table.test[3] = np.nan
    table.save(tmp_path / "small.npz")
    options = [
        "--benchmark",
        str(tmp_path / "small.npz"),
        "--walks",
        "20",
        "--length",
        "30",
        "--lags",
        "4",
    ]
    words = ["landscape", *options, "--alphas", "2", "8", "--out", tmp_path / "a"]
    done = called(*words, cwd=tmp_path)
    assert (done.returncode, complaints(done.stderr)) == (0, "")
    assert "a partial table, 88 of 91 cells" in done.stdout
    assert "1 of 88 cells have no value" in done.stdout
    (folder,) = (tmp_path / "a").glob("landscape-*")
    assert folder.name.startswith("landscape-")
    assert {path.name for path in folder.iterdir()} == FILES | {"command.toml"}

    results = json.loads((folder / "summary.json").read_text())["results"]
    assert results["cells"] == {"space": 91, "table": 88, "measured": 88, "with_value": 87}
    with open(folder / "optima.csv", newline="") as file:
        optima = list(csv.DictReader(file))
    assert len(optima) == results["local_optima"]["number"]
    assert sum(int(line["basin"]) for line in optima) == 87
    with open(folder / "autocorrelation.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["accuracy"], line["lag"]) for line in lines] == [
        (name, str(lag)) for name in ("validation", "test") for lag in range(5)
    ]
    with open(folder / "rewards.csv", newline="") as file:
        assert [float(line["alpha"]) for line in csv.DictReader(file)] == [2, 8]

    config = Landscape(
        benchmark=str(tmp_path / "small.npz"),
        walks=20,
        length=30,
        lags=4,
        alphas=(2.0, 8.0),
        out=tmp_path / "b",
    )
    config.run()
    for name in FILES:
        assert (tmp_path / "b" / folder.name / name).read_bytes() == (folder / name).read_bytes(), (
            name
        )


def test_a_table_that_falls_apart_is_measured_by_its_largest_component(tmp_path: Path) -> None:
    """Before, a length was inf [inf, inf]: walks that could not move remembered everything."""
    rows = np.sort(np.random.default_rng(0).choice(2532, 300, replace=False))
    table = small_table(5, rows=rows)
    benchmark = from_table(table)
    space = benchmark.space
    found = connectivity(np.asarray(space.offsets), np.asarray(space.flat))
    assert 30 < len(found.largest) < 300 and found.isolated > 0
    measured = measure(benchmark, walks=50, length=40, lags=4)
    for walk in measured.walks.values():
        assert np.isfinite(walk.length).all() and not np.isinf(walk.decay[0])
    facts = summary(measured)
    assert facts["cells"]["table"] == 300 and facts["cells"]["measured"] == len(found.largest)
    assert facts["local_optima"]["without_neighbours"] < found.isolated
    assert facts["optimum"] == np.nanmax(benchmark.mean_test[found.largest])
    best = tables(measured)["optima"][0]
    assert best["row"] == found.largest[np.argmax(benchmark.mean_val[found.largest])]
    said = text(measured)
    assert f"largest connected component, {len(found.largest)} cells, and regrets are" in said
    assert (
        f"300 of 2,532 cells ({found})" in said
        and "inf [" not in said
        and len(figure(measured).axes) == 7
    )
    with pytest.raises(UserError, match=r"small falls apart: 40 cells, .* of at least 30"):
        measure(from_table(small_table(5, rows=rows[:40])), walks=5, length=20, lags=2)
    with pytest.raises(UserError, match="stand-in falls apart"):
        measure(make([[1], [0], [3], [2]], np.ones(4)), walks=5, length=20, lags=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"walks": 0}, "--walks is 0"),
        ({"lags": 200}, "--lags is 200"),
        ({"alphas": ()}, "--alphas is empty"),
        ({"alphas": (0.0,)}, "--alphas is 0.0"),
        ({"seed": -1}, "--seed is -1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Landscape(**options).run()


def test_steepest_ascent_in_numbers() -> None:
    """The two hills: half of the ascents end in the best; test is 1 - validation."""
    measured = measure(ring(np.array(HILLS)), walks=5, length=20, lags=2)
    assert measured.table is not None
    found = ascents(measured.table, measured.optimum)
    assert found["ends_in_global_optimum"] == found["ends_in_top_1_percent"] == 0.5
    assert found["steps_mean"] == 1.0
    lowest = min(HILLS)
    assert found["regret_of_ends"] == pytest.approx(0.85 - lowest, abs=1e-6)
    assert found["regret_of_random_cells"] == pytest.approx(np.mean(HILLS) - lowest, abs=1e-6)
    assert found["regret_of_global_optimum"] == pytest.approx(0.9 - lowest, abs=1e-6)


def test_the_figure_makes_do_with_less() -> None:
    """A space without lists, a table of validation accuracies only, and the largest alpha."""
    options = {"walks": 10, "length": 20, "lags": 3, "alphas": (999.0,)}
    measured = measure(GridBenchmark(), **options)
    assert len(figure(measured).axes) == 2
    assert "drawn moves" in text(measured)
    table = small_table()
    table.test[:] = np.nan
    measured = measure(from_table(table), **options)
    assert set(measured.walks) == {"validation"}
    assert "no test accuracy" in text(measured).lower()
    assert len(figure(measured).axes) == 7  # one has two y axes


def test_a_map_of_more_cells_than_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "POINTS", 30)
    benchmark = small_benchmark()
    points = np.asarray(benchmark.space.encode(jnp.arange(91)), np.float32)
    accuracy = np.asarray(benchmark.mean_val).copy()
    accuracy[:10] = np.nan
    drawn = maps.encoding_map(points, accuracy, "encodings")
    assert len(drawn.axes[0].collections[0].get_offsets()) == 30
