"""NAS-Bench-101 networks from nasbench-pytorch, with its traps handled (measured on 1.3.1); and
DARTS networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from nasbench_pytorch.model import ModelSpec, Network
from nasbench_pytorch.model.model import Cell as TorchCell
from torch import nn

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell, trainable_parameters

if TYPE_CHECKING:
    from rlnas.bench.nb301.darts import Genotype
    from rlnas.bench.retrain.presets import Settings


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
    tf_init: bool = False,
) -> nn.Module:
    """The network of a valid cell, its weights drawn from `seed` alone.

    bn_momentum: torch's sense (weight of the new batch). The library passes TensorFlow's 0.997 to
    the stem and leaves the cells at 0.1, so it is set on every BatchNorm here.
    tf_init: draw the weights by fan-in, as TensorFlow does.
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
            tf_like=tf_init,
        )
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = bn_momentum
    return network


def parameters(network: nn.Module) -> list[nn.Parameter]:
    """The real parameters, without the empty and dummy ones the library registers."""
    return [
        p
        for name, p in network.named_parameters()
        if name.rsplit(".", 1)[-1] not in ("a", "dev_param")
    ]


def count_parameters(network: nn.Module) -> int:
    """Trainable parameters; equals `rlnas.bench.nb101.cell.trainable_parameters`."""
    return sum(p.numel() for p in parameters(network))


class FastCell(nn.Module):
    """The same sums as the library's cell, its edges as Python lists: torch.compile sees one graph,
    and no step makes tensors only to compare sizes. The parameters keep their names."""

    def __init__(self, cell: TorchCell) -> None:
        super().__init__()
        self.vertex_op, self.input_op = cell.vertex_op, cell.input_op
        matrix, last = cell.matrix, cell.num_vertices - 1
        self.channels = [int(c) for c in cell.vertex_channels]
        self.from_input = [bool(matrix[0, v]) for v in range(last + 1)]
        self.sources = [[u for u in range(1, v) if matrix[u, v]] for v in range(last)]
        self.outputs = [v for v in range(1, last) if matrix[v, last]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        values = [x]
        for v in range(1, len(self.channels) - 1):
            parts = [values[u][:, : self.channels[v]] for u in self.sources[v]]
            if self.from_input[v]:
                parts.append(self.input_op[v](x))
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            values.append(self.vertex_op[v](total))
        if not self.outputs:
            return self.input_op[-1](x)
        found = [values[v] for v in self.outputs]
        whole = torch.cat(found, 1) if len(found) > 1 else found[0]
        return whole + self.input_op[-1](x) if self.from_input[-1] else whole


def streamline(network: nn.Module) -> nn.Module:
    """`network` with every cell's forward pass replaced by `FastCell`'s, in place."""
    layers = network.layers
    assert isinstance(layers, nn.ModuleList)
    for i, layer in enumerate(layers):
        if isinstance(layer, TorchCell):
            layers[i] = FastCell(layer)
    return network


def from_settings(
    arch: Cell | Genotype,
    settings: Settings,
    in_channels: int,
    classes: int,
    seed: int,
    *,
    fast: bool = True,
) -> tuple[nn.Module, list[nn.Parameter]]:
    """(network, its trainable parameters) of an architecture of either space, weights drawn from
    `seed`.

    fast: with `FastCell`; else as the library makes it. `UserError` when the parameters are not as
    many as the NAS-Bench-101 table's formula says.
    """
    if isinstance(arch, Cell):
        shape = {
            "stacks": settings.stacks,
            "modules": settings.modules,
            "in_channels": in_channels,
            "classes": classes,
        }
        network = build(
            arch, stem_channels=settings.channels, bn_momentum=settings.bn_momentum, seed=seed,
            tf_init=settings.tf_init, **shape,
        )  # fmt: skip
        weights = parameters(network)
        found, wanted = (
            sum(p.numel() for p in weights),
            trainable_parameters(arch, stem_channels=settings.channels, **shape),
        )
        if found != wanted:
            raise UserError(
                f"the network has {found:,} parameters; expected {wanted:,}; another "
                "nasbench-pytorch?"
            )
        if fast:
            streamline(network)
    else:
        from rlnas.bench.retrain import darts_network

        network = darts_network.build_darts(
            arch, classes, channels=settings.channels, layers=settings.layers,
            auxiliary=settings.auxiliary_weight > 0, in_channels=in_channels, seed=seed,
        )  # fmt: skip
        weights = list(network.parameters())
        found = sum(p.numel() for p in weights)
        if found != (wanted := darts_network.trainable_parameters(network)):
            raise UserError(f"the network has {found:,} parameters; expected {wanted:,}")
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum, module.eps = settings.bn_momentum, settings.bn_epsilon
    return network, weights
