"""A cell of NAS-Bench-101 as a plan for training; light, torch comes with `build`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.nb101.cell import Cell
from rlnas.bench.retrain.presets import Settings


@dataclass(frozen=True)
class CellNetwork:
    """See `rlnas.bench.retrain.plan.NetworkPlan`."""

    cell: Cell

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        from rlnas.bench.nb101 import torch_network

        return torch_network.streamline(self.build_plain(settings, channels, classes))

    def build_plain(self, settings: Settings, channels: int, classes: int) -> Any:
        """As nasbench-pytorch makes it."""
        from rlnas.bench.nb101 import torch_network

        return torch_network.library_network(self.cell, settings, channels, classes)
