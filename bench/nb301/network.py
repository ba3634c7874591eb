"""A genotype of NAS-Bench-301 as a plan for training; light, torch comes with `build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.nb301.darts import Genotype
from rlnas.bench.retrain.presets import Settings


@dataclass(frozen=True)
class DartsNetwork:
    """See `rlnas.bench.retrain.plan.NetworkPlan`."""

    genotype: Genotype

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        from rlnas.bench.nb301.torch_network import build_darts

        return build_darts(
            self.genotype,
            classes,
            channels=settings.channels,
            layers=settings.layers,
            auxiliary=settings.auxiliary_weight > 0,
            in_channels=channels,
        )
