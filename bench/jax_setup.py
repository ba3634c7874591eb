"""How JAX is set while rlnas computes: the same in every process, whatever the environment says, so
that the same settings give the same bytes. Light."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

from rlnas.bench.errors import UserError

PINNED = {
    "enable_x64": False,
    "default_prng_impl": "threefry2x32",
    "threefry_partitionable": True,
}
"""The settings of JAX that decide numbers."""

THREADS = "PJRT_NPROC"
"""The environment variable with the threads that XLA computes with on a CPU; without it as many as
there are cores. How large sums are rounded depends on it."""


def threads_here() -> int:
    """As many as XLA takes in this process."""
    found = os.environ.get(THREADS, "")
    if found.isdecimal():
        return int(found)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_of_processes(threads: int = 0) -> AbstractContextManager[None]:
    """Processes that are started within compute with so many, whatever machine they are on; 0: with
    as many as this one."""
    return variable(THREADS, str(threads or threads_here()))


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Within, the environment variable has this value, for processes that are started, too."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


@contextmanager
def pinned() -> Iterator[None]:
    """`with pinned():`, or `@pinned()` above a function: JAX is set as `PINNED` says, and as it was
    behind it. What is traced inside an outer `jit` belongs to that one's settings."""
    import jax

    with ExitStack() as stack:
        for name, value in PINNED.items():
            home = jax if hasattr(jax, name) else jax.experimental  # enable_x64 moved in 0.8
            stack.enter_context(getattr(home, name)(value))
        yield


def pin_process() -> None:
    """For a process of ours, and those it starts: as `PINNED` from the first import of JAX on."""
    if "jax" not in sys.modules:
        os.environ |= {
            f"JAX_{name.upper()}": value if isinstance(value, str) else str(int(bool(value)))
            for name, value in PINNED.items()
        }


def check_pinned(key: Any) -> None:
    """`UserError` where another kind of key, or another way to draw from it, would give another
    result. key: may be traced, and so may be what calls this."""
    import jax

    found = {
        "default_prng_impl": str(jax.random.key_impl(key)),
        "threefry_partitionable": jax.config.jax_threefry_partitionable,  # type: ignore[attr-defined]
    }
    for name, value in found.items():
        if value != PINNED[name]:
            raise UserError(
                f"found {name} = {value}, which draws other numbers; expected {PINNED[name]}: make "
                "the keys, and call this, inside `with rlnas.bench.pinned():`"
            )


def configuration() -> dict[str, Any]:
    """What decides, beside code and settings, which numbers come out; JSON-ready."""
    import jax

    with pinned():
        names = [*PINNED, "random_seed_offset", "default_matmul_precision"]
        found = {name: getattr(jax.config, f"jax_{name}") for name in names}
    return found | {"platform": jax.default_backend()}
