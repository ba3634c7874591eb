"""A network of NAS-Bench-101's kind whose vertices choose their inputs while it is trained.

After MaskConnect (Ahmed and Torresani 2018, arXiv 1709.09582): every vertex has a score in [0, 1]
for each vertex before it. A step samples K active inputs a vertex by the scores and uses these
alone; its gradient with respect to the binary mask goes straight through to the scores, to those of
the inactive inputs, too. Scores and weights are learned together. No code of it could be had.

Ours, besides: one set of scores for all cells of the network, so that they make one cell; parts are
added up at the output, too, where NAS-Bench-101 concatenates, and every vertex is as wide as the
cell, so that the shapes do not depend on the mask; the scores' optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import INPUT, OPS, OUTPUT, Cell, parse
from rlnas.bench.retrain.fit import Fit
from rlnas.bench.retrain.presets import Settings

LEAST = 1e-3
"""Of a score, when inputs are sampled: every input may be."""
START = 0.5

Mask = tuple[tuple[int, ...], ...]
"""The active inputs of vertex 1, 2, ..., the output; ascending."""


def active_of(vertices: int, active: int) -> list[int]:
    """How many inputs vertex 1, 2, ... has: `active`, or as many as there are vertices before."""
    return [min(active, vertex) for vertex in range(1, vertices)]


def masks_of(vertices: int, active: int) -> list[Mask]:
    """All there are of this size."""
    counts = active_of(vertices, active)
    each = [list(combinations(range(y), k)) for y, k in enumerate(counts, 1)]
    return list(product(*each))


def cell_of(mask: Mask, ops: Sequence[str]) -> Cell:
    """The cell; a vertex that does not lead to the output is left out."""
    n = len(mask) + 1
    matrix = [[int(y > 0 and x in mask[y - 1]) for y in range(n)] for x in range(n)]
    return parse(matrix, [INPUT, *ops, OUTPUT])


def best_mask(scores: Float[Tensor, "V V"], counts: Sequence[int]) -> Mask:
    """The inputs of the highest scores, of equals the earlier; scores[y, x]: of x as input of y."""
    found = []
    for y, k in enumerate(counts, 1):
        order = torch.sort(scores[y, :y].detach(), descending=True, stable=True).indices
        found.append(tuple(sorted(order[:k].tolist())))
    return tuple(found)


def sampled_mask(
    scores: Float[Tensor, "V V"], counts: Sequence[int], generator: torch.Generator
) -> Mask:
    """Inputs drawn without replacement in proportion to their scores."""
    found = []
    for y, k in enumerate(counts, 1):
        weights = scores[y, :y].detach().cpu().clamp(min=LEAST)
        drawn = torch.multinomial(weights, k, generator=generator)
        found.append(tuple(sorted(drawn.tolist())))
    return tuple(found)


def through(scores: Float[Tensor, "V V"], mask: Mask) -> Float[Tensor, "V V"]:
    """The binary mask, with the scores' gradient."""
    hard = torch.zeros_like(scores)
    for y, inputs in enumerate(mask, 1):
        hard[y, list(inputs)] = 1
    return hard + (scores - scores.detach())


class MaskedCell(nn.Module):
    """All inputs of all vertices, of which a mask uses some. As in NAS-Bench-101 what comes from
    the cell's input is projected."""

    def __init__(self, channels_in: int, channels: int, ops: Sequence[str]) -> None:
        super().__init__()
        ends = len(ops) + 1
        self.projections = nn.ModuleList(_conv(channels_in, channels, 1) for _ in range(ends))
        self.operations = nn.ModuleList(_operation(op, channels) for op in ops)

    def forward(self, x: Tensor, mask: Float[Tensor, "V V"]) -> Tensor:
        """x [n, c, h, w] -> [n, channels, h, w]."""
        values: list[Tensor] = []
        for y, projection in enumerate(self.projections, 1):
            parts = [projection(x), *values]
            total = sum(mask[y, place] * part for place, part in enumerate(parts))
            assert isinstance(total, Tensor)
            last = y > len(self.operations)
            values.append(total if last else self.operations[y - 1](total))
        return values[-1]


class MaskedNetwork(nn.Module):
    """Stem, stacks of masked cells with the image halved between them, classifier: the table's
    macro structure. `mask` is what it computes with; scores float32 [V, V]."""

    def __init__(
        self, ops: Sequence[str], active: int, settings: Settings, channels: int, classes: int
    ) -> None:
        super().__init__()
        vertices = len(ops) + 2
        self.counts = active_of(vertices, active)
        self.scores = nn.Parameter(torch.full((vertices, vertices), START))
        self.mask = best_mask(self.scores, self.counts)
        self.modules_a_stack = settings.modules
        self.stem = _conv(channels, settings.channels, 3)
        widths = [
            settings.channels << stack
            for stack in range(settings.stacks)
            for _ in range(settings.modules)
        ]
        ends = zip([widths[0], *widths], widths, strict=False)
        self.body = nn.ModuleList(MaskedCell(before, width, ops) for before, width in ends)
        self.classifier = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [n, c, h, w] -> logits [n, classes]."""
        x, mask = self.stem(images), through(self.scores, self.mask)
        for place, cell in enumerate(self.body):
            if place and place % self.modules_a_stack == 0:
                x = nn.functional.max_pool2d(x, 2)
            x = cell(x, mask)
        return self.classifier(x.mean((2, 3)))


@dataclass(frozen=True)
class MaskedPlan:
    """See `rlnas.bench.retrain.plan.NetworkPlan`."""

    ops: tuple[str, ...]
    active: int

    def build(self, settings: Settings, channels: int, classes: int) -> Any:
        return MaskedNetwork(self.ops, self.active, settings, channels, classes)


class MaskedFit(Fit):
    """A training with a new mask every step, in which the scores learn, too.

    rate: of their optimiser; at 0 they stay, and every mask of the size is as likely all along.
    adam: instead of plain gradient descent.
    """

    def __init__(self, network: nn.Module, rate: float, adam: bool, *args: Any) -> None:
        assert isinstance(network, MaskedNetwork)
        weights = [w for name, w in network.named_parameters() if name != "scores"]
        super().__init__(network, weights, *args)
        self.masked = network
        kind = torch.optim.Adam if adam else torch.optim.SGD
        self.chooser: torch.optim.Optimizer = kind([network.scores], lr=rate)

    def step(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        net = self.masked
        net.mask = sampled_mask(net.scores, net.counts, self.order)
        self.chooser.zero_grad(set_to_none=True)
        found = super().step(images, labels)
        self.chooser.step()
        with torch.no_grad():
            net.scores.clamp_(0, 1)
        return found

    def chosen(self) -> Mask:
        """The inputs of the highest scores; the network computes with them from now on."""
        self.masked.mask = best_mask(self.masked.scores, self.masked.counts)
        return self.masked.mask


def _conv(channels_in: int, channels: int, kernel: int) -> nn.Module:
    """Convolution, batch norm, ReLU; weights by fan-out, as nasbench-pytorch draws them."""
    conv = nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


def _operation(op: str, channels: int) -> nn.Module:
    if op == OPS[2]:
        return nn.MaxPool2d(3, 1, 1)
    if op not in OPS:
        raise UserError(f"unknown operation {op!r}; expected one of {', '.join(OPS)}")
    return _conv(channels, channels, 3 if op == OPS[0] else 1)
