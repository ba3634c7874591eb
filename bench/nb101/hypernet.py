"""A network that predicts the weights of a cell from its graph.

Graph hypernetworks (Zhang, Ren and Urtasun 2019, arXiv 1810.05749): a graph network passes messages
along a cell's edges, forwards and backwards; from what a vertex has become a decoder makes the
weights of its convolution. Trained as a supernet is, a cell a step; it then has weights for cells
that it has never seen.

Theirs: one embedding a kind of vertex, messages in topological order into a gated recurrent unit,
normalisation without parameters of its own predicted. Ours: the graph is that of one cell, and
every place of the network has its own decoders; a decoder's last layer, where theirs repeats small
tiles over the channels, mixes `BASES` whole kernels, the mixture scaled to length 1, so that
weights begin as large as drawn ones; Adam, as theirs, at a rate of our choice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from rlnas.bench.nb101.cell import OPS, Cell
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.supernet import Convs, Normalised, Supernet, drawn

WIDTH, ROUNDS, BASES = 32, 2, 8
KINDS = ("input", *OPS, "output")


class Encoder(nn.Module):
    """cell -> [vertices, WIDTH]."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()
        self.kinds = nn.Parameter(torch.randn((len(KINDS), WIDTH), generator=generator))
        self.message = linear(WIDTH, WIDTH, generator)
        self.update = nn.ModuleList(
            redrawn(nn.utils.skip_init(nn.GRUCell, WIDTH, WIDTH), generator) for _ in range(2)
        )
        """Forwards, backwards."""

    def forward(self, cell: Cell) -> torch.Tensor:
        last = cell.num_vertices - 1
        names = ["input", *cell.ops[1:last], "output"]
        states = list(self.kinds[[KINDS.index(name) for name in names]])
        for _ in range(ROUNDS):
            for backwards, update in enumerate(self.update):
                order = range(last, -1, -1) if backwards else range(last + 1)
                for v in order:
                    edges = cell.matrix[v] if backwards else [row[v] for row in cell.matrix]
                    near = [states[u] for u, edge in enumerate(edges) if edge]
                    if near:
                        told = F.relu(self.message(torch.stack(near))).sum(0)
                        states[v] = update(told[None], states[v][None])[0]
        return torch.stack(states)


class Decoder(nn.Module):
    """A vertex' state -> the weights of a convolution."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.hidden = linear(WIDTH, WIDTH, generator)
        self.mixture = linear(WIDTH, BASES, generator)
        self.bases = nn.Parameter(drawn((BASES,), channels_in, channels_out, kernel, generator))

    def forward(self, state: torch.Tensor, channels: int, channels_in: int) -> torch.Tensor:
        """[channels, channels_in, k, k], the first of all."""
        shares = F.normalize(self.mixture(F.relu(self.hidden(state))), dim=0)
        return torch.tensordot(shares, self.bases[:, :channels, :channels_in], 1)


class PredictedConv(Normalised):
    """A convolution whose weights `decoder` makes of `state`, which is set before it is called."""

    def __init__(self, decoder: Decoder, channels_out: int) -> None:
        super().__init__(channels_out)
        self.decoder = decoder
        self.state = torch.zeros(WIDTH)

    def forward(self, x: torch.Tensor, channels: int) -> torch.Tensor:
        return self.after(x, self.decoder(self.state, channels, x.shape[1]))


class GraphHyperNetwork(Supernet):
    """Weights for all cells; see the module."""

    def __init__(self, recipe: Recipe, *, seed: int, **sizes: Any) -> None:
        super().__init__(recipe, seed=seed, **sizes)
        self.encoder = Encoder(torch.Generator().manual_seed(seed + 1))

    def convs(self) -> Convs:
        decoders: dict[str, Decoder] = {}

        def conv(name: str, channels_in: int, channels_out: int, *rest: Any) -> PredictedConv:
            if name not in decoders:
                decoders[name] = Decoder(channels_in, channels_out, *rest)
            return PredictedConv(decoders[name], channels_out)

        return conv

    def optimiser(self, recipe: Recipe, learning_rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=learning_rate, foreach=True)

    def after_stem(self, x: torch.Tensor, cell: Cell) -> torch.Tensor:
        states = self.encoder(cell)
        last = cell.num_vertices - 1
        module: Any
        for module in self.body:
            for v in range(1, last + 1):
                if cell.matrix[0][v]:
                    module.projection(cell, v).state = states[v]
                if v < last and cell.ops[v] in module.operations[v - 1]:
                    module.operation(cell, v).state = states[v]
        return super().after_stem(x, cell)


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer: nn.Linear = redrawn(nn.utils.skip_init(nn.Linear, inputs, outputs), generator)
    return layer


def redrawn(layer: Any, generator: torch.Generator) -> Any:
    """As torch draws it, but from `generator`: uniform, within 1 / sqrt of the width."""
    for parameter in layer.parameters():
        spread = WIDTH**-0.5
        with torch.no_grad():
            parameter.copy_((2 * torch.rand(parameter.shape, generator=generator) - 1) * spread)
    return layer
