"""Where tasks run: in processes of this machine, or on a Ray cluster; the same tasks, to the same
bytes. Light."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from platform import node
from typing import Annotated, Any, Literal

from rlnas.bench import workers as pool
from rlnas.bench.arguments import shown
from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError
from rlnas.bench.jax_setup import threads_of_processes
from rlnas.bench.retrain.engine import installed
from rlnas.bench.workers import Tell


@dataclass(frozen=True)
class Executor:
    """Runs tasks side by side; also the options that say where."""

    executor: Literal["local", "ray"] = "local"
    """Where tasks run: `local`, in processes of this machine; `ray`, on a Ray cluster, which needs
    rlnas[cluster], and the same rlnas on all of its machines."""
    address: str = ""
    """The Ray cluster: HOST:PORT, or `auto` for one that runs on this machine; empty: one is
    started here, and ended with the command. --workers is then how many tasks run at once at most;
    default: as many as the cluster has room for."""
    gpus_per_task: Annotated[float, Within(0, 1024)] = 0.0
    """GPUs that Ray gives each task; 0.5: two tasks share one."""

    def check(self) -> None:
        """`UserError` for options that contradict each other, or a package that is missing."""
        if self.executor == "local":
            options = {"address": self.address, "gpus-per-task": self.gpus_per_task}
            for option, value in options.items():
                if value:
                    raise UserError(f"--{option} is of --executor ray; give that, too")
        elif not installed("ray"):
            raise UserError("ray is not installed; `pip install 'rlnas[cluster]'` for it")

    def run_all(
        self,
        function: Callable[[Any, Tell], Any],
        tasks: Sequence[Any],
        workers: int | None,
        on_message: Callable[[int, Any], None],
        on_done: Callable[[int, Any], None],
        threads: int = 1,
        xla_threads: int = 0,
    ) -> None:
        """`function(task, tell)` for every task, at most `workers` at once; where that raises
        here, also by Ctrl-C, all that runs is ended.

        function: of a module. tasks: `str` of one is its name. workers: None for one a core, or as
        many as a cluster has room for; 0, where that is local, for none: one task after another in
        this process, and what one raises is raised here. on_message, on_done: called here with the
        task's number and what was told, or the result, a `Failure` where there is none; a message
        may come twice from a task that Ray had to begin again. threads: cores that a task uses.
        xla_threads: of its process; 0: as many as here.
        """
        if not tasks:
            return
        if self.executor == "local" and workers == 0:
            for i, task in enumerate(tasks):
                on_done(i, function(task, partial(on_message, i)))
            return None
        if self.executor == "local":
            with threads_of_processes(xla_threads):
                return pool.run_all(function, tasks, workers or cores(), on_message, on_done)
        with self.opened(workers, threads, xla_threads):
            from rlnas.bench import ray_tasks

            where = ray_tasks.Where(self.address, workers or None, threads, self.gpus_per_task)
            return ray_tasks.run_all(function, tasks, where, on_message, on_done)

    @contextmanager
    def opened(
        self, workers: int | None = None, threads: int = 1, xla_threads: int = 0
    ) -> Iterator[None]:
        """Within, calls of `run_all` share one connection to Ray, and its worker processes."""
        self.check()
        if self.executor == "local":
            yield
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anyone
        if self.address and has_token():  # Ray looks when it is imported
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        from rlnas.bench import ray_tasks

        where = ray_tasks.Where(self.address, workers or None, threads, self.gpus_per_task)
        with threads_of_processes(xla_threads), ray_tasks.connected(where):
            yield


def has_token() -> bool:
    """Whether Ray finds a token here, in its variables or where `ray start` leaves one; it then
    needs to be told to send it to a HOST:PORT, and clusters that ask for none take it."""
    given = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return given or os.path.isfile(os.path.expanduser("~/.ray/auth_token"))


LOCAL = Executor()


def check_same(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """`UserError` where a task, perhaps on another machine, would compute something else than what
    its result is named by."""
    for name in sorted({*found, *expected}):
        if found.get(name) != expected.get(name):
            raise UserError(
                f"{what} on {node()} has {name} {shown(found.get(name))}, expected "
                f"{shown(expected.get(name))} as where the command runs; make them the same"
            )


def cores() -> int:
    """How many tasks run at once where nobody says."""
    return os.cpu_count() or 1
