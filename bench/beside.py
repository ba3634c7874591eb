"""Programs that are compiled beside other work: XLA compiles without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from rlnas.bench.jax_setup import pinned


@contextmanager
def beside() -> Iterator[Callable[[Callable[[], Any]], Future[Any]]]:
    """`with beside() as submit: submit(work)`: the work is done on a thread, one after another,
    under the `pinned` settings of JAX, which are a thread's own. At the end all is done, and what
    was raised is raised here; an exception inside leaves out what is not begun."""
    thread = ThreadPoolExecutor(1, "beside")
    begun: list[Future[Any]] = []

    def submit(work: Callable[[], Any]) -> Future[Any]:
        begun.append(thread.submit(pinned()(work)))
        return begun[-1]

    try:
        yield submit
        for one in begun:
            one.result()
    finally:
        thread.shutdown(wait=False, cancel_futures=True)


def compiled(program: Any, *given: Any) -> None:
    """A call of `program`, a `jax.jit`, with such arguments (arrays, or their shapes) has nothing
    left to trace or compile."""
    program.lower(*given).compile()
