"""NAS-Bench-201's network in torch: its size, what it computes, and a short training."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

torch = pytest.importorskip(
    "torch", reason="the extra `retrain` is not installed: no networks here"
)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb201 import cell  # noqa: E402
from rlnas.bench.nb201.network import CellNetwork  # noqa: E402
from rlnas.bench.nb201.recipe import NB201  # noqa: E402
from rlnas.bench.nb201.torch_network import Cell, Reduction, build  # noqa: E402
from rlnas.bench.retrain import networks  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

ALL_OPS = (3, 4, 2, 1, 0, 3)
SMALL = {"channels": 4, "cells": 1, "in_channels": 1}


def images(channels: int, side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("digits", [(0,) * 6, (1,) * 6, (2,) * 6, (3,) * 6, (4,) * 6, ALL_OPS])
def test_as_many_parameters_as_the_closed_form(digits: cell.Digits) -> None:
    network = build(digits)
    found = sum(weight.numel() for weight in network.parameters())
    assert found == cell.trainable_parameters(digits)
    small = build(digits, classes=7, stages=2, **SMALL)
    found = sum(weight.numel() for weight in small.parameters())
    assert found == cell.trainable_parameters(digits, classes=7, stages=2, **SMALL)
    assert small(images(1, 9)).shape == (2, 7)


def test_a_cell_is_the_sums_of_its_edges() -> None:
    x = images(3, 5)
    # 0->1 skip, 0->2 skip, 1->2 skip: node 2 is 2x; 0->3 none, 1->3 skip, 2->3 skip: x + 2x.
    assert torch.equal(Cell((1, 1, 1, 0, 1, 1), 3)(x), 3 * x)
    assert torch.equal(Cell((0, 0, 0, 0, 0, 0), 3)(x), 0 * x)
    pooled = Cell((0, 0, 0, 4, 0, 0), 3)(x)
    assert torch.allclose(
        pooled[..., 0, 0], x[..., :2, :2].mean((-1, -2))
    )  # padding is not counted
    whole = Cell(ALL_OPS, 3).eval()
    conv0, pool, conv1, skip, _, conv5 = whole.edges
    node_1 = conv0(x)
    expected = skip(x) + conv5(pool(x) + conv1(node_1))
    assert torch.allclose(whole(x), expected, atol=1e-6)
    # ReLU, then the convolution, then the norm.
    assert [type(part).__name__ for part in conv0] == ["ReLU", "Conv2d", "BatchNorm2d"]


@pytest.mark.parametrize("side", [8, 7])
def test_a_reduction_halves_the_image(side: int) -> None:
    assert Reduction(3, 6)(images(3, side)).shape == (2, 6, 4, 4)


def test_all_weights_learn() -> None:
    network = build((3, 0, 0, 1, 0, 0), **SMALL)
    network(images(1, 8)).sum().backward()
    # The convolution into node 1, which feeds nothing, has a gradient of 0, not none.
    assert all(weight.grad is not None for weight in network.parameters())


def test_what_cannot_be_built() -> None:
    with pytest.raises(UserError, match="edge 0 of a cell is 5"):
        build((5, 0, 0, 0, 0, 0))
    with pytest.raises(UserError, match="0 channels"):
        build(ALL_OPS, channels=0)


def test_the_plan_is_small_and_builds_to_measure() -> None:
    plan = pickle.loads(pickle.dumps(CellNetwork(ALL_OPS)))
    settings = replace(NB201, channels=4, modules=2, stacks=2, bn_momentum=0.2, bn_epsilon=1e-3)
    network, weights = networks.make(plan, settings, 1, 10, seed=0)
    shape = {"classes": 10, "channels": 4, "cells": 2, "stages": 2, "in_channels": 1}
    assert sum(w.numel() for w in weights) == cell.trainable_parameters(ALL_OPS, **shape)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.2, 1e-3)}
    again, other = (networks.make(plan, settings, 1, 10, seed)[1] for seed in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert not torch.equal(weights[0], other[0])
