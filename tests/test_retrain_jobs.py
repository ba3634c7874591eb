"""Trainings that may fail, and what they cost."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

import fuzz_kinds  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.reading import read_json, sealed, write_json  # noqa: E402
from rlnas.bench.retrain import checkpoint, energy, jobs, throughput  # noqa: E402
from rlnas.bench.retrain.engine import Engine  # noqa: E402
from rlnas.bench.retrain.job import (  # noqa: E402
    DIVERGED,
    DONE,
    FAILED,
    Data,
    Job,
    finished,
)
from rlnas.bench.retrain.presets import QUICK  # noqa: E402
from rlnas.bench.retrain.throughput import Probe  # noqa: E402
from torch_fixtures import torch_as_it_was  # noqa: E402, F401
from worker_tasks import run_here  # noqa: E402

CELLS = cell_list(5)[1]
TINY = replace(QUICK, epochs=3, channels=4, stacks=1)


def job(folder: Path, arch: str = "a", row: int = 3, seed: int = 0, settings=TINY) -> Job:
    return Job(
        arch, CellNetwork(CELLS[row]), seed, Data("digits", None, 1), settings, Engine(), folder
    )


def train(of: Job) -> tuple[dict[str, Any], list[Any]]:
    """(the record, what was told), in this process."""
    told: list[Any] = []
    return jobs.train(of, told.append), told


def curve(record: dict[str, Any]) -> list[tuple[float, float]]:
    return [(epoch["loss"], epoch["accuracy"]) for epoch in record["curve"]]


# --- one training
# ---------------------------------------------------------------------------------------


def test_a_job_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, told = train(job(tmp_path / "whole"))
    assert whole["status"] == DONE and told == [(1, False), (2, False), (3, False)]
    assert (
        len(whole["curve"]) == whole["epochs"] == 3
        and whole["params"] > 100
        and whole["peak_mb"] > 50
    )
    assert set(whole["accuracy"]) == {"train", "val", "test"} and whole["images_per_second"] > 0
    assert not list((tmp_path / "whole").glob("*.safetensors")), (
        "a finished training keeps no checkpoint"
    )

    class Killed(BaseException):
        pass

    def tell(content: tuple[int, bool]) -> None:
        if content[0] == 2:
            raise Killed

    left = job(tmp_path / "left")
    with pytest.raises(Killed):
        jobs.train(left, tell)
    assert left.checkpoint.exists() and finished(left) is None
    # Another engine would have other last digits: the number of threads is taken up too.
    record, told = train(replace(left, engine=Engine(threads=2)))
    assert told == [(2, True), (3, False)]
    assert record["engine"]["threads"] == 1 and torch.get_num_threads() == 1
    assert curve(record) == curve(whole) and record["accuracy"] == whole["accuracy"]


def test_a_checkpoint_of_another_training_is_not_taken(tmp_path: Path) -> None:
    first, other = job(tmp_path), job(tmp_path, arch="b")
    checkpoint.save(
        first.checkpoint, {"x": torch.ones(1)}, {"arch": "b", "seed": 0, "threads": 1, "fit": {}}
    )
    assert train(first)[1][0] == (1, False)
    assert other.stem != first.stem != job(tmp_path, seed=1).stem


def test_how_trainings_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Diverged, out of memory, other parameters than the table's: each is one line, none is an
    exception."""
    wild = replace(TINY, learning_rate=1e30, gradient_clip=0.0)
    record, _ = train(job(tmp_path, settings=wild))
    assert record["status"] == DIVERGED and record["reason"].startswith("the loss is ")
    json.dumps(record, allow_nan=False)

    def fail(error: Exception):
        def forward(self, *args):
            raise error

        return forward

    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"
        ),
        MemoryError(),
    ):
        with monkeypatch.context() as patch:
            patch.setattr("rlnas.bench.retrain.fit.Fit.step", fail(error))
            record, _ = train(job(tmp_path))
        assert record["status"] == FAILED and "\n" not in record["reason"]
        assert record["reason"].startswith("out of memory: ") and record["reason"].endswith(
            "fewer --workers"
        )
    monkeypatch.setattr(
        "rlnas.bench.nb101.torch_network.trainable_parameters", lambda *args, **shape: 1
    )
    record, _ = train(job(tmp_path))
    assert record["status"] == FAILED and "parameters; expected 1" in record["reason"]


def test_what_is_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = job(tmp_path)
    assert finished(one) is None
    fuzz_kinds.make_record(tmp_path)
    (made,) = tmp_path.glob("*.json")
    record = json.loads(made.read_text()) | {"seed": 0}
    for changes, done in (
        ({}, True),
        ({"status": DIVERGED}, True),
        ({"status": FAILED}, False),
        ({"arch": "b"}, False),
    ):
        write_json(one.record, record | changes)
        assert (finished(one) is not None) == done, changes
    write_json(one.record, record)
    said = one.record.read_text()
    one.record.write_text(said.replace("0.91", "0.11"))
    assert "0.91" in said and finished(one) is None
    assert "was edited or damaged" in capsys.readouterr().err
    for text in ("", "{", "[]", '{"format": 1}'):
        one.record.write_text(text)
        assert finished(one) is None


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_jobs_go_on_after_a_bad_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One diverges, one cannot be built, one ends well."""
    monkeypatch.setattr("rlnas.bench.workers.run_all", run_here)
    wild = replace(TINY, learning_rate=1e30, gradient_clip=0.0)
    two_inputs = next(
        i for i, c in enumerate(CELLS) if c.num_vertices == 4 and c.matrix[1][3] and c.matrix[2][3]
    )
    narrow = replace(TINY, channels=1)  # a cell whose output has two inputs leaves one of them none
    todo = [
        job(tmp_path, "wild", settings=wild),
        job(tmp_path, "narrow", row=two_inputs, settings=narrow),
        job(tmp_path, "good"),
    ]
    records: list[dict[str, Any]] = []
    epochs: list[tuple[int, int, bool]] = []
    jobs.run_jobs(todo, 1, lambda *told: epochs.append(told), records.append)
    assert [record["arch"] for record in records] == ["wild", "narrow", "good"]
    assert [record["status"] for record in records] == [DIVERGED, FAILED, DONE]
    assert epochs[-3:] == [(2, 1, False), (2, 2, False), (2, 3, False)]
    for one, record in zip(todo, records, strict=True):
        assert read_json(one.record) == sealed(record)
    assert sorted(path.suffix for path in tmp_path.glob("*.*")) == [".json"] * 3


# --- what it costs
# --------------------------------------------------------------------------------------


def test_speed_is_measured(tmp_path: Path) -> None:
    found = throughput.compare(Probe(job(tmp_path), 5), lambda told: None)
    assert set(found) == {"ours", "plain", "ours_peak_mb"} and min(found.values()) > 1
    assert throughput.plain_peak_mb(Probe(job(tmp_path), 5), lambda told: None) > 50
    assert not list(tmp_path.iterdir())


def test_speeds_are_measured_in_turns() -> None:
    asked: list[str] = []

    def step(name: str, images: int) -> Any:
        def call() -> int:
            asked.append(name)
            return images

        return call

    rates = throughput._rates({"a": step("a", 8), "b": step("b", 2)}, 10, "cpu")
    assert "".join(asked) == "aaaabbbb" * 2 + "aabb" and set(rates) == {"a", "b"}


def counter(folder: Path, name: str, value: int) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "max_energy_range_uj").write_text("10000000\n")
    (folder / name / "energy_uj").write_text(f"{value}\n")
    return folder / name / "energy_uj"


def test_energy_of_the_processors(tmp_path: Path) -> None:
    """Both packages, not their parts; a counter that wraps goes on."""
    first, second = (
        counter(tmp_path, f"intel-rapl:{i}", value) for i, value in enumerate((9_000_000, 0))
    )
    part = counter(tmp_path, "intel-rapl:0:0", 0)
    meter = energy.EnergyMeter(powercap=tmp_path, every_s=60.0)
    meter.start()
    first.write_text("2000000\n")
    second.write_text("4500000\n")
    part.write_text("1000000\n")
    assert meter.stop() == {"cpu": 3.0 + 4.5}


def test_energy_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "intel-rapl:0").mkdir()
    meter = energy.EnergyMeter(powercap=tmp_path)
    meter.start()
    assert meter.stop() is None


def test_energy_of_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for nvidia-smi that draws 100 W."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        f"#!{sys.executable}\nimport sys\nprint('100.0' if sys.argv[-2:] == ['-i', '1'] else "
        "'no')\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    meter = energy.EnergyMeter("1", powercap=tmp_path)
    start = time.monotonic()
    meter.start()
    time.sleep(0.2)
    found = meter.stop()
    spent = time.monotonic() - start
    assert found is not None and 15 <= found["gpu"] <= 100 * spent
    assert energy._gpu_watts("0") is None


def test_no_retraining_without_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    from rlnas.analysis.retrain.command import Retrain

    monkeypatch.setitem(sys.modules, "nasbench_pytorch", None)
    with pytest.raises(
        UserError, match=r"nasbench_pytorch is not installed; `pip install 'rlnas\[retrain\]'`"
    ):
        Retrain().check()
