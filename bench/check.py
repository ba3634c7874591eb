"""What a benchmark must say of itself, checked when it is opened: one line names what is missing.

The contract tests (`rlnas.bench.testing`) look at its answers too.
"""

from __future__ import annotations

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.bench.benchmark import Benchmark, QueryResult, SearchSpace
from rlnas.bench.errors import UserError
from rlnas.bench.noise import Noise

FACTS = ("name", "family", "epochs", "noise", "reports", "sha256")
"""What `describe()` has at least."""


def check_benchmark(benchmark: Any, name: str = "") -> None:
    """`UserError` for the first thing that a benchmark lacks or says in the wrong way.

    Looked at: the members of `Benchmark` and `SearchSpace`, that both are pytrees whose leaves are
    arrays (strings and other Python values are static fields), and the shapes that the methods
    return, by tracing; nothing is computed.
    """
    said = f"benchmark {name or getattr(benchmark, 'name', '') or type(benchmark).__name__!r}"

    def refuse(found: str, expected: str) -> None:
        raise UserError(f"{said}: {found}; expected {expected}")

    for protocol, what, where in (
        (Benchmark, benchmark, ""),
        (SearchSpace, getattr(benchmark, "space", None), "space."),
    ):
        for member in _members(protocol):
            if not hasattr(what, member):
                refuse(f"no {where}{member}", f"it as in rlnas.bench.{protocol.__name__}")
    for member, kinds in {
        "name": str,
        "family": str,
        "reports": str,
        "distilled": str,
        "noise": Noise,
        "epochs": int | None,
    }.items():
        value = getattr(benchmark, member)
        if not isinstance(value, kinds):
            refuse(f"{member} is {value!r}", f"{getattr(kinds, '__name__', kinds)}")
    if not benchmark.name or not benchmark.reports:
        refuse("name or reports is empty", "a word, and e.g. 'test accuracy'")
    _check_pytree(benchmark, refuse)
    _check_shapes(benchmark, refuse)
    facts = benchmark.describe()
    try:
        json.dumps(facts, allow_nan=False)
    except (TypeError, ValueError) as error:
        refuse(f"describe() is not ready for JSON ({error})", "texts and finite numbers")
    for key in FACTS:
        if key not in facts:
            refuse(f"describe() says no {key!r}", f"at least {', '.join(FACTS)}")
    if facts["noise"] != str(benchmark.noise):
        refuse(f"describe() says noise {facts['noise']!r}", f"{str(benchmark.noise)!r}")


def _members(protocol: type) -> list[str]:
    return sorted(name for name in vars(protocol) if not name.startswith("_"))


def _check_pytree(benchmark: Any, refuse: Any) -> None:
    if any(leaf is benchmark for leaf in jax.tree.leaves(benchmark)):
        refuse(
            f"{type(benchmark).__name__} is no pytree",
            "a dataclass under jax.tree_util.register_dataclass",
        )
    for path, leaf in jax.tree_util.tree_flatten_with_path(benchmark)[0]:
        if not isinstance(leaf, jax.Array | np.ndarray | np.generic | int | float):
            refuse(
                f"its field {jax.tree_util.keystr(path)} is {type(leaf).__name__} data",
                'a static field, field(metadata={"static": True}), or an array',
            )


def _check_shapes(benchmark: Any, refuse: Any) -> None:
    space, key = benchmark.space, jax.random.key(0)
    for member in ("size", "max_degree", "num_features"):
        value = getattr(space, member)
        if not isinstance(value, int | np.integer) or value < 1:
            refuse(f"space.{member} is {value!r}", "a whole number of at least 1")

    def shape_of(what: str, function: Any, *args: Any) -> Any:
        try:
            return jax.eval_shape(function, *args)
        except Exception as error:  # whatever an outside package raises
            reason = f"{type(error).__name__}: {error}".split("\n")[0]
            refuse(f"{what} cannot be traced by jax ({reason})", "a pure function of arrays")

    arch = shape_of("space.sample", space.sample, key)
    if not isinstance(arch, jax.ShapeDtypeStruct) or not jnp.issubdtype(arch.dtype, jnp.integer):
        refuse(f"space.sample gives {arch}", "an array of integers")
    if tuple(arch.shape) != tuple(space.arch_shape):
        refuse(f"space.sample gives shape {arch.shape}", f"arch_shape, {space.arch_shape}")
    one = jax.ShapeDtypeStruct((), jnp.int32)
    near, mask = shape_of(
        "space.neighbours", lambda key, arch: space.neighbours(key, arch, 3), key, arch
    )
    code = shape_of("space.encode", space.encode, arch)
    answer = shape_of("query", benchmark.query, arch, key)
    degree = shape_of("space.degree", space.degree, arch)
    neighbour = shape_of("space.neighbour", space.neighbour, arch, one)
    reported = shape_of("reported", benchmark.reported, arch)
    if not isinstance(answer, QueryResult):
        refuse(f"query gives {type(answer).__name__}", "a QueryResult")
    for what, found, shape, dtype in (
        ("space.degree", degree, (), jnp.integer),
        ("space.neighbour", neighbour, arch.shape, arch.dtype),
        ("space.neighbours", near, (3, *arch.shape), arch.dtype),
        ("space.neighbours' mask", mask, (3,), jnp.bool_),
        ("space.encode", code, (space.num_features,), jnp.int8),
        ("query's val", answer.val, (), jnp.floating),
        ("query's test", answer.test, (), jnp.floating),
        ("query's sim_seconds", answer.sim_seconds, (), jnp.floating),
        ("query's valid", answer.valid, (), jnp.bool_),
        ("reported", reported, (), jnp.floating),
        ("optimum", jnp.asarray(benchmark.optimum), (), jnp.floating),
    ):
        if tuple(found.shape) != tuple(shape) or not jnp.issubdtype(found.dtype, dtype):
            refuse(
                f"{what} gives {found.dtype} {list(found.shape)}",
                f"{getattr(dtype, '__name__', dtype)} {list(shape)}",
            )
