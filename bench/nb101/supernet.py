"""One network that holds the weights of every NAS-Bench-101 cell: trained once, it scores them all.

How it is trained: `rlnas.bench.nb101.supernet_training`.

What is shared is ours. A module of the supernet has, for every interior position of a cell, a 3 x 3
and a 1 x 1 convolution, and for every position and the output a projection from the module's input:
each as wide as any cell needs it. A cell uses the first channels of them, as many as
`vertex_channels` gives its vertices, of the BatchNorm's scale and shift too. Positions are those of
the canonical form (`rlnas.bench.nb101.graph`). How such choices change the ranking is the subject
of Yu et al. 2020, "How to train your super-net", arXiv 2003.04276.

No BatchNorm keeps running averages: training uses the batch's statistics; a cell is scored with its
own, recomputed on the training images, as Guo et al. do and as the tables of `rlnas bench tabulate`
are measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from rlnas.bench.nb101.cell import Cell, vertex_channels
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.retrain.datasets import Dataset

KERNELS = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}
EPSILON = 1e-5  # BatchNorm's, as nasbench-pytorch has it


class Normalised(nn.Module):
    """BatchNorm and ReLU of channels, of which a cell uses the first."""

    def __init__(self, channels_out: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels_out))
        self.shift = nn.Parameter(torch.zeros(channels_out))
        self.mean: torch.Tensor
        self.variance: torch.Tensor
        self.register_buffer("mean", torch.zeros(channels_out))
        self.register_buffer("variance", torch.ones(channels_out))

    def after(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Behind a convolution, x [n, c, h, w] -> [n, out, h, w], weight [out, c, k, k]. Training
        normalises by the batch, and keeps its statistics (momentum 1); evaluation normalises by
        those that were kept last."""
        x, channels = F.conv2d(x, weight, padding=weight.shape[-1] // 2), len(weight)
        kept = self.mean[:channels], self.variance[:channels]
        own = self.scale[:channels], self.shift[:channels]
        return F.batch_norm(
            x, *kept, *own, training=self.training, momentum=1.0, eps=EPSILON
        ).relu_()


class SharedConv(Normalised):
    """With a convolution before, of which a cell uses the first channels too."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, generator: torch.Generator
    ) -> None:
        super().__init__(channels_out)
        self.weight = nn.Parameter(drawn((), channels_in, channels_out, kernel, generator))

    def forward(self, x: torch.Tensor, channels: int) -> torch.Tensor:
        """x [n, c, h, w] -> [n, channels, h, w]."""
        return self.after(x, self.weight[:channels, : x.shape[1]])


def drawn(
    many: tuple[int, ...],
    channels_in: int,
    channels_out: int,
    kernel: int,
    generator: torch.Generator,
) -> torch.Tensor:
    """[*many, out, in, kernel, kernel], as nasbench-pytorch draws the weights of convolutions."""
    spread = math.sqrt(2 / (kernel * kernel * channels_out))
    shape = (*many, channels_out, channels_in, kernel, kernel)
    return torch.randn(shape, generator=generator) * spread


Convs = Callable[..., Normalised]
"""Makes the convolutions of a module: name (`projection`, or an operation), channels_in,
channels_out, kernel, generator -> a convolution."""


def shared(name: str, *sizes: Any) -> SharedConv:
    """With weights of its own."""
    return SharedConv(*sizes)


class SharedModule(nn.Module):
    """All cells with at most `positions` interior vertices, at one place of the network."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        positions: int,
        generator: torch.Generator,
        conv: Convs = shared,
    ) -> None:
        super().__init__()
        self.channels_in, self.channels_out = channels_in, channels_out
        self.projections = nn.ModuleList(
            conv("projection", channels_in, channels_out, 1, generator)
            for _ in range(positions + 1)
        )
        """To the interior positions, and last to the output."""
        self.operations = nn.ModuleList(
            nn.ModuleDict(
                {
                    op: conv(op, channels_out, channels_out, k, generator)
                    for op, k in KERNELS.items()
                }
            )
            for _ in range(positions)
        )

    def projection(self, cell: Cell, vertex: int) -> Normalised:
        """What leads from the input of `cell` to a vertex of it."""
        return self.projections[-1 if vertex == cell.num_vertices - 1 else vertex - 1]  # type: ignore[return-value]

    def operation(self, cell: Cell, vertex: int) -> Normalised:
        """The convolution of an interior vertex (not of a pooling one)."""
        return self.operations[vertex - 1][cell.ops[vertex]]  # type: ignore[index,return-value]

    def forward(self, x: torch.Tensor, cell: Cell) -> torch.Tensor:
        """Interior vertices add up what flows in, cut to their width; the output concatenates, and
        adds the input's projection (the rules of NAS-Bench-101)."""
        channels = vertex_channels(cell, self.channels_in, self.channels_out)
        last = cell.num_vertices - 1
        made: dict[int, torch.Tensor] = {}
        for v in range(1, last):
            inflow = [made[u][:, : channels[v]] for u in range(1, v) if cell.matrix[u][v]]
            if cell.matrix[0][v]:
                inflow.append(self.projection(cell, v)(x, channels[v]))
            total = inflow[0]
            for more in inflow[1:]:
                total = total + more
            if cell.ops[v] in KERNELS:
                made[v] = self.operation(cell, v)(total, channels[v])
            else:
                made[v] = F.max_pool2d(total, 3, stride=1, padding=1)
        parts = [made[v] for v in range(1, last) if cell.matrix[v][last]]
        if not parts:
            return self.projection(cell, last)(x, channels[last])
        output = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
        if cell.matrix[0][last]:
            output = output + self.projection(cell, last)(x, channels[last])
        return output


class Supernet(nn.Module):
    """The weights of all cells with at most `max_vertices` vertices, in the macro structure of
    `recipe`."""

    def __init__(
        self, recipe: Recipe, *, in_channels: int, max_vertices: int, seed: int, classes: int = 10
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.modules_a_stack = recipe.modules
        self.stem = SharedConv(in_channels, recipe.stem_channels, 3, generator)
        widths = [
            recipe.stem_channels << stack
            for stack in range(recipe.stacks)
            for _ in range(recipe.modules)
        ]
        self.body = nn.ModuleList(
            SharedModule(width_in, width, max_vertices - 2, generator, self.convs())
            for width_in, width in zip([widths[0], *widths], widths, strict=False)
        )
        self.classifier = nn.utils.skip_init(
            nn.Linear, widths[-1], classes
        )  # its own start would draw globally
        with torch.no_grad():
            self.classifier.weight.copy_(
                torch.randn(self.classifier.weight.shape, generator=generator) * 0.01
            )
            self.classifier.bias.zero_()

    def convs(self) -> Convs:
        """What makes the convolutions of the next module."""
        return shared

    def optimiser(self, recipe: Recipe, learning_rate: float) -> torch.optim.Optimizer:
        """The recipe's own, at another rate."""
        return torch.optim.RMSprop(
            self.parameters(),
            lr=learning_rate,
            alpha=recipe.decay,
            eps=recipe.epsilon,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            foreach=True,
        )

    def forward(self, images: torch.Tensor, cell: Cell) -> torch.Tensor:
        """images [n, c, h, w] -> logits [n, classes] of `cell`."""
        return self.after_stem(self.before_cells(images), cell)

    def before_cells(self, images: torch.Tensor) -> torch.Tensor:
        """The stem, which is the same for all cells."""
        x = self.stem(images, self.stem.weight.shape[0])
        return x.contiguous(memory_format=torch.channels_last)  # pooling is several times faster so

    def after_stem(self, x: torch.Tensor, cell: Cell) -> torch.Tensor:
        """The cells, and the classifier on the mean over the image."""
        for place, module in enumerate(self.body):
            if place and place % self.modules_a_stack == 0:
                x = F.max_pool2d(x, 2)
            x = module(x, cell)
        return self.classifier(x.mean((2, 3)))


@torch.no_grad()
def score(
    net: Supernet,
    cells: Sequence[Cell],
    dataset: Dataset,
    report: Callable[[int], None] = lambda count: None,
) -> tuple[np.ndarray, np.ndarray]:
    """float32 [M] each: every cell's validation accuracy (a fraction) and cross-entropy, with the
    shared weights.

    BatchNorm's statistics are recomputed for every cell, on the training images. Each part goes
    through as one batch: meant for small images.
    report: called with the number of cells done since the last call.
    """
    torch.set_num_threads(1)
    labels = dataset.val.labels
    stems = []
    for part, training in ((dataset.train, True), (dataset.val, False)):
        stems.append(net.train(training).before_cells(dataset.scale(part.images)))
    accuracy, loss = np.empty((2, len(cells)), np.float32)
    for i, cell in enumerate(cells):
        net.train().after_stem(
            stems[0], cell
        )  # leaves the statistics of this cell on the training images
        logits = net.eval().after_stem(stems[1], cell)
        accuracy[i] = (logits.argmax(1) == labels).float().mean().item()
        loss[i] = F.cross_entropy(logits, labels).item()
        report(1)
    return accuracy, loss
