"""What the worker processes of tests/test_retrain_jobs.py do; light, since each of them imports
it."""

from __future__ import annotations

import os
import signal

from rlnas.bench.retrain.workers import Tell


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
