"""What worker processes do in the tests, or the tests without them; light: each imports it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlnas.bench.jax_setup import threads_here
from rlnas.bench.workers import Failure, Tell, in_fresh_python, run_all


def act(task: str, tell: Tell) -> str:
    """Say that `task` is begun; then raise, die or leave if it is called so, else give it back with
    the process id."""
    tell(f"{task} begun")
    if task == "raise":
        raise ValueError("two\nlines")
    if task == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "leave":
        os._exit(3)
    return f"{task} {os.getpid()}"


def threads(task: str, tell: Tell) -> int:
    """How many XLA computes with in this process."""
    return threads_here()


def die_once(file: Path, tell: Tell) -> str:
    """The first time the process is killed in the middle; `file` remembers."""
    tell("begun")
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{file.name} done"


def wait_for_ever(file: Path, tell: Tell) -> None:
    """Write the process id into `file`, and never end; of a name `held`, without letting any other
    thread run, as a compiler may."""
    file.write_text(str(os.getpid()))
    while True:
        if file.name == "held":
            ctypes.PyDLL(None).sleep(60)
        time.sleep(60)


def run_here(
    function: Callable[[Any, Any], Any],
    tasks: Sequence[Any],
    workers: int,
    on_message: Callable[[int, Any], None],
    on_done: Callable[[int, Any], None],
) -> None:
    """`rlnas.bench.workers.run_all` without processes, which take seconds to start."""
    for i, task in enumerate(tasks):
        try:
            result = function(task, lambda told, i=i: on_message(i, told))
        except Exception as error:
            result = Failure(str(error))
        on_done(i, result)


SLEEPER = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"

if __name__ == "__main__":  # processes that never end, for a test that kills their parent
    from worker_tasks import wait_for_ever as named  # of a module that a worker finds

    # A shell that starts the tests in the background makes them ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    files = [Path(word) for word in sys.argv[2:]]
    if sys.argv[1] == "fresh":
        in_fresh_python(SLEEPER, *map(str, files))
    else:
        run_all(named, files, 2, lambda task, told: None, lambda task, result: None)
