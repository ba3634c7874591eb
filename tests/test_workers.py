"""Worker processes that may die, and that end with the process that started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlnas.bench.executor import LOCAL
from rlnas.bench.jax_setup import THREADS, threads_here
from rlnas.bench.workers import Failure, run_all
from worker_tasks import act, threads


def test_a_worker_that_dies_takes_nothing_with_it() -> None:
    tasks = ["a", "die", "raise", "b", "leave", "c"]
    told: list[tuple[int, str]] = []
    ends: dict[int, Any] = {}
    run_all(act, tasks, 2, lambda task, content: told.append((task, content)), ends.__setitem__)
    assert sorted(told) == [(i, f"{task} begun") for i, task in enumerate(tasks)]
    assert sorted(ends) == list(range(len(tasks)))
    for i in (0, 3, 5):
        assert ends[i].split()[0] == tasks[i] and int(ends[i].split()[1]) != os.getpid()
    assert ends[1].reason.startswith(
        "the worker process died of SIGKILL: killed, perhaps for want of memory"
    )
    assert ends[2] == Failure("ValueError: two lines")
    assert ends[4] == Failure("the worker process ended with exit status 3")


def test_processes_compute_with_as_many_threads_as_they_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a word as many as this one, which may have been told itself; and it stays as it
    was."""
    monkeypatch.setenv(THREADS, "3")
    found: dict[int, Any] = {}
    for xla_threads in (0, 5):
        LOCAL.run_all(
            threads, ["a"], 1, print, lambda i, n, at=xla_threads: found.update({at: n}),
            xla_threads=xla_threads,
        )  # fmt: skip
    assert found == {0: 3, 5: 5} and os.environ[THREADS] == "3"
    monkeypatch.delenv(THREADS)
    assert threads_here() == len(os.sched_getaffinity(0))


def _until(holds: Callable[[], bool], seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:  # ended, and only not yet asked for its status
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return sys.platform != "linux"


@pytest.mark.parametrize("what", ["workers", "fresh"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_processes_end_with_their_parent(what: str, how: signal.Signals, tmp_path: Path) -> None:
    """Also where it is killed and cannot tell them. fresh: a Python that runs one script."""
    names = ["a", "held"] if sys.platform == "linux" else ["a", "b"]
    files = [tmp_path / name for name in (names if what == "workers" else names[:1])]
    tasks = Path(__file__).with_name("worker_tasks.py")
    words = [sys.executable, str(tasks), what, *map(str, files)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as parent:
        try:
            assert _until(lambda: all(file.exists() and file.read_text() for file in files))
            workers = [int(file.read_text()) for file in files]
            assert all(map(_runs, workers))
            parent.send_signal(how)
            parent.wait(30)
        finally:
            parent.kill()
        assert _until(lambda: not any(map(_runs, workers)), 10.0)
