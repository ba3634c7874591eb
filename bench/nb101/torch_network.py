"""NAS-Bench-101 networks in torch, from nasbench-pytorch, with its traps handled (measured on
1.3.1)."""

from __future__ import annotations

import torch
from nasbench_pytorch.model import ModelSpec, Network
from nasbench_pytorch.model.model import Cell as TorchCell
from torch import nn

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell, trainable_parameters
from rlnas.bench.retrain.presets import Settings

NOT_TRAINED = ("a", "dev_param")
"""Empty and dummy parameters that the library registers."""


def library_network(cell: Cell, settings: Settings, channels: int, classes: int) -> nn.Module:
    """The network of a valid cell as nasbench-pytorch makes it, weights from the global generator.

    The library passes TensorFlow's batch-norm momentum 0.997 to the stem and leaves the cells at
    0.1; `rlnas.bench.retrain.networks.make` sets all. `UserError` when the parameters are not as
    many as the NAS-Bench-101 tables' formula says.
    """
    # ops must be a list: pruning deletes from it.
    spec = ModelSpec([list(row) for row in cell.matrix], list(cell.ops))
    network = Network(
        spec,
        num_labels=classes,
        in_channels=channels,
        stem_out_channels=settings.channels,
        num_stacks=settings.stacks,
        num_modules_per_stack=settings.modules,
        tf_like=settings.tf_init,
    )
    for name, weight in network.named_parameters():
        if name.rsplit(".", 1)[-1] in NOT_TRAINED:
            weight.requires_grad_(False)
    found = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    wanted = trainable_parameters(
        cell,
        in_channels=channels,
        classes=classes,
        stem_channels=settings.channels,
        stacks=settings.stacks,
        modules=settings.modules,
    )
    if found != wanted:
        raise UserError(
            f"the network has {found:,} parameters; expected {wanted:,}; another nasbench-pytorch?"
        )
    return network


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
