"""Several benchmarks in one comparison: scores by hand, benchmarks as strata, runs as ever."""

from __future__ import annotations

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from made_runs import made_run, searches, trained_run
from rlnas.analysis import paired, stats, store
from rlnas.analysis.comparison import sweep
from rlnas.analysis.comparison.command import Compare, Plot
from rlnas.analysis.comparison.several import text as words
from rlnas.analysis.comparison.several.figure import figure
from rlnas.analysis.comparison.several.measures import EVERYWHERE, together
from rlnas.analysis.report.command import Report
from rlnas.bench.errors import UserError
from tables import small_table
from test_compare_figure import texts_that_overlap


def runs_on(benchmark: str, level: float, **changes: object) -> list[store.Run]:
    """Random search and two other agents."""
    made = {"random_search": 0.0, "evolution": 0.05, "mine": 0.1}
    return [
        made_run(agent, searches(level + gain), benchmark=benchmark, **changes)
        for agent, gain in made.items()
    ]


@pytest.fixture(scope="module")
def runs() -> list[store.Run]:
    """On a benchmark whose best is known, 1, and on one where it is not."""
    return [*runs_on("known", 0.7), *runs_on("unknown", 0.5, optimum=None)]


def test_scores_by_hand(runs: Sequence[store.Run]) -> None:
    several = together(runs)
    chance, _, mine = (np.asarray(run.history.reported, np.float64) for run in runs[:3])
    zero = chance.mean(axis=0)
    np.testing.assert_allclose(
        several.scores["mine"][0][:, 0], ((mine - zero) / (1 - zero)).T, rtol=1e-6
    )
    assert several.scores["random_search"][0].mean(axis=(1, 2)) == pytest.approx(0, abs=1e-9)
    best = max(float(np.asarray(run.history.reported).max()) for run in runs[3:])
    assert [ground.best for ground in several.grounds] == [1.0, pytest.approx(best)]
    assert max(several.scores["mine"][1].max(), several.scores["evolution"][1].max()) == 1
    said = words.text(several)
    assert "(on unknown, where that is unknown, the best that any agent here looked up)" in (
        " ".join(said.split())
    )
    assert "at optimum" not in said and "stratified bootstrap" in said
    assert said.startswith("mine leads at 12 queries on 2 benchmarks: score ")


def test_the_table_is_of_strata(runs: Sequence[store.Run]) -> None:
    several = together(runs)
    ends = {label: [values[[-1]] for values in of] for label, of in several.scores.items()}
    row = next(row for row in reversed(several.of(EVERYWHERE)) if row["agent"] == "mine")
    for name, statistic in (("score_iqm", stats.iqm), ("score_mean", stats.mean)):
        expected = stats.bootstrap(ends["mine"], statistic)
        assert row[name] == pytest.approx(expected.value[0])
        assert row[f"{name}_low"] == pytest.approx(expected.low[0])
    assert several.reference == row["reference"] == "mine" or row["reference"] is None
    other = next(row for row in reversed(several.of(EVERYWHERE)) if row["agent"] == "evolution")
    apart, _ = paired.difference(ends["evolution"], ends[several.reference])
    assert other["difference"] == pytest.approx(apart.value[0])
    alone = next(row for row in reversed(several.of("unknown")) if row["agent"] == "mine")
    assert alone["score_mean"] == pytest.approx(ends["mine"][1].mean())
    assert alone["p_holm"] is None and {row["benchmark"] for row in several.rows} == {
        "all", "known", "unknown",
    }  # fmt: skip


def test_paired_differences_of_anytime_scores_and_on_each_benchmark(
    runs: Sequence[store.Run],
) -> None:
    several = together(runs, "evolution")
    last = {name: several.of(name)[-3:] for name in (EVERYWHERE, "known", "unknown")}
    rows = {name: next(r for r in of if r["agent"] == "mine") for name, of in last.items()}
    ours, theirs = several.scores["mine"], several.scores["evolution"]
    ends = [float((x[-1] - y[-1]).mean()) for x, y in zip(ours, theirs, strict=True)]
    means = [float((x - y).mean()) for x, y in zip(ours, theirs, strict=True)]
    for key, expected in (("difference", ends), ("anytime_difference", means)):
        assert rows[EVERYWHERE][key] == pytest.approx(np.mean(expected))
        assert [rows[name][key] for name in ("known", "unknown")] == pytest.approx(expected)
        assert rows["known"][f"{key}_low"] < rows["known"][key] < rows["known"][f"{key}_high"]
    assert f"{rows['known']['anytime_difference']:.2f} [" in words.apart(
        several, "anytime_difference"
    )
    alone = several.grounds[0].measured.last("mine")
    accuracy = [run.history.reported.mean() for run in runs[:3]]
    assert alone["anytime_difference"] == pytest.approx(accuracy[2] - accuracy[1], abs=1e-6)
    validation = np.asarray(runs[2].history.val)[:, -1].mean()
    assert alone["validation_mean"] == pytest.approx(validation)


def test_trainings_are_drawn_once_for_all_benchmarks() -> None:
    """A training that is good is good on both: its interval is that of the trainings."""
    levels = [0.75, 0.8, 0.85, 0.9, 0.95]
    runs = []
    for benchmark in ("a", "b"):
        runs.append(made_run("random_search", searches(0.7), benchmark=benchmark))
        runs += [
            trained_run(f"dqn:runs/train-{i}", searches(level), benchmark=benchmark)
            for i, level in enumerate(levels)
        ]
    several = together(runs)
    assert [values.shape for values in several.scores["dqn, 5 trainings"]] == [(12, 5, 8)] * 2
    row = next(r for r in reversed(several.of(EVERYWHERE)) if r["agent"] == "dqn, 5 trainings")
    one = next(r for r in reversed(several.of("a")) if r["agent"] == "dqn, 5 trainings")
    wide, narrow = (r["score_mean_high"] - r["score_mean_low"] for r in (one, row))
    assert narrow > 0.85 * wide  # as of one benchmark; drawn apart it would be 0.71 of it
    assert "the trainings, the same ones on all benchmarks" in " ".join(words.text(several).split())


def test_nothing_to_gain_is_no_score() -> None:
    solved = np.ones((8, 12))
    runs = runs_on("hard", 0.7)
    runs += [made_run(run.label, solved, benchmark="easy") for run in runs]
    several = together(runs)
    assert several.leaders == () and several.profile == {}
    assert words.text(several).startswith("No agent has an answer at 12 queries")
    assert not texts_that_overlap(figure(several))


@pytest.mark.parametrize("grounds", [2, 5])
def test_nothing_in_the_figure_overlaps(grounds: int) -> None:
    runs = [run for i in range(grounds) for run in runs_on(f"benchmark-{i}", 0.5 + 0.05 * i)]
    drawn = figure(together(runs))
    assert len(drawn.axes) == 1 + grounds
    assert not texts_that_overlap(drawn)
    bottom, top = drawn.axes[0].get_ylim()
    for axes in drawn.axes:
        assert axes.get_ylim() == (bottom, top)
        for line in axes.get_lines():
            assert (np.asarray(line.get_ydata()) <= top).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs[:-1], r"on known and on unknown different agents .* \(mine\)"),
        (lambda runs: [*runs[1:3], *runs[4:]], "no random_search on known"),
        (
            lambda runs: [
                *runs[:3],
                *(made_run(r.label, r.history.reported[:, :9], benchmark="x") for r in runs[3:]),
            ],
            "differ in their budget",
        ),
    ],
)
def test_other_agents_or_budgets_are_refused(
    runs: list[store.Run], change: object, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        together(change(runs))  # type: ignore[operator]


# From the command line


@pytest.fixture(scope="module")
def done(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """A comparison over two tables, without random search being asked for; before it, a comparison
    over one of them."""
    out = tmp_path_factory.mktemp("several")
    made = small_table(rows=np.arange(40))
    (other := dataclasses.replace(made, meta=made.meta | {"name": "part"})).save(out / "part.npz")
    assert other.meta["name"] == "part"
    agents = ("evolution:population=4,tournament=2",)
    alone = Compare((str(table),), ("random_search", *agents), budget=12, seeds=6, out=out / "runs")
    alone.run()
    command = dataclasses.replace(
        alone, benchmark=(str(table), str(out / "part.npz")), agents=agents
    )
    before = {path: path.stat().st_mtime_ns for path in (out / "runs").glob("*/history.npz")}
    command.run()
    after = {path: path.stat().st_mtime_ns for path in (out / "runs").glob("*/history.npz")}
    assert len(before) == 2 and len(after) == 4 and before.items() < after.items()
    return command


def aggregate(command: Compare) -> Path:
    (folder,) = (
        path.parent
        for path in command.out.glob("compare-*/summary.json")
        if "benchmarks" in json.loads(path.read_text())
    )
    return folder


@pytest.mark.long
def test_each_benchmark_is_run_as_alone(done: Compare) -> None:
    """What the first comparison ran is not run again (see `done`), its own folder is the same one;
    then all of them together, in a folder of its own."""
    assert len(list(done.out.glob("compare-*"))) == 3
    summary = json.loads((aggregate(done) / "summary.json").read_text())
    assert [found["name"] for found in summary["benchmarks"]] == ["small", "part"]
    assert "stratified" in summary["statistics"]["interval"]
    with open(aggregate(done) / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["benchmark"] for line in lines} == {"all", "small", "part"}
    assert {line["agent"] for line in lines} == {"random_search", *done.agents}
    assert all(line["score_mean"] for line in lines)


def test_it_is_drawn_again_from_histories_alone(
    done: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("rlnas.bench.load", None)
    monkeypatch.setattr(sweep, "run_seeds", None)
    folder = aggregate(done)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Plot((folder,), tmp_path / "drawn").run()
    assert {path.name: path.read_bytes() for path in (tmp_path / "drawn").iterdir()} == before
    (folder / "figure.png").unlink()
    Report((folder,)).run()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    capsys.readouterr()
    Plot(tuple(done.out.iterdir()), tmp_path / "each").run()  # with others: a figure a benchmark
    names = {path.name for path in (tmp_path / "each").iterdir()}
    assert names == {"small-12-queries", "part-12-queries"}


def test_a_benchmark_twice_or_none_is_refused(done: Compare) -> None:
    with pytest.raises(UserError, match="names one twice"):
        dataclasses.replace(done, benchmark=done.benchmark[:1] * 2).run()
    with pytest.raises(UserError, match="no benchmark given"):
        dataclasses.replace(done, benchmark=()).run()
