"""How a NAS-Bench-201 or TransNAS-Bench-101 micro cell becomes a network, said without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlnas.bench.errors import UserError
from rlnas.bench.nb201.cell import Digits, Variant, digits_of
from rlnas.bench.nb201.skeleton import around, trainable_parameters
from rlnas.bench.retrain.presets import Settings


@dataclass(frozen=True)
class CellNetwork:
    """A `rlnas.bench.retrain.plan.NetworkPlan`. Of the settings, `channels` are the stem's,
    `stacks` the modules (stages) and `modules` the cells of one: 16, 3 and 5 in NAS-Bench-201, 64,
    5 and 2 in TransNAS-Bench-101.

    A network of TransNAS-Bench-101 is the one of its classification tasks, whatever the task of the
    benchmark that the cell was found on: what is trained on here are images with labels.
    """

    digits: Digits
    variant: Variant

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        from rlnas.bench.nb201.torch_network import CellNet

        digits = digits_of(self.variant, self.digits)
        made = around(self.variant, settings.channels, settings.stacks, settings.modules, channels)
        network = CellNet(digits, made, classes)
        found = sum(weight.numel() for weight in network.parameters())
        if found != (wanted := trainable_parameters(digits, made, classes)):
            raise UserError(f"the network has {found:,} parameters; expected {wanted:,}")
        return network
