"""How a DARTS genotype becomes a network, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.nb301.darts import Genotype


@dataclass(frozen=True)
class DartsNetwork:
    """A `rlnas.bench.family.NetworkPlan`."""

    genotype: Genotype

    def build(
        self, settings: Any, *, in_channels: int, classes: int, seed: int, fast: bool = True
    ) -> tuple[Any, list[Any]]:
        from rlnas.bench.retrain.networks import from_settings  # torch

        return from_settings(self.genotype, settings, in_channels, classes, seed, fast=fast)
