"""Tasks in worker processes that may be killed one by one: the rest of the work goes on, and says
what was lost."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from typing import Any

PR_SET_PDEATHSIG = 1
"""Of `prctl`: the signal that a process gets when its parent ends."""
Tell = Callable[[Any], None]
"""Sends a message about the task under way to the parent."""


@dataclass(frozen=True)
class Failure:
    """Why a task has no result, in one line."""

    reason: str


@dataclass
class _Worker:
    process: Any
    pipe: Any
    task: int | None = None


def run_all(
    function: Callable[[Any, Tell], Any],
    tasks: Sequence[Any],
    workers: int,
    on_message: Callable[[int, Any], None],
    on_done: Callable[[int, Any], None],
) -> None:
    """`function(task, tell)` for every task, in at most `workers` processes at once.

    function: of a module, so that a fresh process finds it. on_message, on_done: called here with
    the task's number and what was told, or the result, a `Failure` where there is none. Workers end
    with this process, however it ends.
    """
    waiting = list(range(len(tasks)))[::-1]
    context = multiprocessing.get_context("spawn")
    alive: list[_Worker] = []
    try:
        while waiting or alive:
            while waiting and len(alive) < workers:
                alive.append(_start(context, function))
                _give(alive[-1], waiting.pop(), tasks)
            ready = connection.wait([worker.pipe for worker in alive])
            for worker in [worker for worker in alive if worker.pipe in ready]:
                try:
                    kind, content = worker.pipe.recv()
                except (EOFError, OSError):  # it is dead: what it was at is lost
                    worker.process.join()
                    alive.remove(worker)
                    if worker.task is not None:
                        on_done(worker.task, Failure(_death(worker.process.exitcode)))
                    continue
                assert worker.task is not None
                if kind == "message":
                    on_message(worker.task, content)
                    continue
                task, worker.task = worker.task, None
                if waiting:
                    _give(worker, waiting.pop(), tasks)
                else:
                    _stop(worker)
                    alive.remove(worker)
                on_done(task, content)
    finally:
        for worker in alive:
            worker.process.terminate()
        for worker in alive:
            worker.process.join()


def _start(context: Any, function: Callable[[Any, Tell], Any]) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, os.getpid(), function), daemon=True)
    process.start()
    theirs.close()  # so that its death closes the last end
    return _Worker(process, ours)


def _give(worker: _Worker, task: int, tasks: Sequence[Any]) -> None:
    worker.task = task
    with suppress(OSError):  # dead already: the next `wait` finds it
        worker.pipe.send(tasks[task])


def _stop(worker: _Worker) -> None:
    with suppress(OSError):
        worker.pipe.send(None)
    worker.process.join()


def _death(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        hint = (
            ": killed, perhaps for want of memory; try fewer --workers"
            if exitcode == -signal.SIGKILL
            else ""
        )
        return f"the worker process died of {name}{hint}"
    return f"the worker process ended with exit status {exitcode}"


def _work(pipe: Any, parent: int, function: Callable[[Any, Tell], Any]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    bound_to(parent)
    while (task := pipe.recv()) is not None:
        try:
            result = function(task, lambda content: pipe.send(("message", content)))
        except Exception as error:
            result = Failure(" ".join(f"{type(error).__name__}: {error}".split()))
        pipe.send(("done", result))


def in_fresh_python(
    script: str, *args: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`python -c script args` run to its end, in a process that ends with this one; what it printed
    is captured."""
    begin = f"from rlnas.bench.workers import bound_to; bound_to({os.getpid()})\n"
    words = [sys.executable, "-c", begin + script, *args]
    return subprocess.run(words, capture_output=True, text=True, env=env, check=False)


def bound_to(parent: int) -> None:
    """From now on this process ends when its parent does, however that ends: nobody would read the
    result. Where the kernel sees to it (Linux), at once, whatever is being computed; elsewhere a
    thread looks, which may have to wait for what does not let it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    threading.Thread(target=die_with, args=(parent,), daemon=True).start()


def die_with(parent: int) -> None:
    """End this process as soon as its parent is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
