"""Cells made by hand that a search may be taught by, as choices that build them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import Decisions
from rlnas.bench.errors import UserError

Words = Sequence[Sequence[frozenset[str]]]
"""[T][K]: what each choice says of the layer it is part of, e.g. `2 type conv` and `2 kernel 3`:
its type, its kernel, its predecessors. Nothing where it says that something is not there."""


@runtime_checkable
class Exemplary(Decisions, Protocol):
    """Decisions that can spell cells made by hand. None of it depends on the arrays of a space: it
    can be had while JAX traces."""

    @property
    def experts(self) -> Mapping[str, str]:
        """name -> text of a cell: `resnet`, convolutions in a chain and an edge past them, and
        `inception`, branches side by side. Without those that are too large."""

    def spelled(self, text: str) -> tuple[int, ...]:
        """[T], allowed choices that build the cell of a text; `UserError` where it is none."""

    @property
    def words(self) -> Words:
        """What the choices say."""


def spelled(decisions: Any, expert: str, who: str) -> tuple[int, ...]:
    """The choices of `expert`, a name or the text of a cell; `UserError` for `who` in a space
    without any, or that has no place for it."""
    if not isinstance(decisions, Exemplary):
        raise UserError(
            f"{who} learns from a cell made by hand, and {type(decisions).__name__} can spell "
            "none; choose another agent, or add them (rlnas.bench.exemplars.Exemplary)"
        )
    experts = decisions.experts
    try:
        return decisions.spelled(experts.get(expert.strip(), expert))
    except UserError as error:
        named = ", ".join(experts) or "no name: all are too large here"
        raise UserError(
            f"found expert={shown(expert)}; expected {named}, or the text of a cell ({error})"
        ) from None


def features(words: Words) -> Bool[np.ndarray, "T K F"]:
    """Whether a choice says each of the F words that there are, in their order."""
    every = sorted(set().union(*(said for step in words for said in step)))
    most = max(len(step) for step in words)
    found = np.zeros((len(words), most, len(every)), bool)
    for t, step in enumerate(words):
        for choice, said in enumerate(step):
            found[t, choice] = [word in said for word in every]
    return found


def one_hot(sizes: Sequence[int]) -> Words:
    """Choices that say nothing but themselves."""
    return [[frozenset({f"{t} is {c}"}) for c in range(size)] for t, size in enumerate(sizes)]
