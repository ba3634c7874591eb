"""How much memory there is, and what a computation needs at least, told before it begins."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from rlnas.bench.errors import UserError


def memory_bytes() -> int:
    """What this process may have: the machine's, or what its container leaves of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdecimal() else total


def check_memory(needed: int | float, what: str, advice: str) -> None:
    """`UserError` where `what` would take more bytes than there are at all."""
    if needed > (there := memory_bytes()):
        raise UserError(
            f"{what} would take {needed / 1e9:,.0f} GB of memory, there are {there / 1e9:,.0f}; "
            f"{advice}"
        )


def check_program(traced: Any, what: str, advice: str) -> None:
    """`UserError` where it cannot fit. traced: of `jax.jit(f).trace(...)`, which a call of the same
    function with such arguments makes use of. A GPU's memory is its own business."""
    if jax.default_backend() == "cpu":
        check_memory(least_bytes(traced.jaxpr), what, advice)


def least_bytes(closed: Any) -> int:
    """What goes in and comes out, and the largest that any one operation in between makes."""
    ends = sum(map(_bytes, [*closed.jaxpr.invars, *closed.jaxpr.outvars]))
    return ends + max((sum(map(_bytes, each.outvars)) for each in _operations(closed)), default=0)


def _bytes(variable: Any) -> int:
    dtype = getattr(variable.aval, "dtype", None)  # a token has none
    return math.prod(getattr(variable.aval, "shape", ())) * getattr(dtype, "itemsize", 8)


def _operations(program: Any) -> Iterator[Any]:
    """All of them, those of inner programs too."""
    for each in getattr(program, "jaxpr", program).eqns:
        yield each
        for value in each.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                    yield from _operations(inner)
