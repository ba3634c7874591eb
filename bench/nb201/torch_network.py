"""NAS-Bench-201's network of a cell (Dong and Yang 2020, arXiv 2001.00326) in torch.

A stem, then stages of equal cells; a residual block between two stages halves the image and doubles
the channels. Convolutions come as ReLU, convolution, BatchNorm; pools have no BatchNorm.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from rlnas.bench.errors import UserError
from rlnas.bench.nb201 import cell
from rlnas.bench.nb201.cell import EDGES, Digits


def build(
    digits: Digits,
    *,
    classes: int = 10,
    channels: int = cell.STEM_CHANNELS,
    cells: int = cell.CELLS_A_STAGE,
    stages: int = cell.STAGES,
    in_channels: int = 3,
) -> CellNet:
    """The network of a cell, its weights drawn by torch's global generator, as torch draws them;
    the defaults are NAS-Bench-201's for CIFAR-10. Raises `UserError` for a cell outside the
    space."""
    digits = cell.digits_of(cell.NB201, digits)
    sizes = {"classes": classes, "channels": channels, "cells": cells, "stages": stages}
    for name, value in (sizes | {"inputs": in_channels}).items():
        if value < 1:
            raise UserError(f"found {value} {name} for a network; expected at least 1")
    return CellNet(digits, classes, channels, cells, stages, in_channels)


def conv_bn(before: int, after: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """ReLU, convolution, BatchNorm; the image keeps its size at stride 1."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
    )


class Zero(nn.Module):
    """Zeros of the image's shape. Multiplied, as in the original, so that every weight has a
    gradient."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 0.0


OPERATIONS: dict[int, Callable[[int], nn.Module]] = {
    cell.NONE: lambda channels: Zero(),
    cell.SKIP: lambda channels: nn.Identity(),
    cell.CONV1: lambda channels: conv_bn(channels, channels, 1),
    cell.CONV3: lambda channels: conv_bn(channels, channels, 3),
    cell.POOL: lambda channels: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
}
"""channels -> the operation; the image keeps its size."""


class Cell(nn.Module):
    """Four nodes, each the sum of what its edges bring."""

    def __init__(self, digits: Digits, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(OPERATIONS[digit](channels) for digit in digits)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes = [x]
        for operation, (source, node) in zip(self.edges, EDGES, strict=True):
            value = operation(nodes[source])
            if node == len(nodes):
                nodes.append(value)
            else:
                nodes[node] = nodes[node] + value
        return nodes[-1]


class Reduction(nn.Module):
    """A residual block of stride 2."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.path = nn.Sequential(conv_bn(before, after, 3, stride=2), conv_bn(after, after, 3))
        # Of sides of an odd length, ours: a last pixel counts alone, as in the convolution.
        pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Sequential(pool, nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.path(x)


class CellNet(nn.Module):
    """images [n, c, h, w] -> logits [n, classes]."""

    def __init__(
        self, digits: Digits, classes: int, channels: int, cells: int, stages: int, in_channels: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        parts: list[nn.Module] = []
        for stage in range(stages):
            width = channels * 2**stage
            if stage:
                parts.append(Reduction(width // 2, width))
            parts += [Cell(digits, width) for _ in range(cells)]
        self.cells = nn.Sequential(*parts)
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        self.classifier = nn.Linear(width, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.last(self.cells(self.stem(images))).flatten(1))
