"""How an architecture becomes a network: what a family of benchmarks gives to a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from rlnas.bench.retrain.presets import Settings


@runtime_checkable
class NetworkPlan(Protocol):
    """One architecture, ready to be built: small, hashable, picklable, and without torch until
    `build` is called in the process that trains it."""

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        """The network, a `torch.nn.Module` from images [n, channels, h, w] to logits [n, classes],
        or to (logits, an auxiliary head's logits or None).

        Weights come from torch's global generator, which the caller has seeded; parameters with
        `requires_grad` are trained. The caller sets momentum and epsilon of every batch norm.
        Raises `UserError` where `settings` do not fit.
        """


@runtime_checkable
class FromLibrary(NetworkPlan, Protocol):
    """A plan whose `build` changes what another library makes."""

    def build_plain(self, settings: Settings, channels: int, classes: int) -> Any:
        """The same network as that library makes it, to compare the speed with."""


@dataclass(frozen=True)
class Origin:
    """The trainings behind a benchmark's numbers.

    dataset: a name for `rlnas retrain --dataset`. preset, settings: the recipe, and its name.
    repeats_are_seeds: whether repeat i is the training with seed i here. unused: settings that
    mean nothing to networks of the family.
    """

    dataset: str
    preset: str
    settings: Settings
    repeats_are_seeds: bool = False
    unused: frozenset[str] = field(default_factory=frozenset)
