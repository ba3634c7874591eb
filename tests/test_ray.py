"""Tasks on a real Ray cluster, started here: to the same bytes as without one, through deaths."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

# Nobody else's tasks run here. Ray looks when it is imported.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
ray = pytest.importorskip("ray", reason="the extra `cluster` is not installed")

from averages import AGENT  # noqa: E402
from rlnas import bench  # noqa: E402
from rlnas.analysis import cli  # noqa: E402
from rlnas.analysis.ablation import jobs  # noqa: E402
from rlnas.analysis.ablation.command import Ablate  # noqa: E402
from rlnas.analysis.ablation.plan import Row, plan  # noqa: E402
from rlnas.analysis.interrupts import SAID  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.executor import LOCAL, Executor  # noqa: E402
from rlnas.bench.workers import Failure  # noqa: E402
from tables import small_table  # noqa: E402
from test_training_seeds import SIZE, TWO  # noqa: E402
from test_training_seeds import files as trainings  # noqa: E402
from worker_tasks import act, die_once, run_here, threads  # noqa: E402

ON_RAY = ("--executor", "ray")


def until(holds: Callable[[], bool], seconds: float = 300.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one machine with two cores and, as it says, a GPU."""
    port = free_port()
    log = (tmp_path_factory.mktemp("ray") / "log").open("w")
    words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
    words += [f"--port={port}", "--num-cpus=2", "--num-gpus=1", "--include-dashboard=false"]
    words += ["--disable-usage-stats", "--object-store-memory=100000000"]
    process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        assert until(lambda: answers(port) or process.poll() is not None)
        assert process.poll() is None, Path(log.name).read_text()
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)
        log.close()


def on(address: str) -> Executor:
    return Executor("ray", address, 0.5)


def ends_of(
    executor: Executor, function: Any, tasks: list[Any], **how: Any
) -> tuple[list[Any], list[Any]]:
    """(the results in the tasks' order, what was told)."""
    told: list[Any] = []
    ends: dict[int, Any] = {}
    executor.run_all(function, tasks, 2, lambda i, content: told.append((i, content)),
                     ends.__setitem__, **how)  # fmt: skip
    return [ends[i] for i in range(len(tasks))], told


@pytest.mark.long
def test_a_worker_that_is_killed_is_begun_again_and_who_raises_says_why(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mortal"
    (done,), told = ends_of(on(address), die_once, [file])
    assert done == "mortal done" and told == [(0, "begun")] * 2
    assert ends_of(on(address), threads, ["a"], xla_threads=3)[0] == [3]
    ends, told = ends_of(on(address), act, ["a", "raise", "b"])
    assert ends[0].startswith("a ") and ends[2].startswith("b ")
    assert ends[1] == Failure("ValueError: two lines")
    assert sorted(told) == [(0, "a begun"), (1, "raise begun"), (2, "b begun")]
    out, err = capsys.readouterr()
    assert out == "" and err == "rlnas: a worker process died; Ray begins its task again\n"
    assert not ray.is_initialized()


def rows_of(folder: Path) -> list[Row]:
    """Two rows of one alpha; the benchmark of the second is not there."""
    benchmark = str(folder.parent / "small.npz")
    config = Ablate(
        agent=AGENT, preset="smoke", benchmark=benchmark, alpha=(1.0, 6.0), neighbours=(3, 4),
        vary=("spread=0.01",), seeds=2, steps=320, evaluation_seeds=4, out=folder,
    )  # fmt: skip
    there = bench.load(benchmark)
    rows, _ = plan(config, there.describe(), there)
    return [rows[0], replace(rows[1], benchmark=str(folder / "deleted.npz"))]


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.long
def test_an_ablation_is_the_same_bytes_and_names_what_fails(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_table().save(tmp_path / "small.npz")
    here, there = rows_of(tmp_path / "here"), rows_of(tmp_path / "there")
    with monkeypatch.context() as patch:
        patch.setattr("rlnas.bench.workers.run_all", run_here)
        assert len(jobs.run_jobs(here)) == 1
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    done, anew = there[0].cell(1.0), there[0].cell(6.0)
    kept = done.stat().st_mtime_ns
    anew.unlink()  # the cluster does what a local process has not
    (failure,) = jobs.run_jobs(there, None, on(address))
    assert failure.startswith("neighbours 4, spread 0.01: UserError: ") and "deleted" in failure
    assert files(tmp_path / "there") == files(tmp_path / "here")
    assert done.stat().st_mtime_ns == kept


TABULATE = (
    "bench tabulate --name tiny --max-vertices 3 --seeds 1 --workers 1 --folder folder "
    "--out tiny.npz --recipe.epochs 2 --recipe.checkpoints 1 2 --recipe.stem-channels 4"
)


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGINT])
def test_a_driver_that_is_stopped_leaves_nobody_and_the_next_goes_on(
    stop: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainings of a Ray of its own, then of this process; all as without Ray, but for times."""
    pytest.importorskip("torch", reason="the extra `retrain` is not installed")
    pytest.importorskip("nasbench_pytorch", reason="the extra `retrain` is not installed")
    from torch_fixtures import kept

    records = tmp_path / "folder" / "records.jsonl"
    words = [sys.executable, "-m", "rlnas.analysis.cli", *TABULATE.split(), *ON_RAY]
    first = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert until(lambda: holds_a_line(records) or first.poll() is not None)
        assert first.poll() is None, first.communicate()
        started = below(first.pid)
        assert len(started) > 2
        first.send_signal(stop)
        _, said = first.communicate(timeout=60)
    finally:
        first.kill()
        first.communicate()
    if stop == signal.SIGINT:
        assert first.returncode == 130 and said.decode().endswith(f"{SAID}\n")
    before = records.read_text().splitlines()
    assert 1 <= len(before) < 7, "it ended before it could be killed"
    assert until(lambda: not any(map(there, started)))  # Ray's agents look now and then
    monkeypatch.setattr("rlnas.bench.workers.run_all", run_here)
    with kept():
        for folder in (tmp_path, tmp_path / "alone"):
            folder.mkdir(exist_ok=True)
            monkeypatch.chdir(folder)
            assert cli.main(TABULATE.split()) == 0
    assert records.read_text().splitlines()[: len(before)] == before
    assert numbers(records) == numbers(tmp_path / "alone" / "folder" / "records.jsonl")


@pytest.mark.long
def test_trainings_of_several_seeds_are_the_same_bytes(address: str, tmp_path: Path) -> None:
    small_table().save(tmp_path / "small.npz")
    words = ["train", AGENT, "--benchmark", str(tmp_path / "small.npz"), *SIZE.split()]
    for out, where in (("here", ()), ("there", (*ON_RAY, "--address", address))):
        assert cli.main([*words, *TWO, "--out", str(tmp_path / out), *where]) == 0
    here = trainings(tmp_path / "here")
    assert len(here) == 14 and here == trainings(tmp_path / "there")


def holds_a_line(file: Path) -> bool:
    return file.exists() and b"\n" in file.read_bytes()


def numbers(records: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in records.read_text().splitlines()]
    return [{k: v for k, v in one.items() if k not in ("seconds", "digest")} for one in found]


def below(parent: int) -> list[int]:
    """The processes that it started, and those that they did."""
    told = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    children = [int(word) for word in told.split()]
    return children + [one for child in children for one in below(child)]


def there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# --- what is refused


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--executor", "ray", "--address", "NOBODY"], "no Ray cluster answers at 127.0.0.1:"),
        (["--executor", "ray", "--address", "somewhere"], "--address is 'somewhere'; expected"),
        (["--address", "auto"], "--address is of --executor ray; give that, too"),
        (["--gpus-per-task", "1"], "--gpus-per-task is of --executor ray; give that, too"),
    ],
)
def test_what_is_no_cluster_is_one_line(
    options: list[str], reason: str, table: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(ray, "init", None)  # it would wait for a minute
    options = [f"127.0.0.1:{free_port()}" if word == "NOBODY" else word for word in options]
    out = ["--benchmark", str(table), "--out", str(tmp_path / "runs")]
    assert cli.main(["ablate", "--agent", AGENT, *out, *options]) == 2
    said = capsys.readouterr()
    assert said.out == "" and not list(tmp_path.rglob("*.json"))
    (line,) = [x for x in said.err.splitlines() if not x.startswith("ablate: ")]
    assert line.startswith(f"rlnas: error: {reason}")


TASK = """
import sys
from rlnas.bench.executor import Executor
from worker_tasks import act
Executor("ray", sys.argv[1]).run_all(act, ["a"], 1, print, print)
"""


@pytest.mark.long
def test_the_token_of_a_cluster_is_sent_where_there_is_one(address: str) -> None:
    """`ray start` asks for one unless told otherwise; Ray alone sends it to `auto` only."""
    env = {name: value for name, value in os.environ.items() if name != "RAY_AUTH_MODE"}
    words = [sys.executable, "-c", TASK, address]
    done = subprocess.run(words, capture_output=True, text=True, env=env, timeout=300)
    assert done.stdout.startswith("0 a begun\n0 a "), done.stderr


@pytest.mark.long
def test_without_ray_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"ray is not installed; `pip install 'rlnas\[cluster\]'`"):
        Executor("ray").check()
    LOCAL.check()
    LOCAL.run_all(act, [], 1, print, print)
