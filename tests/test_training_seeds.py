"""`rlnas train --seeds`: each training the bytes of one alone, here and elsewhere."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from averages import AGENT
from rlnas.analysis.training import loop, several
from rlnas.analysis.training.data import STATE
from rlnas.bench.executor import LOCAL, Executor
from said import called
from worker_tasks import run_here

SIZE = (
    "--preset smoke --epochs 4 --evaluate-every 64 --evaluation-seeds 3 "
    "--evaluation-queries 2 5 --judging-seeds 3"
)
TWO = ("--seed", "3", "--seeds", "2")
ON_RAY = ("--executor", "ray")
TIMES = {"seconds", "created", "peak_mb", "digest"}


def train(table: Path, *words: str, out: Path) -> Any:
    return called("train", AGENT, "--benchmark", table, *SIZE.split(), "--out", out, *words)


def without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in TIMES}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def files(out: Path) -> dict[str, Any]:
    """Of all trainings, without what tells how long they took."""
    found: dict[str, Any] = {}
    for path in (p for p in out.glob("train-*/**/*") if p.is_file() and p.name != "curve.csv"):
        content = path.read_bytes()
        manifest = path.name == "manifest.json"
        found[str(path.relative_to(out))] = (
            without_times(json.loads(content)) if manifest else content
        )
    return found


@pytest.fixture(scope="module")
def alone(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    for seed in ("3", "4"):
        assert train(table, "--seed", seed, out=out).returncode == 0
    return out


@pytest.mark.long
def test_trainings_one_after_another(table: Path, alone: Path, tmp_path: Path) -> None:
    done = train(table, *TWO, "--name", "mine", out=tmp_path)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path) == files(alone) and len(files(alone)) == 14
    names = {p.name: p.read_text().strip() for p in (tmp_path / ".names").iterdir()}
    assert set(names) == {"latest", "mine-3", "mine-4"} and names["latest"] == names["mine-4"]
    lines = done.stdout.splitlines()
    rows = {line.split("  ")[0]: line.split()[-4:] for line in lines if line[-1:].isdigit()}
    mean, *each = (rows[name] for name in (f"mean, {AGENT}", "seed 3", "seed 4"))
    for i, value in enumerate(mean):
        assert float(value) == pytest.approx(sum(float(row[i]) for row in each) / 2, abs=0.0101)
    again = train(table, *TWO, out=tmp_path)
    assert again.stderr.count(" is ") == 2 and again.stdout == done.stdout


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[several.Task]:
    """The tasks that Ray would do, done here; each is sent as to another machine."""
    tasks: list[several.Task] = []

    def run_all(self: Executor, function: Callable[..., Any], given: list[Any], *rest: Any) -> None:
        assert self != LOCAL
        tasks.extend(pickle.loads(pickle.dumps(given)))
        run_here(function, tasks[-len(given) :], *rest)

    monkeypatch.setattr(Executor, "run_all", run_all)
    monkeypatch.setattr(Executor, "check", lambda self: None)
    return tasks


@pytest.mark.long
def test_trainings_elsewhere_are_the_same_and_go_on_from_the_last_evaluation(
    table: Path, alone: Path, tmp_path: Path, sent: list[several.Task],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    keep, kept = several.keep, []

    def until_the_second(folder: Path, files: dict[str, bytes]) -> None:
        keep(folder, files)
        kept.append(sorted(files))
        if len(kept) == 3:  # what there was, nothing; two evaluations
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(several, "keep", until_the_second)
        assert train(table, *TWO, *ON_RAY, out=tmp_path).returncode == 130
    assert STATE in kept[2] and not list(tmp_path.rglob("manifest.json"))
    load, loaded = loop.load_state, list[int]()

    def load_state(path: Path, like: Any) -> Any:
        found = load(path, like)
        loaded.append(len(found.rows))
        return found

    monkeypatch.setattr(loop, "load_state", load_state)
    done = train(table, *TWO, *ON_RAY, "--log", "tensorboard", out=tmp_path)
    assert done.returncode == 0, done.stderr
    assert loaded == [1]  # what it saved last before it told of its second evaluation
    half, new = sent[-2:]
    assert STATE in (half.files or {}) and new.files == {}
    logs = list(tmp_path.glob("*/tensorboard"))
    assert len(logs) == 2
    for log in logs:
        shutil.rmtree(log)
    assert files(tmp_path) == files(alone)


def test_one_that_fails_is_named_and_the_others_are_done(
    table: Path, tmp_path: Path, sent: list[several.Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(task: several.Task, tell: Any) -> dict[str, bytes]:
        raise ValueError(f"no {task.config.seed}")

    monkeypatch.setattr(several, "train_apart", fail)
    done = train(table, *TWO, *ON_RAY, out=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "2 of 2 trainings failed, first training of seed 3: no 3; the same" in done.stderr
    assert [str(task) for task in sent] == ["training of seed 3", "training of seed 4"]


def test_a_training_that_would_be_another_there_is_refused(table: Path, tmp_path: Path) -> None:
    task = several.Task(several.TrainSettings(AGENT, str(table), out=tmp_path), {"benchmark": {}})
    with pytest.raises(several.bench.errors.UserError, match="expected None as where the command"):
        several.train_apart(task, print)
