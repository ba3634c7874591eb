"""What is searched, and what a look at it costs: `load(name)` opens a benchmark, `names()` lists them."""

from __future__ import annotations

from typing import Any

from bench.registry import Registry

REGISTRY = Registry("rlnas.benchmarks", {"nb101-digits": "bench.nb101.benchmark:load"})


def names() -> list[str]:
    """The registered benchmarks; converted tables (`rlnas bench list`) open by their name or path as well."""
    return REGISTRY.names()


def load(name: str, *, epochs: int | None = None, noise: str = "mean") -> Any:
    """Open a benchmark.

    name: a registered benchmark, a table's name or the path of an `.npz` table. epochs: the training
    budget, default the table's largest. noise: `mean`, `sample` or `repeat=i`. An entry point of the group
    `rlnas.benchmarks` is a function of the same three arguments. Raises `UserError` when there is none.
    """
    if name in REGISTRY.names():
        return REGISTRY.load(name)(name, epochs=epochs, noise=noise)
    from bench.nb101.benchmark import load as load_table

    return load_table(name, epochs=epochs, noise=noise)
