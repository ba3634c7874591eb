"""What the worker processes of tests/test_workers.py do; light, since each of them imports it."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from rlnas.bench.workers import Tell, in_fresh_python, run_all


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


def wait_for_ever(file: Path, tell: Tell) -> None:
    """Write the process id into `file`, and never end; of a name `held`, without letting any other
    thread run, as a compiler may."""
    file.write_text(str(os.getpid()))
    while True:
        if file.name == "held":
            ctypes.PyDLL(None).sleep(60)
        time.sleep(60)


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
