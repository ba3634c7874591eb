"""The network that NAS-Bench-301 trains for a DARTS genotype (Liu et al. 2019, arXiv 1806.09055).

A stem, then `layers` cells; the cells at one and two thirds of the way halve the image and double
the channels, with the genotype's reduction cell, the others are its normal cell. Nodes 0 and 1 of a
cell are the outputs of the two cells before, brought to the cell's channels; nodes 2 to 5 add up
two operations each and make the output together. Convolutions come as ReLU, convolution, BatchNorm;
pools have no BatchNorm.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from rlnas.bench.errors import UserError
from rlnas.bench.nb301 import darts
from rlnas.bench.nb301.darts import Edges, Genotype

STEM_MULTIPLIER = 3


def build_darts(
    genotype: Genotype,
    num_classes: int = 10,
    channels: int = 32,
    layers: int = 8,
    auxiliary: bool = True,
    in_channels: int = 3,
) -> DartsNetwork:
    """The network of `genotype`, its weights drawn from torch's global generator.

    The defaults are NAS-Bench-301's; DARTS' own evaluation has 36 channels and 20 layers. Raises
    `UserError` for a genotype outside the space.
    """
    for name, value in (
        ("classes", num_classes),
        ("channels", channels),
        ("layers", layers),
        ("inputs", in_channels),
    ):
        if value < 1:
            raise UserError(f"found {value} {name} for a DARTS network; expected at least 1")
    return DartsNetwork(
        darts.canonical(genotype), num_classes, channels, layers, auxiliary, in_channels
    )


def conv_bn(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """ReLU, 1 x 1 convolution, BatchNorm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
        nn.BatchNorm2d(channels_out),
    )


def separable(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Sequential:
    """ReLU, depthwise and then 1 x 1 convolution, BatchNorm; the image keeps its size at stride
    1."""
    padding = dilation * (kernel - 1) // 2
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
    )


class FactorizedReduce(nn.Module):
    """Half the image, without losing any pixel: two 1 x 1 convolutions of stride 2, the second one
    a pixel further down and right, make half of the channels each."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(channels_in, channels_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels_in, channels_out - channels_out // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(channels_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        x = F.pad(
            F.relu(x), (0, width % 2, 0, height % 2)
        )  # odd sizes round up, as the other operations do
        return self.norm(torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], dim=1))


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "max_pool_3x3": lambda channels, stride: nn.MaxPool2d(3, stride, padding=1),
    "avg_pool_3x3": lambda channels, stride: nn.AvgPool2d(
        3, stride, padding=1, count_include_pad=False
    ),
    "skip_connect": lambda channels, stride: (
        nn.Identity() if stride == 1 else FactorizedReduce(channels, channels)
    ),
    "sep_conv_3x3": lambda channels, stride: nn.Sequential(
        separable(channels, 3, stride), separable(channels, 3, 1)
    ),
    "sep_conv_5x5": lambda channels, stride: nn.Sequential(
        separable(channels, 5, stride), separable(channels, 5, 1)
    ),
    "dil_conv_3x3": lambda channels, stride: separable(channels, 3, stride, dilation=2),
    "dil_conv_5x5": lambda channels, stride: separable(channels, 5, stride, dilation=2),
}
"""(channels, stride) -> the operation; the number of channels stays."""


class Cell(nn.Module):
    """One cell. halved: whether the cell before was a reduction, so that node 0's image is twice
    node 1's."""

    def __init__(
        self,
        edges: Edges,
        channels_0: int,
        channels_1: int,
        channels: int,
        reduction: bool,
        halved: bool,
    ) -> None:
        super().__init__()
        self.enter_0 = (
            FactorizedReduce(channels_0, channels) if halved else conv_bn(channels_0, channels)
        )
        self.enter_1 = conv_bn(channels_1, channels)
        self.sources = [source for _, source in edges]
        self.operations = nn.ModuleList(
            OPERATIONS[op](channels, 2 if reduction and source < 2 else 1) for op, source in edges
        )

    @property
    def droppable(self) -> list[bool]:
        """By edge: whether drop path applies, which spares the identity."""
        return [not isinstance(operation, nn.Identity) for operation in self.operations]

    def forward(
        self, x_0: torch.Tensor, x_1: torch.Tensor, keep: torch.Tensor | None
    ) -> torch.Tensor:
        """keep: [edges, n], what each image's path is multiplied by; None multiplies nothing."""
        nodes = [self.enter_0(x_0), self.enter_1(x_1)]
        for node in range(0, len(self.sources), 2):
            paths = []
            for edge in (node, node + 1):
                path = self.operations[edge](nodes[self.sources[edge]])
                if keep is not None and self.droppable[edge]:
                    path = path * keep[edge, :, None, None, None]
                paths.append(path)
            nodes.append(paths[0] + paths[1])
        return torch.cat(nodes[2:], dim=1)


class AuxiliaryHead(nn.Module):
    """A second classifier, after the second reduction; its loss is added in training (by 0.4 in
    DARTS)."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, 128, 1, bias=False), nn.BatchNorm2d(128), nn.ReLU()
        )
        self.combine = nn.Sequential(
            nn.Conv2d(128, 768, 2, bias=False), nn.BatchNorm2d(768), nn.ReLU()
        )
        self.classifier = nn.Linear(768, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(x)
        # DARTS knows images of 32 x 32, 8 x 8 here, and averages 5 x 5 windows 3 apart: 2 x 2. Ours
        # for other sizes: 2 x 2 windows that cover the image.
        x = F.avg_pool2d(x, 5, stride=3) if x.shape[-2:] == (8, 8) else F.adaptive_avg_pool2d(x, 2)
        return self.classifier(self.combine(self.reduce(x)).flatten(1))


class DartsNetwork(nn.Module):
    """drop_path_prob: the probability with which training drops a path, for each image; DARTS
    raises it linearly from 0 to 0.2 over the epochs. generator: where the drops are drawn, on the
    CPU whatever the device; its state belongs into a checkpoint."""

    def __init__(
        self,
        genotype: Genotype,
        classes: int,
        channels: int,
        layers: int,
        auxiliary: bool,
        in_channels: int,
    ) -> None:
        super().__init__()
        self.drop_path_prob = 0.0
        self.generator = torch.Generator()
        width = STEM_MULTIPLIER * channels
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        )
        self.cells = nn.ModuleList()
        width_0 = width_1 = width
        halved = False
        self.auxiliary_after = 2 * layers // 3
        for layer in range(layers):
            reduction = layer in (layers // 3, 2 * layers // 3)
            channels *= 1 + reduction
            edges = genotype.reduce if reduction else genotype.normal
            self.cells.append(Cell(edges, width_0, width_1, channels, reduction, halved))
            width_0, width_1 = width_1, len(darts.NODES) * channels
            halved = reduction
            if layer == self.auxiliary_after:
                auxiliary_width = width_1
        self.auxiliary_head = AuxiliaryHead(auxiliary_width, classes) if auxiliary else None
        self.classifier = nn.Linear(width_1, classes)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """images [n, c, h, w] -> logits [n, classes], and the auxiliary head's in training when
        there is one, else None. Training needs n > 1, as BatchNorm does where the image has shrunk
        to a pixel."""
        x_0 = x_1 = self.stem(images)
        keeps = self._draw(images)
        logits = None
        for layer, (cell, keep) in enumerate(zip(self.cells, keeps, strict=True)):
            x_0, x_1 = x_1, cell(x_0, x_1, keep)
            if self.training and self.auxiliary_head is not None and layer == self.auxiliary_after:
                logits = self.auxiliary_head(x_1)
        return self.classifier(x_1.mean((2, 3))), logits

    def _draw(self, images: torch.Tensor) -> list[torch.Tensor | None]:
        """For every cell [edges, n]: 0 where a path is dropped, else 1 / (1 - p), so that the mean
        stays."""
        if not self.training or self.drop_path_prob == 0:
            return [None] * len(self.cells)
        kept = 1 - self.drop_path_prob
        shape = (len(self.cells), 2 * len(darts.NODES), len(images))
        drawn = (torch.rand(shape, generator=self.generator) < kept).to(images.dtype) / kept
        return list(drawn.to(images.device, non_blocking=True))
