"""Stored runs as data frames, and what notebooks show of runs and figures."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.protocol import History
from rlnas.analysis import Run, compare, load_runs, plot_runs
from rlnas.analysis.comparison.entrants import entrants
from rlnas.analysis.comparison.measures import measure
from rlnas.analysis.comparison.write import finish
from rlnas.analysis.frames import COLUMNS, formatted
from rlnas.bench.errors import UserError
from surrogates import invented_benchmark
from tables import small_table


@pytest.fixture(scope="module")
def runs(table: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    out = tmp_path_factory.mktemp("frames") / "runs"
    made = compare(str(table), ("random_search", "a walk=random_walk"), budget=5, seeds=3, out=out)
    finish(made, out)
    return made


def test_every_query_is_a_line(runs: list[Run], table: Path) -> None:
    folder = next(runs[0].folder.parent.glob("compare-*"))
    frame = load_runs(folder, benchmark=str(table))
    assert tuple(frame) == COLUMNS and len(frame) == 2 * 3 * 5
    assert load_runs(*(run.folder for run in runs), folder, benchmark=str(table)).shape == (30, 9)
    space = bench.load(str(table)).space
    for run in runs:
        part = frame[frame.label == run.label]
        assert set(part.agent) == {run.manifest["agent"]} and set(part.benchmark) == {"small"}
        for line in part.itertuples():
            at = line.seed, line.query - 1
            assert line.val == run.history.val[at] and line.reported == run.history.reported[at]
            assert line.seconds == run.history.sim_seconds[at]
            assert line.architecture == space.format(int(run.history.arch[at]))


def test_texts_can_be_left_out_and_are_never_of_another_table(
    runs: list[Run], tmp_path: Path
) -> None:
    folder = runs[0].folder
    assert "architecture" not in load_runs(folder, architectures=False)
    with pytest.raises(UserError, match=r"benchmark cannot be opened.*architectures=False"):
        load_runs(str(folder))
    small_table(repeats=2).save(other := tmp_path / "other.npz")
    with pytest.raises(UserError, match="searched small with sha256"):
        load_runs(folder, benchmark=str(other))
    with pytest.raises(UserError, match="no folder"):
        load_runs(tmp_path / "none")


def test_architectures_that_are_arrays_have_texts() -> None:
    benchmark = invented_benchmark()
    archs = np.stack([[benchmark.space.parse(text)] * 2 for text in TEXTS])
    assert formatted(benchmark.space, archs).tolist() == [[text] * 2 for text in TEXTS]
    row = np.array([[3, -1]], np.int32)
    assert formatted(bench.load("nb101-digits").space, row)[0, 1] == ""


EDGES = "0:{0}|1:{0}|0:{0}|2:{0}|1:{0}|3:{0}|0:{0}|4:{0}"
TEXTS = [",".join([EDGES.format(op)] * 2) for op in ("skip_connect", "sep_conv_3x3")]


def test_reprs_are_short(runs: list[Run]) -> None:
    folder = runs[1].folder
    assert repr(runs[1]) == f"<Run a walk on small: 3 seeds x 5 queries, {folder}>"
    for thing in (entrants(runs), measure(runs)):
        assert "array" not in repr(thing) and len(repr(thing)) < 600


def test_a_figure_shows_itself_and_nothing_global_changes(runs: list[Run]) -> None:
    before = dict(matplotlib.rcParams)
    by_runs, by_folders = plot_runs(*runs), plot_runs(*(str(run.folder) for run in runs))
    assert by_runs._repr_png_().startswith(b"\x89PNG")
    assert by_runs._repr_png_() == by_folders._repr_png_()
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(UserError, match="no runs given"):
        plot_runs()


def test_a_history_is_no_part_of_what_a_run_prints(runs: list[Run]) -> None:
    assert isinstance(runs[0].history, History) and "History" not in repr(runs[0])
