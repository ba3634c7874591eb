"""How a NAS-Bench-201 cell becomes a network, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.nb201.cell import Digits, trainable_parameters
from rlnas.bench.retrain.presets import Settings


@dataclass(frozen=True)
class CellNetwork:
    """A `rlnas.bench.retrain.plan.NetworkPlan`. Of the settings, `channels` are the stem's (16 in
    the paper), `modules` the cells a stage (5) and `stacks` the stages (3)."""

    digits: Digits

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        from rlnas.bench.nb201 import torch_network

        shape = {
            "channels": settings.channels,
            "cells": settings.modules,
            "stages": settings.stacks,
            "in_channels": channels,
            "classes": classes,
        }
        network = torch_network.build(self.digits, **shape)
        found = sum(weight.numel() for weight in network.parameters())
        if found != (wanted := trainable_parameters(self.digits, **shape)):
            raise UserError(f"the network has {found:,} parameters; expected {wanted:,}")
        return network
