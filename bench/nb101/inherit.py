"""The network of an edited cell with the weights of the cell before (`rlnas.bench.nb101.edits`):
the same outputs, and every new weight can be trained.

What the networks demand:
- Every vertex ends in a ReLU or pools what does, so all that flows in a cell is at least 0: a new
  1 x 1 or 3 x 3 identity with a ReLU behind it changes nothing. Pooling is no identity.
- BatchNorm of an identity: its scale and shift are the deviation and mean of what flows through it
  on the training images, so that it passes it on, with these statistics; in training, with those
  of a batch, nearly so. Nothing else of the network's statistics changes.
- A connection of weight zero is a BatchNorm of scale 0. Its shift is `TINY` above 0: at 0 the ReLU
  behind it would let no gradient through, and the connection would stay dead.
- Twins that add up to what one was: with the same weights they would stay the same for ever. Each
  channel is shared out unevenly, by chance, in scale and shift (a ReLU, and pooling, let positive
  factors through).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.edits import CONVS, Edit, Grown, feeders
from rlnas.bench.nb101.network import CellNetwork
from rlnas.bench.nb101.torch_network import FastCell
from rlnas.bench.retrain import networks
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.presets import Settings

TINY = 1e-7
SHARES = (0.25, 0.75)
"""Between which a channel is shared out to twins."""
MOST_IMAGES = 2048
"""Of which an identity's statistics are taken."""


def inherit(
    network: nn.Module,
    cell: Cell,
    edit: Edit,
    grown: Grown,
    settings: Settings,
    data: Dataset,
    seed: int,
) -> nn.Module:
    """The network of `grown.cell`, in evaluation equal to `network`, that of `cell`.

    network: its BatchNorms' running statistics are those of the training images (as after
    `recompute`), which stay. data: on the network's device. seed: of what is drawn.
    """
    device = next(network.parameters()).device
    child, _ = networks.make(CellNetwork(grown.cell), settings, data.channels, data.classes, seed)
    child = child.to(device)
    generator = torch.Generator().manual_seed(seed)
    passing: list[nn.BatchNorm2d] = []
    with torch.no_grad():
        for old, new in zip(layers(network), layers(child), strict=True):
            if isinstance(old, FastCell) and isinstance(new, FastCell):
                _copy(old, new, cell, grown)
                passing += _EDITED[edit.kind](old, new, edit, cell, grown, generator)
            else:
                new.load_state_dict(old.state_dict())
        _let_through(child, passing, data)
    return child


def layers(network: nn.Module) -> Iterator[nn.Module]:
    layers = network.layers
    assert isinstance(layers, nn.ModuleList)
    yield from layers
    assert isinstance(network.classifier, nn.Module)
    yield network.classifier


def _copy(old: FastCell, new: FastCell, cell: Cell, grown: Grown) -> None:
    """What both have at a vertex and its ancestor: the operation and the input's projection."""
    for v, origin in enumerate(grown.origin):
        if origin is None or v == 0:
            continue
        last = v == grown.cell.num_vertices - 1
        if not last and grown.cell.ops[v] == cell.ops[origin]:
            new.vertex_op[v].load_state_dict(old.vertex_op[origin].state_dict())
        same = last or new.channels[v] == old.channels[origin]  # not where a part is concatenated
        if same and grown.cell.matrix[0][v] and cell.matrix[0][origin]:
            new.input_op[v].load_state_dict(old.input_op[origin].state_dict())


def parts(block: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """The convolution and the norm of an operation or a projection."""
    conv = next(module for module in block.modules() if isinstance(module, nn.Conv2d))
    norm = next(module for module in block.modules() if isinstance(module, nn.BatchNorm2d))
    return conv, norm


def _identity(block: nn.Module) -> list[nn.BatchNorm2d]:
    """The norm that is to let through what comes."""
    conv, norm = parts(block)
    nn.init.dirac_(conv.weight)
    return [norm]


def _zero(block: nn.Module) -> None:
    _, norm = parts(block)
    norm.weight.zero_()
    norm.bias.fill_(TINY)


def _scale(block: nn.Module, share: torch.Tensor) -> None:
    _, norm = parts(block)
    norm.weight.mul_(share)
    norm.bias.mul_(share)


def _deeper(
    old: FastCell, new: FastCell, edit: Edit, cell: Cell, grown: Grown, draws: torch.Generator
) -> list[nn.BatchNorm2d]:
    u, v = edit.place
    if u == 0:  # its projection now leads to the new vertex
        new.input_op[1].load_state_dict(old.input_op[v].state_dict())
    return _identity(new.vertex_op[u + 1])


def _wider(
    old: FastCell, new: FastCell, edit: Edit, cell: Cell, grown: Grown, draws: torch.Generator
) -> list[nn.BatchNorm2d]:
    (v,) = edit.place
    (small, norm), (large, wide_norm) = parts(old.vertex_op[v]), parts(new.vertex_op[v])
    large.weight.zero_()
    large.weight[:, :, 1, 1] = small.weight[:, :, 0, 0]
    wide_norm.load_state_dict(norm.state_dict())
    return []


def _edge(
    old: FastCell, new: FastCell, edit: Edit, cell: Cell, grown: Grown, draws: torch.Generator
) -> list[nn.BatchNorm2d]:
    u, v = edit.place
    _zero(new.vertex_op[u + 1] if edit.op else new.input_op[v])
    return []


def _add(
    old: FastCell, new: FastCell, edit: Edit, cell: Cell, grown: Grown, draws: torch.Generator
) -> list[nn.BatchNorm2d]:
    (v,) = edit.place
    low, high = SHARES
    share = low + (high - low) * torch.rand(new.channels[v], generator=draws)
    share = share.to(next(new.parameters()).device)
    blocks = new.vertex_op if cell.ops[v] in CONVS else new.input_op
    _scale(blocks[v], share)
    _scale(blocks[v + 1], 1 - share)
    return []


def _concat(
    old: FastCell, new: FastCell, edit: Edit, cell: Cell, grown: Grown, draws: torch.Generator
) -> list[nn.BatchNorm2d]:
    before = feeders(cell) or [cell.num_vertices - 1]
    after = feeders(grown.cell)
    blocks = [parts(old.input_op[v]) for v in before]
    kernels = torch.cat([conv.weight for conv, _ in blocks])
    names = ("weight", "bias", "running_mean", "running_var")
    norms = {name: torch.cat([getattr(norm, name) for _, norm in blocks]) for name in names}
    start = 0
    for v in after:
        conv, norm = parts(new.input_op[v])
        here = slice(start, start + new.channels[v])
        conv.weight.copy_(kernels[here])
        for name, values in norms.items():
            getattr(norm, name).copy_(values[here])
        start = here.stop
    return [norm for v in after if edit.op for norm in _identity(new.vertex_op[v])]


_EDITED = {"deeper": _deeper, "wider": _wider, "edge": _edge, "add": _add, "concat": _concat}


def _let_through(network: nn.Module, norms: list[nn.BatchNorm2d], data: Dataset) -> None:
    """Set these norms such that each passes on what comes, in the order in which it comes."""

    def set_to(norm: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        (x,) = inputs
        norm.running_mean.copy_(x.mean((0, 2, 3)))
        norm.running_var.copy_(x.var((0, 2, 3)))
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(norm.running_mean)

    if not norms:
        return
    hooks = [norm.register_forward_pre_hook(set_to) for norm in norms]
    network.eval()
    network(data.scale(data.train.images[:MOST_IMAGES]))
    for hook in hooks:
        hook.remove()
