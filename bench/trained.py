"""Tables whose trainings rlnas knows, so that it can build every network of theirs."""

from __future__ import annotations

from typing import Any

from rlnas.bench.benchmark import Indexed
from rlnas.bench.errors import UserError
from rlnas.bench.family import Family, family_of, load
from rlnas.bench.retrain.plan import Origin


def trained(name: str) -> tuple[Family, Any, Origin]:
    """The family, the benchmark and the trainings behind it. `UserError` where these are not known,
    or its architectures cannot be gone through."""
    family, benchmark = family_of(name), load(name)
    origin = family.origin(name, benchmark.epochs)
    if origin is None or not isinstance(benchmark.space, Indexed):
        raise UserError(
            f"{name}: rlnas does not know the trainings behind it, so it cannot build its networks;"
            " expected a table of its own, such as nb101-digits"
        )
    return family, benchmark, origin
