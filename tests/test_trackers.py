"""Who is told of a training: what they are told, and that the training is the same without."""

from __future__ import annotations

import json
import struct
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from averages import AGENT, AveragesLearner
from rlnas.agents.checkpoint import FACTS, WEIGHTS
from rlnas.analysis import trackers
from rlnas.analysis.toml_settings import to_toml
from rlnas.analysis.training import data, loop
from rlnas.analysis.training.command import Train
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.benchmark import from_table
from tables import small_table

ROWS = [{"step": 8 * i, "seconds": i / 2, "val_3": 0.5 + i / 8} for i in (1, 2, 3)]


class Kept:
    """What it was told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def start(self, folder: Path, settings: Any) -> None:
        self.told.append((folder, settings))

    def log(self, step: int, values: Any) -> None:
        self.told.append({"step": step, **values})

    def finish(self) -> None:
        self.told.append("finished")


def train(out: Path, *told: Any) -> Path:
    learner = AveragesLearner(neighbours=5, horizon=4, steps=64, actors=8)
    config = Train(
        AGENT, learner=learner, evaluate_every=32, evaluation_seeds=2, evaluation_queries=(3,),
        judging_seeds=2, out=out,
    )  # fmt: skip
    return loop.train(config, from_table(small_table(4)), told)


def untimed(folder: Path) -> Any:
    """What a training came to, but for its times."""
    manifest, rows = data.read(folder)
    timed = ("created", "peak_mb", "digest", "seal", "curve", "rows")
    kept = {key: value for key, value in manifest.items() if key not in timed}
    files = [(folder / name).read_bytes() for name in (WEIGHTS, FACTS, "config.json")]
    return kept, files, [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.long
def test_a_training_that_is_logged_is_the_same_training(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    kept = Kept()
    plain, logged = train(tmp_path / "a"), train(tmp_path / "b", kept, trackers.TensorBoard())
    assert plain.name == logged.name
    assert json.dumps(untimed(plain), default=str) == json.dumps(untimed(logged), default=str)
    there = {path.name for path in plain.iterdir()}
    assert {path.name for path in logged.iterdir()} == there | {"tensorboard"}
    (folder, settings), *rows, last = kept.told
    written = data.read(logged)[1]
    assert folder == logged and last == "finished" and rows == written
    config = json.loads((logged / "config.json").read_text())
    assert json.loads(json.dumps(settings)) | {"digest": config["digest"]} == config
    assert scalars(logged) == by_step(written)
    # A training that is done is told of again, and each event stands there once.
    again = Kept()
    assert train(tmp_path / "b", again, trackers.TensorBoard()) == logged
    assert again.told[1:] == kept.told[1:] and scalars(logged) == by_step(written)


def by_step(rows: Any) -> dict[tuple[int, str], float]:
    return {
        (int(row["step"]), name): np.float32(value)
        for row in rows
        for name, value in row.items()
        if name != "step"
    }


def scalars(folder: Path) -> dict[tuple[int, str], float]:
    """(step, tag) -> value, of the event file: records of protobuf. None is there twice."""
    from tensorboardX.proto.event_pb2 import Event

    (path,) = (folder / "tensorboard").iterdir()
    content, at, found = path.read_bytes(), 0, {}
    while at < len(content):
        (size,) = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + size])
        for value in event.summary.value:
            assert (event.step, value.tag) not in found
            found[event.step, value.tag] = np.float32(value.simple_value)
        at += 16 + size
    return found


def test_one_that_fails_is_left_out_and_the_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(Kept):
        def log(self, step: int, values: Any) -> None:
            super().log(step, values)
            raise OSError("no\nnetwork")

    failing, kept = Failing(), Kept()
    with trackers.tracked([failing, kept], tmp_path, {}, ROWS[:1]) as tell:
        tell(ROWS[1])
    assert kept.told[1:] == [*ROWS[:2], "finished"]
    assert failing.told[1:] == ROWS[:1]
    said = capsys.readouterr().err
    assert said == (
        "rlnas: warning: Failing failed (OSError: no network); the training goes on without it\n"
    )


def test_all_are_finished_whatever_happens(tmp_path: Path) -> None:
    kept = Kept()
    with pytest.raises(KeyboardInterrupt), trackers.tracked([kept], tmp_path, {}, []):
        raise KeyboardInterrupt
    assert kept.told[1:] == ["finished"]


@pytest.mark.parametrize(
    ("name", "package"),
    [("tensorboard", "tensorboardX"), ("wandb", "wandb"), ("mlflow", "mlflow")],
)
def test_what_is_not_installed_is_one_line(
    name: Any, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"--log {name} needs .*pip install 'rlnas\[{name}\]'"):
        trackers.named((name,))


def test_the_file_that_repeats_a_training_does_not_say_who_was_told() -> None:
    config = Train(AGENT, learner=AveragesLearner())
    assert to_toml("train", config) == to_toml("train", replace(config, log=("tensorboard",)))


def test_wandb_is_told_what_it_does_not_have(tmp_path: Path, monkeypatch: Any) -> None:
    """Of a made-up module: a run that goes on begins behind its steps."""
    told: list[Any] = []
    run = types.SimpleNamespace(
        starting_step=9,
        log=lambda values, step: told.append((step, values)),
        finish=lambda: told.append("finished"),
    )

    made = types.SimpleNamespace(
        init=lambda **options: told.append(options) or run,
        Settings=lambda **settings: settings,
    )
    monkeypatch.setitem(sys.modules, "wandb", made)
    folder = tmp_path / "train-1"
    with trackers.tracked(trackers.named(("wandb",)), folder, {"seed": 3}, ROWS):
        pass
    options, *rows = told
    assert (options["id"], options["config"], options["dir"]) == (
        "train-1", {"seed": 3}, str(folder)
    )  # fmt: skip
    assert rows == [*((row["step"], values_of(row)) for row in ROWS[1:]), "finished"]

    def refuse(**options: Any) -> None:
        raise OSError("no key")

    made.init = refuse
    with (
        pytest.raises(UserError, match=r"WandB did not start \(.*no key\); .*WANDB_MODE=offline"),
        trackers.tracked(trackers.named(("wandb",)), folder, {}, ROWS),
    ):
        pass


def values_of(row: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "step"}


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # its own
def test_wandb_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip(
        "wandb", reason="wandb, an extra with 20 packages, is not installed"
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = tmp_path / "train-1"
    folder.mkdir()
    with trackers.tracked(trackers.named(("wandb",)), folder, {"seed": 3}, ROWS):
        pass
    wandb.teardown()  # its process writes the last bytes when the run is finished
    (path,) = folder.glob("wandb/offline-run-*/run-train-1.wandb")
    assert path.read_bytes().count(b"val_3") >= len(ROWS)


@pytest.mark.long
@pytest.mark.filterwarnings("default")  # its own
def test_mlflow_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip(
        "mlflow", reason="mlflow-skinny, an extra with 25 packages, is not installed"
    )
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # without it: a server, or a database
    for rows in (ROWS[:2], ROWS):  # stopped, then gone on with
        with trackers.tracked(trackers.named(("mlflow",)), tmp_path, {"seed": 3}, rows):
            pass
    client = mlflow.MlflowClient()
    where = client.get_experiment_by_name("rlnas").experiment_id
    (run,) = client.search_runs([where])
    assert run.info.status == "FINISHED" and run.data.params == {"seed": "3"}
    for name in ("seconds", "val_3"):
        history = client.get_metric_history(run.info.run_id, name)
        assert [(x.step, x.value) for x in history] == [(row["step"], row[name]) for row in ROWS]
