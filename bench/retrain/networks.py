"""NAS-Bench-101 networks from nasbench-pytorch, with its traps handled (measured on 1.3.1)."""

from __future__ import annotations

import torch
from nasbench_pytorch.model import ModelSpec, Network
from torch import nn

from bench.nb101.cell import Cell


def build(
    cell: Cell,
    *,
    in_channels: int,
    stem_channels: int,
    stacks: int,
    modules: int,
    bn_momentum: float,
    seed: int,
    classes: int = 10,
) -> nn.Module:
    """The network of a valid cell, its weights drawn from `seed` alone.

    bn_momentum: torch's sense (weight of the new batch). The library passes TensorFlow's 0.997 to
    the stem and leaves the cells at 0.1, so it is set on every BatchNorm here.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # ops must be a list: pruning deletes from it.
        spec = ModelSpec([list(row) for row in cell.matrix], list(cell.ops))
        network = Network(
            spec,
            num_labels=classes,
            in_channels=in_channels,
            stem_out_channels=stem_channels,
            num_stacks=stacks,
            num_modules_per_stack=modules,
        )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = bn_momentum
    return network


def parameters(network: nn.Module) -> list[nn.Parameter]:
    """The real parameters, without the empty and dummy ones the library registers."""
    return [p for name, p in network.named_parameters() if name.rsplit(".", 1)[-1] not in ("a", "dev_param")]


def count_parameters(network: nn.Module) -> int:
    """Trainable parameters; equals `bench.nb101.cell.trainable_parameters`."""
    return sum(p.numel() for p in parameters(network))
