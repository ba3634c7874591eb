"""`rlnas retrain` from options to verdict: what is chosen, killed and resumed, and what is said of
it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas import bench  # noqa: E402
from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.comparison.sweep import compare  # noqa: E402
from rlnas.analysis.report.command import Report  # noqa: E402
from rlnas.analysis.retrain import train as retrain_train  # noqa: E402
from rlnas.analysis.retrain.command import Retrain  # noqa: E402
from rlnas.analysis.retrain.select import model_of  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.retrain import checkpoint, jobs  # noqa: E402
from rlnas.bench.retrain.engine import Engine  # noqa: E402
from rlnas.bench.retrain.job import Data, Job  # noqa: E402
from rlnas.bench.workers import Failure  # noqa: E402
from torch_fixtures import kept, torch_as_it_was  # noqa: E402, F401
from worker_tasks import run_here  # noqa: E402

CELL = "110101 input,maxpool3x3,conv3x3-bn-relu,output"
TINY = ["--dataset", "digits", "--preset", "quick", "--channels", "4", "--stacks", "1"]


def parse(*words: object) -> Retrain:
    return cli.parse("retrain", Retrain, [str(word) for word in words])


# --- killed and resumed
# ---------------------------------------------------------------------------------

KILLED = [*TINY, "--cells", CELL, "--seeds", "1", "--epochs", "60", "--workers", "1"]
KILLED += ["--threads", "1", "--plain-loop-batches", "0", "--out", "out"]


def start(folder: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "rlnas.analysis.cli", "retrain", *KILLED]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


@pytest.mark.long
def test_killed_it_goes_on_after_its_last_whole_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The epochs before the kill come from a worker process, those after it from this one."""
    first = start(tmp_path)
    deadline = time.monotonic() + 120
    kept = None
    while kept is None or len(kept[1]["fit"]["curve"]) < 2:
        assert first.poll() is None and time.monotonic() < deadline, first.communicate()[1]
        time.sleep(0.005)
        paths = list((tmp_path / "out").glob("trainings-*/*.safetensors"))
        kept = checkpoint.load(paths[0]) if paths else None
    os.killpg(first.pid, signal.SIGKILL)  # the worker too, which would go on for a second
    first.communicate()
    kept = checkpoint.load(paths[0])
    assert kept is not None and not list((tmp_path / "out").glob("retrain-*"))
    before = kept[1]["fit"]["curve"]
    assert 2 <= len(before) < 60, "it ended before it could be killed"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rlnas.bench.workers.run_all", run_here)
    parse(*KILLED).run()
    assert "Table against retrained test accuracy, 1 architectures" in capsys.readouterr().out
    (path,) = (tmp_path / "out").glob("trainings-*/*-seed1000.json")
    resumed = json.loads(path.read_text())
    assert resumed["status"] == "done"
    # To the last digit, seconds too: the epochs before the kill were not trained again.
    assert resumed["curve"][: len(before)] == before
    # And all of it is what an uninterrupted training gives.
    config = parse(*KILLED)
    model = model_of(bench.load("nb101-digits"), resumed["arch"])
    data = Data("digits", None, config.settings.val_images)
    job = Job(resumed["arch"], model, 1000, data, config.settings, Engine(), tmp_path / "whole")
    whole = jobs.train(job, lambda told: None)
    numbers = [
        [(epoch["loss"], epoch["accuracy"]) for epoch in record["curve"]]
        for record in (resumed, whole)
    ]
    assert numbers[0] == numbers[1] and resumed["accuracy"] == whole["accuracy"]


# --- from runs to verdict
# -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """(results folder, searched folders) of a small retraining, all in one folder."""
    to = tmp_path_factory.mktemp("retrained")
    agents = ("random_search", "random_walk")
    runs = [run.folder for run in compare(agents=agents, budget=12, seeds=3, out=to / "runs")]
    words = [*runs, "--top", 1, "--random", 2, "--seeds", 2, *TINY, "--epochs", 2, "--out", to]
    with pytest.MonkeyPatch.context() as patch, kept():
        patch.setattr("rlnas.bench.workers.run_all", run_here)
        parse(*words, "--plain-loop-batches", 2, "--workers", 1, "--threads", 1).run()
    return next(to.glob("retrain-*")), runs


def test_everything_is_left_behind(retrained: tuple[Path, list[Path]]) -> None:
    folder, _ = retrained
    names = {
        "results.parquet",
        "manifest.json",
        "table.csv",
        "verdict.json",
        "figure.png",
        "figure.svg",
    }
    assert {path.name for path in folder.iterdir()} == names
    frame = pd.read_parquet(folder / "results.parquet")
    assert (
        len(frame) == 6 and set(frame["status"]) == {"done"} and set(frame["seed"]) == {1000, 1001}
    )
    assert frame["groups"].value_counts().to_dict() == {"random": 4, "top": 2}
    for column in ("table_val", "table_test", "train", "val", "test"):
        assert frame[column].between(0, 1).all()
    assert (frame[["seconds", "images_per_second", "peak_mb", "params"]] > 0).all(axis=None)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (
        manifest["machine"]["versions"]["torch"]
        and manifest["machine"]["engine"]["device"] == "cpu"
    )
    assert manifest["benchmark"]["name"] == "nb101-digits" and manifest["preset"] == "quick"
    (session,) = manifest["sessions"]
    assert session["trainings"] == session["done"] == 6 and session["wall_seconds"] > 0
    assert (
        min(
            session["throughput"][key] for key in ("ours", "plain", "ours_peak_mb", "plain_peak_mb")
        )
        > 0
    )
    assert {path.suffix for path in Path(manifest["trainings"]).iterdir()} == {".json"}
    assert {path.name.partition("-")[0] for path in folder.parent.iterdir()} == {
        "retrain",
        "trainings",
        "runs",
    }


def test_what_is_done_is_not_done_again(
    retrained: tuple[Path, list[Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither for the same choice, nor for another one of the same architectures."""
    folder, runs = retrained
    to = folder.parent
    monkeypatch.setattr("rlnas.bench.workers.run_all", None)
    before = {path: path.read_bytes() for path in to.rglob("*.*") if path.name != "manifest.json"}
    words = [*runs, "--seeds", 2, *TINY, "--epochs", 2, "--out", to]
    parse(*words, "--top", 1, "--random", 2).run()
    assert {path: path.read_bytes() for path in before} == before
    assert len(json.loads((folder / "manifest.json").read_text())["sessions"]) == 1
    parse(*words, "--top", 1).run()
    assert len(list(to.glob("retrain-*"))) == 2 and len(list(to.glob("trainings-*"))) == 1
    assert "1 architectures" in capsys.readouterr().out
    for path in set(to.glob("retrain-*")) - {folder}:
        for file in path.iterdir():
            file.unlink()
        path.rmdir()


def test_the_report_again(
    retrained: tuple[Path, list[Path]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = retrained
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    Report((folder,)).run()
    said = capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    for text in (
        "The data are the table's, the recipe is not",
        "Spearman",
        "Kendall",
        "regret",
        "(the controls)",
        "a plain loop",
        "images/s",
        str(folder / "figure.png"),
    ):
        assert text in said


def test_reports_of_what_is_none(tmp_path: Path, retrained: tuple[Path, list[Path]]) -> None:
    with pytest.raises(UserError, match="no folders given"):
        Report().run()
    with pytest.raises(UserError, match="no finished run"):
        Report((tmp_path,)).run()
    copy = tmp_path / "retrain-copy"
    copy.mkdir()
    for path in retrained[0].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"results\.parquet is not what manifest\.json says"):
        Report((copy,)).run()
    (copy / "results.parquet").unlink()
    with pytest.raises(UserError, match="holds no finished retraining"):
        Report((copy,)).run()


def test_what_failed_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two trainings fails at first: the report comes all the same, and the next call does
    what is missing."""
    asked: list[list[str]] = []

    def run_all(
        function: Any, tasks: list[Any], workers: int, on_message: Any, on_done: Any
    ) -> None:
        asked.append([task.arch for task in tasks])
        for i, task in enumerate(tasks):
            bad = len(asked) == 1 and i == 1
            on_done(
                i,
                Failure("the worker process died of SIGKILL")
                if bad
                else function(task, lambda told: None),
            )

    monkeypatch.setattr("rlnas.bench.workers.run_all", run_all)
    words = [
        *TINY,
        "--cells",
        CELL,
        "1 input,output",
        "--seeds",
        1,
        "--epochs",
        1,
        "--out",
        tmp_path,
    ]
    config = parse(*words, "--plain-loop-batches", 0)
    with pytest.raises(
        UserError, match="1 trainings failed and are missing above; run the same command again"
    ):
        config.run()
    said = capsys.readouterr()
    assert "No training ended well of 1 ." in said.out or "No training ended well of 1" in said.out
    assert "rlnas: failed: 1 input,output seed 1000: the worker process died of SIGKILL" in said.err
    config.run()
    assert asked == [[CELL, "1 input,output"], ["1 input,output"]]
    assert "No training" not in capsys.readouterr().out
    (folder,) = tmp_path.glob("retrain-*")
    assert len(json.loads((folder / "manifest.json").read_text())["sessions"]) == 2


def test_the_gpu_that_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (retrain_train._gpu_name("cuda"), retrain_train._gpu_name("cuda:1")) == ("0", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert (retrain_train._gpu_name("cuda"), retrain_train._gpu_name("cuda:1")) == ("3", "5")


def test_how_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = retrain_train._at_once
    assert (
        at_once("cuda", 40, {"side_by_side": 3.4}) == 3
        and at_once("cuda", 2, {"side_by_side": 3.4}) == 2
    )
    assert at_once("cuda", 40, {}) == 1
    assert at_once("cpu", 3, {"ours_peak_mb": 1.0}) == 3 and at_once("cpu", 3, {}) == 3
    assert at_once("cpu", 3, {"ours_peak_mb": 1e12}) == 1
