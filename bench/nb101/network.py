"""How a NAS-Bench-101 cell becomes a network, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.nb101.cell import Cell


@dataclass(frozen=True)
class CellNetwork:
    """A `rlnas.bench.family.NetworkPlan`."""

    cell: Cell

    def build(
        self, settings: Any, *, in_channels: int, classes: int, seed: int, fast: bool = True
    ) -> tuple[Any, list[Any]]:
        from rlnas.bench.retrain.networks import from_settings  # torch

        return from_settings(self.cell, settings, in_channels, classes, seed, fast=fast)
