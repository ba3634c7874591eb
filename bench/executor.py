"""Where tasks run: in processes of this machine, or on a Ray cluster; the same tasks, to the same
bytes. Light."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from rlnas.bench import workers as pool
from rlnas.bench.bounds import Within
from rlnas.bench.errors import UserError
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
    ) -> None:
        """`function(task, tell)` for every task, at most `workers` at once; where that raises
        here, also by Ctrl-C, all that runs is ended.

        function: of a module. tasks: `str` of one is its name. workers: None for one a core, or as
        many as a cluster has room for. on_message, on_done: called here with the task's number and
        what was told, or the result, a `Failure` where there is none; a message may come twice from
        a task that Ray had to begin again. threads: cores that a task uses.
        """
        if not tasks:
            return
        if self.executor == "local":
            return pool.run_all(function, tasks, workers or cores(), on_message, on_done)
        self.check()
        from rlnas.bench import ray_tasks

        where = ray_tasks.Where(self.address, workers, threads, self.gpus_per_task)
        return ray_tasks.run_all(function, tasks, where, on_message, on_done)


LOCAL = Executor()


def cores() -> int:
    """How many tasks run at once where nobody says."""
    return os.cpu_count() or 1
