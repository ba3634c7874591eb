"""The comparison from options to files: complete, resumable, equal bytes, redrawn from histories
alone."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.random_search import RandomSearch
from rlnas.analysis import stats, store
from rlnas.analysis.comparison import curves, measures, sweep
from rlnas.analysis.comparison.command import Compare, Plot
from rlnas.analysis.comparison.runs import check_comparable, collect
from rlnas.analysis.comparison.table import text
from rlnas.analysis.report.command import Report
from rlnas.analysis.text import humanise
from rlnas.bench.errors import UserError

AGENTS = ("random_search", "evolution:population=4,tournament=2")
FILES = {"figure.png", "figure.svg", "table.csv", "summary.json"}


@pytest.fixture(scope="module")
def config(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    """A small comparison that has been run."""
    out = tmp_path_factory.mktemp("runs")
    config = Compare(benchmark=(str(table),), agents=AGENTS, budget=12, seeds=6, out=out)
    config.run()
    return config


def folders(out: Path) -> tuple[list[Path], Path]:
    """(run folders, comparison folder)."""
    inside = sorted(out.iterdir())
    comparisons = [path for path in inside if path.name.startswith("compare-")]
    assert len(comparisons) == 1
    return [path for path in inside if path not in comparisons], comparisons[0]


def runs_of(config: Compare) -> list[store.Run]:
    return collect([folders(config.out)[1]])


def searched(config: Compare) -> list[store.Run]:
    options = {
        name: value
        for name, value in vars(config).items()
        if name not in ("reference", "seconds", "any_fidelity", "objectives")
    }
    return sweep.compare(*options.pop("benchmark"), **options)


def test_everything_is_left_behind(config: Compare) -> None:
    runs, comparison = folders(config.out)
    assert {path.name for path in comparison.iterdir()} == FILES
    assert len(runs) == 2
    for folder in runs:
        assert {path.name for path in folder.iterdir()} == {"manifest.json", "history.npz"}
        assert store.load(folder).manifest["hash"] == folder.name
        assert store.load(folder).history.val.shape == (6, 12)


def test_the_table_says_what_the_histories_say(config: Compare) -> None:
    with open(folders(config.out)[1] / "table.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["queries"], line["agent"]) for line in lines] == list(
        itertools.product(["10", "12"], AGENTS)
    )
    ours, other = runs_of(config)
    final = {
        run.label: np.take_along_axis(
            np.asarray(run.history.reported), run.history.incumbent[:, -1:], 1
        )[:, 0]
        for run in (ours, other)
    }
    for line in lines[2:]:
        values = final[line["agent"]].astype(float)
        assert float(line["accuracy_iqm"]) == pytest.approx(np.sort(values)[1:5].mean())
        assert float(line["accuracy_mean"]) == pytest.approx(values.mean())
        assert float(line["regret_iqm"]) == pytest.approx(
            ours.manifest["optimum"] - np.sort(values)[1:5].mean()
        )
        assert (
            float(line["accuracy_iqm_low"])
            <= float(line["accuracy_iqm"])
            <= float(line["accuracy_iqm_high"])
        )
        assert (
            float(line["regret_iqm_low"])
            <= float(line["regret_iqm"])
            <= float(line["regret_iqm_high"])
        )
        assert float(line["simulated_seconds_mean"]) == pytest.approx(12 * 3 * 120)
        assert line["pretraining_lookups"] == "0"
    best = max(AGENTS, key=lambda agent: float(stats.iqm(final[agent].astype(float))))
    (other,) = (agent for agent in AGENTS if agent != best)
    row = next(line for line in lines[2:] if line["agent"] == other)
    assert row["reference"] == best
    a, b = final[other].astype(float), final[best].astype(float)
    by_hand = np.mean([(x > y) + 0.5 * (x == y) for x in a for y in b])
    assert float(row["improvement"]) == pytest.approx(by_hand)
    assert float(row["difference"]) == pytest.approx((a - b).mean())
    itself = next(line for line in lines[2:] if line["agent"] == best)
    assert itself["improvement"] == itself["p_holm"] == ""


def test_the_incumbent_is_chosen_by_validation(config: Compare) -> None:
    """The best by validation is the worst by test here, so the curves of searches that work fall;
    choosing by test, or drawing the best test so far, would make them rise."""
    for run in runs_of(config):
        values = curves.incumbent_values(run.history)
        chosen = np.maximum.accumulate(np.asarray(run.history.val), axis=1)
        shown = curves.incumbent_values(run.history, of=np.asarray(run.history.val))
        np.testing.assert_array_equal(shown, chosen)
        assert (values[:, -1] <= values[:, 0]).all() and values[:, -1].mean() < values[:, 0].mean()


def test_the_summary_says_what_was_compared(config: Compare) -> None:
    summary = json.loads((folders(config.out)[1] / "summary.json").read_text())
    assert summary["benchmark"]["name"] == "small"
    assert [run["agent"] for run in summary["runs"]] == list(AGENTS)
    assert summary["runs"][1]["settings"]["population"] == 4
    assert summary["reference"] in AGENTS
    assert len(summary["table"]) == 4


def test_what_is_done_is_not_done_again(config: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in config.out.glob("*/history.npz")}
    bytes_before = {path: path.read_bytes() for path in folders(config.out)[1].iterdir()}
    monkeypatch.setattr(sweep, "run_seeds", None)
    config.run()
    assert {path: path.stat().st_mtime_ns for path in config.out.glob("*/history.npz")} == before
    assert {path: path.read_bytes() for path in folders(config.out)[1].iterdir()} == bytes_before
    with pytest.raises(TypeError):
        dataclasses.replace(config, redo=True).run()


def test_a_damaged_run_is_named_and_redone(
    config: Compare, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    small = dataclasses.replace(config, agents=("random_search",), out=tmp_path)
    small.run()
    (folder,), comparison = folders(tmp_path)
    whole = (folder / "history.npz").read_bytes()
    (folder / "history.npz").write_bytes(whole[:-50])
    with pytest.raises(UserError, match="history"):
        Plot((comparison,), tmp_path / "figures").run()
    capsys.readouterr()
    small.run()
    assert f"redoing random_search: {folder / 'history.npz'}" in capsys.readouterr().err
    assert (folder / "history.npz").read_bytes() == whole


def test_redrawn_from_histories_alone(
    config: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Same bytes, from the comparison's folder and from the run folders, with no benchmark to look
    at."""
    monkeypatch.setattr("rlnas.bench.load", None)
    runs, comparison = folders(config.out)
    Plot((comparison,), tmp_path / "a").run()
    Plot((comparison, *runs), tmp_path / "b").run()  # each run once
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (comparison / name).read_bytes(), name
        assert (tmp_path / "b" / name).read_bytes() == (comparison / name).read_bytes(), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"benchmark": {"noise": "sample"}}, "noise is mean in .* but sample in"),
        ({"benchmark": {"epochs": 4}}, "epochs is 12 in .* but 4 in"),
        ({"budget": 9}, "budget is 12 in .* but 9 in"),
        ({"seeds": 1}, "one seed"),
    ],
)
def test_runs_of_different_grounds_are_not_mixed(
    config: Compare, change: dict[str, Any], message: str
) -> None:
    one, other = runs_of(config)
    if "benchmark" in change:
        change = {"benchmark": other.manifest["benchmark"] | change["benchmark"]}
    with pytest.raises(UserError, match=message):
        check_comparable([one, dataclasses.replace(other, manifest=other.manifest | change)])
    check_comparable([one, other])


def test_the_same_agent_twice_is_refused(config: Compare) -> None:
    spelled = (
        "random_walk",
        "evolution:population=4,tournament=2",
        "evolution:tournament=2,population=4",
    )
    with pytest.raises(UserError, match="are the same"):
        dataclasses.replace(config, agents=spelled).run()


@pytest.mark.long
def test_the_reference_can_be_chosen(
    config: Compare, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for agent in AGENTS:
        Plot((folders(config.out)[1],), tmp_path, reference=agent).run()
        assert f"Against {agent}" in capsys.readouterr().out
        summary = json.loads((tmp_path / "summary.json").read_text())
        assert summary["reference"] == agent
        others = {row["agent"] for row in summary["table"] if row["p_holm"] is not None}
        assert others == {*AGENTS} - {agent}
    asked = config.out / "asked"
    Plot((folders(config.out)[1],), asked, reference=AGENTS[0]).run()
    before = {path.name: path.read_bytes() for path in asked.iterdir()}
    Report((asked,)).run()  # with the reference it had
    assert {path.name: path.read_bytes() for path in asked.iterdir()} == before
    shutil.rmtree(asked)
    with pytest.raises(UserError, match=r"--reference nobody is no agent .* random_search"):
        Plot((folders(config.out)[1],), tmp_path, reference="nobody").run()


@dataclasses.dataclass(frozen=True)
class Learned(RandomSearch):
    """An agent that says what it was trained on."""

    checkpoint: str = "abc"

    @property
    def pretraining(self) -> dict[str, Any]:
        return {"lookups": 64_000, "trained_on": "other-table"}

    def unseen(self, benchmark: Any, archs: np.ndarray) -> None:
        """Nobody knows."""


def test_learned_agents_show_what_they_cost(config: Compare, tmp_path: Path) -> None:
    benchmark = bench.load(*config.benchmark)
    contender = sweep.Contender("dqn", "dqn:abc", Learned())
    spec = sweep.spec_of(contender, benchmark, config.budget, 0, config.seeds)
    learned = sweep.run_agent(contender, benchmark, spec, tmp_path / "run")
    runs = [*runs_of(config), learned]
    measured = measures.measure(runs)
    assert [row["pretraining_lookups"] for row in measured.rows[:3]] == [0, 0, 64_000]
    assert measured.rows[2]["trained_on"] == "other-table"
    assert measured.reference != "dqn:abc"
    said = text(runs, measured)
    assert "look-ups before" in said and "64,000       -" in said
    assert "trained on other-table with 64,000 look-ups; one training" in said


def test_durations_are_for_people() -> None:
    spelled = [
        humanise(s) for s in (0.0, 119.94, 120.0, 7199.0, 7200.0, 172_799.0, 172_800.0, 1e9, None)
    ]
    assert spelled == [
        "0.0 s",
        "119.9 s",
        "2.0 min",
        "120.0 min",
        "2.0 h",
        "48.0 h",
        "2.0 days",
        "11,574.1 days",
        "-",
    ]


def test_checkpoints_end_with_the_budget() -> None:
    assert measures.checkpoints(150) == [10, 20, 50, 100, 150]
    assert measures.checkpoints(30) == [10, 20, 30]
    assert measures.checkpoints(3) == [3]
    assert measures.checkpoints(400) == [10, 20, 50, 100, 150, 200, 300, 400]
