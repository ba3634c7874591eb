"""Tasks on a Ray cluster. Retries, placement and GPUs are Ray's; results come back to the process
that asked, which writes them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from rlnas.bench.code import code_of, modules_of
from rlnas.bench.compiled import FOLDER, keep_compiled
from rlnas.bench.errors import UserError, one_line
from rlnas.bench.jax_setup import THREADS
from rlnas.bench.workers import Failure, Tell

RETRIES = 3
"""How often Ray begins a task again whose worker process, or machine, died."""
FAILED = (OSError, RuntimeError, ValueError, RayError)
"""What `ray.init` raises where it comes to nothing."""
LONGEST_NAME = 100
POLL_S = 0.5
PATIENCE_S = 10.0
"""Seconds for a cluster to answer."""
STORE_BYTES = 100_000_000
"""Of memory for what tasks send, on this machine; Ray's least is 75 MB."""


@dataclass(frozen=True)
class Where:
    """As `Executor` says."""

    address: str = ""
    workers: int | None = None
    threads: int = 1
    gpus: float = 0.0


def run_all(
    function: Callable[[Any, Tell], Any],
    tasks: Sequence[Any],
    where: Where,
    on_message: Callable[[int, Any], None],
    on_done: Callable[[int, Any], None],
) -> None:
    """As `Executor.run_all`, while `connected`."""
    actor: Any = ray.remote(num_cpus=0)(Told)
    told = actor.remote()
    run = ray.remote(max_retries=RETRIES, num_cpus=where.threads, num_gpus=where.gpus)(_run)

    def submit(task: Any, number: int) -> Any:
        code = _code(function, task) if where.address else ""  # here it is the same
        named = run.options(name=str(task)[:LONGEST_NAME])
        return named.remote(function, task, number, code, told, os.getcwd())

    waiting = list(range(len(tasks)))[::-1]
    running: dict[Any, int] = {}
    try:
        while waiting or running:
            while waiting and (where.workers is None or len(running) < where.workers):
                number = waiting.pop()
                running[submit(tasks[number], number)] = number
            ready, _ = ray.wait([*running], timeout=POLL_S)
            # What a task has told is there before it ends.
            for number, content in ray.get(told.take.remote()):
                on_message(number, content)
            for one in ready:
                on_done(running.pop(one), _result(one))
    except ray.exceptions.RayActorError as error:
        raise UserError(
            f"the Ray cluster is lost ({_first(error)}); the same command goes on"
        ) from error
    finally:
        with suppress(RayError):
            for one in running:
                ray.cancel(one, force=True)


@contextmanager
def connected(where: Where) -> Iterator[None]:
    """Within, this process is a driver of the cluster; one that it was before, it stays.
    `UserError` where there is no cluster, or none with such a GPU."""
    if ray.is_initialized():
        yield
        return
    worker = ray._private.worker
    printing = worker.print_to_stdstream
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what of its own options will change
            _start(where)
        worker.print_to_stdstream = _say
        for number, how in before.items():
            signal.signal(number, how)  # Ray's would end this process without a word
        _expect_gpus(where)
        yield
    finally:
        ray.shutdown()
        worker.print_to_stdstream = printing
        for number, how in before.items():
            signal.signal(number, how)


def _say(data: Any, ignore_prefix: bool = False) -> None:
    """In place of the pages that Ray writes to stdout about every process that died."""
    if any("will be retried" in line for line in data["lines"]):
        print("rlnas: a worker process died; Ray begins its task again", file=sys.stderr)


def _start(where: Where) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not where.address:
        cores = max(os.cpu_count() or 1, where.threads)
        cpus = where.workers * where.threads if where.workers else cores
        try:
            ray.init(
                address="local", num_cpus=cpus, include_dashboard=False,
                object_store_memory=STORE_BYTES, **quiet,
            )  # fmt: skip
        except FAILED as error:
            raise UserError(f"Ray does not start here: {_first(error)}; try again") from error
        return
    expected = "expected HOST:PORT of `ray start --head`, or `auto` where it runs on this machine"
    _expect_answer(where.address, expected)
    # The same settings of JAX on every machine; each has a folder of its own for what it compiles.
    set_here = {k: v for k, v in os.environ.items() if k.startswith("JAX_") and k != FOLDER}
    set_here |= {k: os.environ[k] for k in ("XLA_FLAGS", THREADS) if k in os.environ}
    hook = f"{keep_compiled.__module__}.{keep_compiled.__name__}"
    environment = {"env_vars": set_here, "worker_process_setup_hook": hook}
    try:
        ray.init(address=where.address, runtime_env=environment, **quiet)
    except FAILED as error:
        raise UserError(
            f"no Ray cluster lets us in at {where.address}: {_first(error)}; {expected}; the token "
            "of one that asks for it is to be in RAY_AUTH_TOKEN, or in ~/.ray/auth_token"
        ) from error


def _expect_answer(address: str, expected: str) -> None:
    """Ray itself waits for a minute, and may end the process."""
    host, colon, port = address.rpartition(":")
    if address == "auto" or "://" in address:
        return
    if not (host and colon and port.isdecimal() and int(port) < 1 << 16):
        raise UserError(f"--address is {address!r}; {expected}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"no Ray cluster answers at {address}: {reason}; {expected}") from None


def _expect_gpus(where: Where) -> None:
    there = ray.cluster_resources().get("GPU", 0)
    if where.gpus <= there:
        return
    if not where.address:
        raise UserError(
            f"found {there:g} GPUs on this machine, expected {where.gpus:g}; choose fewer "
            "--gpus-per-task, or a cluster that has them with --address"
        )
    print(f"rlnas: the cluster has {there:g} GPUs now; waiting for {where.gpus:g}", file=sys.stderr)


class Told:
    """What tasks have told, until it is taken."""

    def __init__(self) -> None:
        self.told: list[tuple[int, Any]] = []

    def tell(self, number: int, content: Any) -> None:
        self.told.append((number, content))

    def take(self) -> list[tuple[int, Any]]:
        told, self.told = self.told, []
        return told


def _run(function: Any, task: Any, number: int, code: str, told: Any, folder: str) -> Any:
    """In a worker process. code: of the driver; "" on the same machine."""
    with suppress(OSError):
        os.chdir(folder)  # where there is a shared file system, relative paths mean the same
    if code and code != _code(function, task):
        return Failure(
            f"{socket.gethostname()} has another rlnas, or other packages, than this machine; "
            "install the same on all"
        )
    try:
        return function(task, lambda content: ray.get(told.tell.remote(number, content)))
    except Exception as error:
        return Failure(" ".join(f"{type(error).__name__}: {error}".split()))


def _code(function: Any, task: Any) -> str:
    return _code_of(frozenset(modules_of(function) | modules_of(task)))


@cache
def _code_of(modules: frozenset[str]) -> str:
    return code_of(*sorted(modules))


def _result(done: Any) -> Any:
    try:
        return ray.get(done)
    except (WorkerCrashedError, OutOfMemoryError):
        return Failure(
            f"its worker process died {RETRIES + 1} times, perhaps for want of memory; try fewer "
            "--workers"
        )
    except RayTaskError as error:
        return Failure(_first(error.cause or error))
    except RayError as error:
        return Failure(_first(error))


def _first(error: BaseException) -> str:
    """The first line of an error; Ray's go on for a page."""
    said = str(error).strip().splitlines()
    return one_line(f"{type(error).__name__}: {said[0]}" if said else type(error).__name__)
