"""What a predictor is: what it sees of architectures, how it learns from some, what it says of
others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, runtime_checkable

from rlnas.bench.benchmark import Arch, SearchSpace

Codes = Any
"""A pytree of arrays [n, ...], of n architectures."""


class Model(NamedTuple):
    """A predictor on a space.

    see: architectures [n] -> their codes. fit: codes [n, ...], values float32 [n], key -> what was
    learnt, a pytree. predict: that, codes [m, ...] -> scores float32 [m]; more is better, on any
    scale that the settings name.
    """

    see: Callable[[Arch], Codes]
    fit: Callable[[Codes, Any, Any], Any]
    predict: Callable[[Any, Codes], Any]


@runtime_checkable
class Predictor(Protocol):
    """The settings of one: a frozen dataclass whose fields are its options."""

    @property
    def free(self) -> bool:
        """Whether it needs no training: `fit` changes nothing."""

    @property
    def pure(self) -> bool:
        """Whether all three functions are arrays in, arrays out, for jit and vmap; then a value may
        be NaN, of an architecture of which nothing is known."""

    def build(self, space: SearchSpace) -> Model:
        """On `space`; `UserError` where it cannot be."""
