"""The network of a NAS-Bench-201 or TransNAS-Bench-101 micro cell in torch; see `skeleton`.

Convolutions come as ReLU, convolution, BatchNorm; pools have no BatchNorm.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.cell import EDGES, Digits
from rlnas.bench.nb201.skeleton import Part, Skeleton, is_identity

SMALL = 64
"""Images of a shorter side, in pixels, are not halved by a stem's convolution (ours): of
TransNAS-Bench-101's 256 pixels 8 are left at the end, of 32 there would be one."""


def conv_bn(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, BatchNorm; the image keeps its size at stride 1."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
    )


class Zero(nn.Module):
    """Zeros of the shape that a convolution would give. Multiplied, as in NAS-Bench-201, so that
    every weight has a gradient."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.after, self.stride = None if before == after else after, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        zeros = x[..., :: self.stride, :: self.stride] * 0.0
        return zeros if self.after is None else zeros[:, :1].expand(-1, self.after, -1, -1)


class FactorizedReduce(nn.Module):
    """ReLU; two 1 x 1 convolutions to half of the channels each, the second of the image moved by a
    pixel; BatchNorm."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        halves = after // 2, after - after // 2
        self.halves = nn.ModuleList(
            nn.Conv2d(before, half, 1, stride, bias=False) for half in halves
        )
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(x)
        moved = functional.pad(x, (0, 1, 0, 1))[..., 1:, 1:]
        return self.norm(torch.cat([self.halves[0](x), self.halves[1](moved)], 1))


def operation(digit: int, part: Part, source: int) -> nn.Module:
    """Of an edge from node `source` of a cell."""
    before, stride = (part.after, 1) if source else (part.before, part.stride)
    if digit == cell.NONE:
        return Zero(before, part.after, stride)
    if digit == cell.SKIP:
        whole = is_identity(part, source)
        return nn.Identity() if whole else FactorizedReduce(before, part.after, stride)
    if digit == cell.POOL:
        return nn.AvgPool2d(3, 1, padding=1, count_include_pad=False)
    return conv_bn(before, part.after, 1 if digit == cell.CONV1 else 3, stride)


class Cell(nn.Module):
    """Four nodes, each the sum of what its edges bring."""

    def __init__(self, digits: Digits, part: Part) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            operation(digit, part, source) for digit, (source, _) in zip(digits, EDGES, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes = [x]
        for edge, (source, node) in zip(self.edges, EDGES, strict=True):
            value = edge(nodes[source])
            if node == len(nodes):
                nodes.append(value)
            else:
                nodes[node] = nodes[node] + value
        return nodes[-1]


class Residual(nn.Module):
    """A residual block of stride 2."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        _, before, after, stride = part
        self.path = nn.Sequential(conv_bn(before, after, 3, stride), conv_bn(after, after, 3))
        # Of sides of an odd length, ours: a last pixel counts alone, as in the convolution.
        pool = nn.AvgPool2d(2, stride, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.path(x)


class StemConv(nn.Conv2d):
    """3 x 3; a small image keeps its size."""

    def __init__(self, part: Part) -> None:
        super().__init__(part.before, part.after, 3, part.stride, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stride = self.stride if min(x.shape[-2:]) >= SMALL else 1
        return functional.conv2d(x, self.weight, None, stride, self.padding)


class CellNet(nn.Module):
    """images [n, c, h, w] -> logits [n, classes]. Weights are drawn by torch's global generator."""

    def __init__(self, digits: Digits, made: Skeleton, classes: int) -> None:
        super().__init__()
        stem: list[nn.Module] = []
        for part in made.stem:
            stem += [*([nn.ReLU()] if stem else []), StemConv(part), nn.BatchNorm2d(part.after)]
        self.stem = nn.Sequential(*stem)
        self.body = nn.Sequential(
            *(Residual(p) if p.kind == "residual" else Cell(digits, p) for p in made.body)
        )
        last = [nn.BatchNorm2d(made.width), nn.ReLU()] if made.last_norm else []
        self.last = nn.Sequential(*last, nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Linear(made.width, classes)
        if made.fan_out:
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.last(self.body(self.stem(images))).flatten(1))
