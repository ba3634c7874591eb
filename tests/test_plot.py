"""`rlnas plot` and `rlnas report` of everything in a folder: what can be drawn is, the rest is
named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from rlnas.analysis import cli, store
from rlnas.analysis.comparison.runs import ground_of
from rlnas.analysis.comparison.sweep import compare
from rlnas.analysis.comparison.write import finish
from rlnas.analysis.folders import REPORTED
from rlnas.analysis.text import tell

Said = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of random search and a random walk on two grounds, one agent with fewer seeds too; a
    training; a folder of every other kind, one that is not finished, and two that are none."""
    out = tmp_path_factory.mktemp("made") / "runs"
    agents = ("random_search", "a walk=random_walk")
    for budget, seeds, entered in ((5, 3, agents), (4, 3, agents), (5, 2, agents[1:])):
        finish(compare(str(table), entered, budget=budget, seeds=seeds, out=out), out)
    train = f"--benchmark {table} --preset smoke --steps 64 --evaluate-every 64"
    train += " --evaluation-seeds 3 --judging-seeds 4"
    assert cli.main(["train", "averages:AveragesAgent", *train.split(), "--out", str(out)]) == 0
    for kind in ("ablate", "landscape", "scale", "oneshot"):
        folder = out / f"{kind}-0123456789abcdef"
        folder.mkdir()
        tell(f"What {kind} said.", folder, {})
    store.write_json(out / "landscape-0123456789abcdef" / "summary.json", {"format": "x"})
    for name in ("train-unfinished", "tabulate-digits-1", "trainings-1", "mine", "0badbad0"):
        (out / name).mkdir()
    store.write_json(out / "trainings-1" / "manifest.json", {"format": "rlnas-trainings"})
    (out / "notes.txt").write_text("mine")
    return out


@pytest.fixture
def runs(made: Path, tmp_path: Path) -> list[str]:
    """What `runs/*` stands for, in a folder of the test's own."""
    shutil.copytree(made, tmp_path / "runs")
    return [str(path) for path in sorted((tmp_path / "runs").iterdir())]


@pytest.mark.long
def test_plot_draws_what_can_be_drawn_and_names_the_rest(
    runs: list[str], tmp_path: Path, capsys: Said
) -> None:
    capsys.readouterr()
    assert cli.main(["plot", *runs, "--out", str(tmp_path / "drawn")]) == 0
    out, err = capsys.readouterr()
    figures = sorted(path.parent for path in (tmp_path / "drawn").glob("*/figure.png"))
    assert [path.name for path in figures] == ["small-4-queries", "small-5-queries"]
    for folder in figures:
        drawn = json.loads((folder / "summary.json").read_text())["runs"]
        assert sorted(run["agent"] for run in drawn) == ["a walk", "random_search"]
        assert {run["seeds"] for run in drawn} == {3}
        assert folder.name in out and str(folder / "figure.png") in out
    drawn_from = {path.parent.name for path in (tmp_path / "runs").glob("*/history.npz")}
    for path in map(Path, runs):
        assert str(path) in err or path.name in drawn_from or path.name.startswith("compare")
    assert "a walk is drawn from" in err and "trainings: `rlnas report`" in err
    assert "rlnas: error" not in err


def test_plot_of_one_ground_is_in_the_folder_itself(
    runs: list[str], tmp_path: Path, capsys: Said
) -> None:
    one = next(path for path in runs if "compare" in path)
    assert cli.main(["plot", one, "--out", str(tmp_path / "drawn")]) == 0
    assert (tmp_path / "drawn" / "figure.png").is_file()


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train-unfinished"], "trainings: `rlnas report` draws or says them again"),
        (["mine"], "mine is no finished run (no manifest.json)"),
        (["mine", "notes.txt", "trainings-1"], "nothing to draw in 3 folders"),
    ],
)
def test_nothing_to_draw(
    names: list[str], message: str, runs: list[str], tmp_path: Path, capsys: Said
) -> None:
    words = [str(tmp_path / "runs" / name) for name in names]
    assert cli.main(["plot", *words, "--out", str(tmp_path / "drawn")]) == 2
    err = capsys.readouterr().err
    assert err.splitlines()[-1].startswith("rlnas: error: ") and message in err
    assert all(word in err for word in words) or len(words) == 1
    assert not (tmp_path / "drawn").exists()


@pytest.mark.long
def test_report_reports_every_kind(runs: list[str], tmp_path: Path, capsys: Said) -> None:
    capsys.readouterr()
    assert cli.main(["report", *runs, "--out", str(tmp_path / "drawn")]) == 0
    out, err = capsys.readouterr()
    for kind in ("ablate", "landscape", "scale", "oneshot"):
        assert f"What {kind} said." in out
    assert "best checkpoint" in out and "a walk" in out
    assert (tmp_path / "drawn" / "small-5-queries" / "figure.png").is_file()
    for name in ("train-unfinished", "tabulate-digits-1", "trainings-1", "mine", "0badbad0"):
        assert str(tmp_path / "runs" / name) in err
    assert "trainings that are not finished; the same command again goes on" in err


def test_a_training_of_another_version_is_one_line(
    runs: list[str], tmp_path: Path, capsys: Said
) -> None:
    (folder,) = (path.parent for path in (tmp_path / "runs").glob("train-*/curve.csv"))
    manifest = json.loads((folder / "manifest.json").read_text())
    store.write_json(folder / "manifest.json", manifest | {"judged": {"dqn": {}}})
    assert cli.main(["report", str(folder)]) == 2
    assert "or of another version: no judged.dqn.val; train again" in capsys.readouterr().err


def test_the_kinds_are_those_of_the_commands() -> None:
    by_compare = {"fronts", "seconds", "fidelities"}  # of its options
    assert set(REPORTED) - by_compare <= {name.split()[-1] for name in cli.COMMANDS}


def test_grounds(made: Path) -> None:
    found = [store.load(path.parent) for path in made.glob("*/history.npz")]
    assert len({ground_of(run) for run in found}) == 2 and len(found) == 5
