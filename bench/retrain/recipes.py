"""The recipes there are, and the one behind a benchmark's numbers."""

from __future__ import annotations

from collections.abc import Iterable

from rlnas.bench.errors import UserError
from rlnas.bench.family import families, family_of
from rlnas.bench.retrain.plan import Origin
from rlnas.bench.retrain.presets import COMMON, FOR_DATASET, Settings


def presets() -> dict[str, Settings]:
    """Every recipe by name: those of the families, then ours for any of them."""
    theirs = {name: made for family in families().values() for name, made in family.recipes.items()}
    return theirs | COMMON


def default_preset(dataset: str, benchmarks: Iterable[str]) -> str:
    """The preset for trainings on a data set, of architectures found on `benchmarks`: that of the
    first of a family that can be trained."""
    if dataset in FOR_DATASET:
        return FOR_DATASET[dataset]
    for name in benchmarks:
        try:
            if preset := family_of(name).preset(name):
                return preset
        except UserError:  # it is not here any more; what loads it will tell
            continue
    return next(family.recipe for family in families().values() if family.recipe)


def origin(name: str, epochs: int | None) -> Origin | None:
    """The trainings behind the numbers of a benchmark, which need not be here any more."""
    found = (family.origin(name, epochs) for family in families().values())
    return next((source for source in found if source), None)
