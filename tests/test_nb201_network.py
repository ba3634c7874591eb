"""NAS-Bench-201's network in torch: its size, what it computes, and a short training."""

from __future__ import annotations

import pickle
from dataclasses import replace

import jax
import pytest

torch = pytest.importorskip(
    "torch", reason="the extra `retrain` is not installed: no networks here"
)

from nb201_tables import invented  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.family import named  # noqa: E402
from rlnas.bench.nb201 import cell  # noqa: E402
from rlnas.bench.nb201.benchmark import from_table  # noqa: E402
from rlnas.bench.nb201.network import CellNetwork  # noqa: E402
from rlnas.bench.nb201.recipe import NB201  # noqa: E402
from rlnas.bench.nb201.skeleton import (  # noqa: E402
    Part,
    Skeleton,
    nb201,
    trainable_parameters,
    transnas,
)
from rlnas.bench.nb201.torch_network import Cell, CellNet, Residual  # noqa: E402
from rlnas.bench.retrain import networks  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

ALL_OPS = (3, 4, 2, 1, 0, 3)
MICRO = (1, 3, 2, 1, 0, 3)
SMALL = replace(NB201, channels=4, modules=1, stacks=2)


def images(channels: int, side: int, n: int = 2) -> torch.Tensor:
    return torch.randn(n, channels, side, side, generator=torch.Generator().manual_seed(0))


def cell_of(digits: cell.Digits, before: int, after: int, stride: int = 1) -> Cell:
    return Cell(digits, Part("cell", before, after, stride))


def size(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize("digits", [(0,) * 6, (1,) * 6, (2,) * 6, (3,) * 6, (4,) * 6, ALL_OPS])
def test_as_many_parameters_as_the_closed_form(digits: cell.Digits) -> None:
    assert size(CellNet(digits, nb201(), 10)) == trainable_parameters(digits, nb201())
    made = nb201(4, modules=2, cells=1, in_channels=1)
    small = CellNet(digits, made, 7)
    assert size(small) == trainable_parameters(digits, made, 7)
    assert small(images(1, 9)).shape == (2, 7)


@pytest.mark.parametrize("digits", [(0,) * 6, (1,) * 6, (2,) * 6, (3,) * 6, MICRO])
def test_as_many_parameters_as_the_closed_form_of_transnas(digits: cell.Digits) -> None:
    assert size(CellNet(digits, transnas(), 47)) == trainable_parameters(digits, transnas(), 47)
    made = transnas(4, modules=3, cells=2, in_channels=1)
    small = CellNet(digits, made, 7)
    assert size(small) == trainable_parameters(digits, made, 7)
    assert small(images(1, 9)).shape == (2, 7)


@pytest.mark.parametrize(("side", "left"), [(256, 8), (128, 4), (32, 4), (8, 1)])
def test_the_images_of_transnas(side: int, left: int) -> None:
    """Of 256 pixels 8 are left at the end, as in the original; a small image is halved by the three
    strided modules alone."""
    network = CellNet(MICRO, transnas(2), 3)
    assert network.body(network.stem(images(3, side))).shape == (2, 16, left, left)


def test_a_cell_is_the_sums_of_its_edges() -> None:
    x = images(3, 5)
    # 0->1 skip, 0->2 skip, 1->2 skip: node 2 is 2x; 0->3 none, 1->3 skip, 2->3 skip: x + 2x.
    assert torch.equal(cell_of((1, 1, 1, 0, 1, 1), 3, 3)(x), 3 * x)
    assert torch.equal(cell_of((0, 0, 0, 0, 0, 0), 3, 3)(x), 0 * x)
    pooled = cell_of((0, 0, 0, 4, 0, 0), 3, 3)(x)
    assert torch.allclose(
        pooled[..., 0, 0], x[..., :2, :2].mean((-1, -2))
    )  # padding is not counted
    whole = cell_of(ALL_OPS, 3, 3).eval()
    conv0, pool, conv1, skip, _, conv5 = whole.edges
    node_1 = conv0(x)
    expected = skip(x) + conv5(pool(x) + conv1(node_1))
    assert torch.allclose(whole(x), expected, atol=1e-6)
    # ReLU, then the convolution, then the norm.
    assert [type(part).__name__ for part in conv0] == ["ReLU", "Conv2d", "BatchNorm2d"]


@pytest.mark.parametrize("side", [4, 5])
def test_the_first_cell_of_a_module_strides_where_it_leaves_its_input(side: int) -> None:
    x = images(2, side)
    whole = cell_of(MICRO, 2, 4, stride=2).eval()
    reduce, conv, inner, skip, none, last = whole.edges
    node_1 = reduce(x)
    expected = skip(x) + last(conv(x) + inner(node_1))
    assert node_1.shape == expected.shape == (2, 4, (side + 1) // 2, (side + 1) // 2)
    assert torch.allclose(whole(x), expected, atol=1e-6)
    assert torch.equal(none(node_1), torch.zeros_like(node_1))
    nothing = cell_of((0,) * 6, 2, 4, stride=2)(x)
    assert torch.equal(nothing, torch.zeros_like(expected))
    # Half of a reduced skip looks at every second pixel, the other half at those between.
    between = torch.nn.functional.pad(x, (0, 1, 0, 1))[..., 1::2, 1::2]
    for place, seen in ((0, x[..., ::2, ::2]), (1, between)):
        weight = reduce.halves[place].weight[..., 0, 0]
        weighed = torch.einsum("oi,nihw->nohw", weight, seen.relu()) / (1 + 1e-5) ** 0.5
        assert torch.allclose(node_1[:, 2 * place :][:, :2], weighed, atol=1e-6)


@pytest.mark.parametrize("side", [8, 7])
def test_a_reduction_halves_the_image(side: int) -> None:
    assert Residual(Part("residual", 3, 6, 2))(images(3, side)).shape == (2, 6, 4, 4)


@pytest.mark.parametrize("made", [nb201(4, 2, 1, 1), transnas(4, 3, 2, 1)])
def test_all_weights_learn(made: Skeleton) -> None:
    network = CellNet((3, 0, 0, 1, 0, 0), made, 10)
    network(images(1, 8)).sum().backward()
    # The convolution into node 1, which feeds nothing, has a gradient of 0, not none.
    assert all(weight.grad is not None for weight in network.parameters())


def test_weights_of_transnas_are_drawn_by_fan_out() -> None:
    for made, spread in (
        (transnas(), (2 / (9 * 512)) ** 0.5),
        (nb201(), (1 / (9 * 64 * 3)) ** 0.5),
    ):
        weight = CellNet((0, 0, 0, 0, 0, 3), made, 10).body[-1].edges[5][1].weight
        assert float(weight.detach().std()) == pytest.approx(spread, rel=0.02)


def test_what_cannot_be_built() -> None:
    for digits, variant, change, reason in (
        ((5, 0, 0, 0, 0, 0), cell.NB201, {}, "edge 0 of a cell is 5"),
        ((4, 0, 0, 0, 0, 0), cell.TRANSNAS, {}, "edge 0 of a cell is 4"),
        (MICRO, cell.TRANSNAS, {"channels": 1}, "1 channels for a stem of two halves"),
    ):
        with pytest.raises(UserError, match=reason):
            CellNetwork(digits, variant).build(replace(NB201, **change), 3, 10)


@pytest.mark.parametrize(
    ("digits", "variant", "made"),
    [(ALL_OPS, cell.NB201, nb201(4, 2, 2, 1)), (MICRO, cell.TRANSNAS, transnas(4, 2, 2, 1))],
)
def test_the_plan_is_small_and_builds_to_measure(
    digits: cell.Digits, variant: cell.Variant, made: Skeleton
) -> None:
    plan = pickle.loads(pickle.dumps(CellNetwork(digits, variant)))
    settings = replace(NB201, channels=4, modules=2, stacks=2, bn_momentum=0.2, bn_epsilon=1e-3)
    network, weights = networks.make(plan, settings, 1, 10, seed=0)
    assert sum(w.numel() for w in weights) == trainable_parameters(digits, made)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.2, 1e-3)}
    again, other = (networks.make(plan, settings, 1, 10, seed)[1] for seed in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(weights, again, strict=True))
    assert not torch.equal(weights[0], other[0])


def test_a_cell_of_any_task_is_a_classifier() -> None:
    for name in ("tnb101-autoencoder", "nb201-cifar100"):
        benchmark = from_table(invented(name))
        arch = benchmark.space.sample(jax.random.key(0))
        network, _ = networks.make(named("nb201").network(benchmark, arch), SMALL, 3, 5, seed=0)
        assert network(images(3, 16)).shape == (2, 5)
