"""What is searched, and what a look at it costs: `load(name)` opens a benchmark, `names()` lists
them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlnas.bench.registry import Registry

REGISTRY = Registry(
    "rlnas.benchmarks",
    {"nb101-digits": "rlnas.bench.nb101.benchmark:load", "nb301": "rlnas.bench.nb301.store:load"},
)


def names() -> list[str]:
    """The registered benchmarks; converted tables (`rlnas bench list`) open by their name or path
    as well."""
    return REGISTRY.names()


def load(name: str, *, epochs: int | None = None, noise: str = "mean", **options: Any) -> Any:
    """Open a benchmark.

    name: a registered benchmark, a table's name, the path of an `.npz` table, or
    `nb301-<surrogate>`. epochs: the training budget, default the largest there is. noise: `mean`,
    `sample` or `repeat=i`. options: what only some benchmarks take
    (`load("nb301", surrogate="yahpo")`). An entry point of the group `rlnas.benchmarks` is a
    function of these arguments. Raises `UserError` when there is none.
    """
    if name in REGISTRY.names():
        return REGISTRY.load(name)(name, epochs=epochs, noise=noise, **options)
    from rlnas.bench.nb301 import store

    if name.startswith(store.PREFIX) or (name.endswith(".npz") and store.is_surrogate(Path(name))):
        return store.load(name, epochs=epochs, noise=noise, **options)
    from rlnas.bench.nb101.benchmark import load as load_table

    return load_table(name, epochs=epochs, noise=noise, **options)
