"""A plan's network, ready to be trained: weights drawn from a seed, batch norms as settings say."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import nn

from rlnas.bench.retrain.plan import FromLibrary, NetworkPlan
from rlnas.bench.retrain.presets import Settings


@runtime_checkable
class DropsPaths(Protocol):
    """A network that drops paths in training.

    drop_path_prob: the chance that a path is dropped, set before every epoch. generator: where the
    drops are drawn, on the CPU whatever the device, so that they can be stored and repeated.
    """

    drop_path_prob: float
    generator: torch.Generator


def make(
    plan: NetworkPlan,
    settings: Settings,
    channels: int,
    classes: int,
    seed: int,
    *,
    plain: bool = False,
) -> tuple[nn.Module, list[nn.Parameter]]:
    """(network, its trainable parameters), its weights and dropped paths drawn from `seed` alone.

    channels: of the images. plain: as the family's library makes it, where it has one.
    """
    build = plan.build_plain if plain and isinstance(plan, FromLibrary) else plan.build
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: nn.Module = build(settings, channels, classes)
    if isinstance(network, DropsPaths):
        network.generator.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum, module.eps = settings.bn_momentum, settings.bn_epsilon
    return network, [weight for weight in network.parameters() if weight.requires_grad]
