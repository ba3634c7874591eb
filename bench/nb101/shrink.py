"""The network of a student cell with what fits of its teacher's weights
(`rlnas.bench.nb101.reductions`).

Ours: a student's convolution begins as the first channels of the teacher's, of a kernel that
shrinks the middle; where the student is wider (fewer vertices share the output), the rest is drawn
anew, as are projections that the teacher does not have.
"""

from __future__ import annotations

import torch
from torch import nn

from rlnas.bench.nb101.inherit import layers, parts
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.reductions import Student
from rlnas.bench.nb101.torch_network import FastCell
from rlnas.bench.retrain import networks
from rlnas.bench.retrain.presets import Settings


@torch.no_grad()
def student_network(
    teacher: nn.Module, student: Student, settings: Settings, channels: int, classes: int, seed: int
) -> nn.Module:
    """On the teacher's device. channels: of the images. seed: of what is drawn."""
    network, _ = networks.make(CellNetwork(student.cell), settings, channels, classes, seed)
    network = network.to(next(teacher.parameters()).device)
    for old, new in zip(layers(teacher), layers(network), strict=True):
        if isinstance(old, FastCell) and isinstance(new, FastCell):
            for v, origin in list(enumerate(student.origin))[1:]:
                if v < len(student.origin) - 1:
                    _slice(old.vertex_op[origin], new.vertex_op[v])
                _slice(old.input_op[origin], new.input_op[v])
        else:
            new.load_state_dict(old.state_dict())
    return network


def _slice(old: nn.Module, new: nn.Module) -> None:
    """Nothing where one of the two has no convolution."""
    if not all(any(isinstance(m, nn.Conv2d) for m in block.modules()) for block in (old, new)):
        return
    (conv, norm), (smaller, smaller_norm) = parts(old), parts(new)
    out, inner = (
        min(pair) for pair in zip(conv.weight.shape[:2], smaller.weight.shape[:2], strict=True)
    )
    size = smaller.weight.shape[-1]
    edge = (conv.weight.shape[-1] - size) // 2
    kernel = conv.weight[:out, :inner]
    if edge > 0:
        kernel = kernel[..., edge : edge + size, edge : edge + size]
    smaller.weight[:out, :inner] = kernel
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(smaller_norm, name)[:out] = getattr(norm, name)[:out]
