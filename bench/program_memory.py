"""How much memory a program of JAX needs at least, told before it is compiled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import jax

from rlnas.bench.bounds import check_memory


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
