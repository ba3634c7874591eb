"""Edits of cells that keep their networks' functions, and inherited weights."""

from __future__ import annotations

from dataclasses import replace

import pytest

REASON = "the extra `retrain` is not installed: no networks here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from nb101_cells import cell_of  # noqa: E402
from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101 import graph  # noqa: E402
from rlnas.bench.nb101.cell import Cell, module_hash, parse  # noqa: E402
from rlnas.bench.nb101.edits import (  # noqa: E402
    CONV1,
    CONV3,
    KINDS,
    MOST,
    NUMBERS,
    POOL,
    Edit,
    apply,
    described,
    edits_of,
)
from rlnas.bench.nb101.inherit import inherit, parts  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.retrain import datasets, networks  # noqa: E402
from rlnas.bench.retrain.datasets import Dataset, Part  # noqa: E402
from rlnas.bench.retrain.fit import Fit  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

SMALL = replace(Recipe(stem_channels=7, stacks=2).settings, epochs=1)
START = parse([[0, 1], [0, 0]], "input,output")


@pytest.fixture(scope="module")
def data() -> Dataset:
    """A few images of noise, in three parts."""
    draws = torch.Generator().manual_seed(0)

    def part(n: int) -> Part:
        images = torch.randn((n, 1, 4, 4), generator=draws)
        return Part(images, torch.randint(10, (n,), generator=draws))

    return Dataset(part(24), part(16), part(8), "noise")


def network_of(cell: Cell, seed: int) -> torch.nn.Module:
    """Weights, scales, shifts and statistics drawn, as no training leaves them alike."""
    network, _ = networks.make(CellNetwork(cell), SMALL, 1, 10, seed)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                for x, low in (
                    (module.weight, 0.3), (module.bias, -0.5), (module.running_mean, -0.5),
                    (module.running_var, 0.5),
                ):  # fmt: skip
                    x.copy_(low + torch.rand(x.shape, generator=draws))
        network.classifier.weight.normal_(generator=draws)
    return network.eval()


def some_cell(vertices: int, place: int) -> Cell:
    """One of NAS-Bench-101's cells with so many vertices."""
    cells = graph.cells(vertices)
    first = len(graph.cells(vertices - 1).bits) if vertices > 2 else 0
    return cell_of(cells, first + place % (len(cells.bits) - first))


@torch.no_grad()
def outputs(network: torch.nn.Module, data: Dataset) -> torch.Tensor:
    return network.eval()(torch.cat([data.train.images, data.val.images]))


def distance(before: torch.Tensor, after: torch.Tensor) -> float:
    return ((before - after).abs().max() / max(1.0, before.abs().max().item())).item()


@pytest.mark.long
@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    vertices=st.integers(2, 6),
    place=st.integers(0, 10**6),
    seed=st.integers(0, 1000),
    picks=st.lists(st.integers(0, 10**6), max_size=3),
)
def test_an_edit_changes_no_output(
    data: Dataset, vertices: int, place: int, seed: int, picks: list[int]
) -> None:
    """Of a cell, or of one that edits have made: one edit of every kind it has."""
    cell = some_cell(vertices, place)
    network = network_of(cell, seed)
    for pick in picks:
        found = edits_of(cell)
        if not found:
            break
        edit, grown = found[pick % len(found)]
        network = inherit(network, cell, edit, grown, SMALL, data, pick)
        cell = grown.cell
    before = outputs(network, data)
    for kind in KINDS:
        found = [one for one in edits_of(cell) if one[0].kind == kind]
        if found:
            edit, grown = found[seed % len(found)]
            child = inherit(network, cell, edit, grown, SMALL, data, seed)
            assert distance(before, outputs(child, data)) < 1e-5, f"{edit} of {cell}"


# input -> a -> out, input -> b -> out; c feeds b: three channels of seven, as b has
UNEVEN = parse(
    [[0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0] * 5],
    ["input", CONV1, POOL, CONV3, "output"],
)
POOLS = parse([[0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4], ["input", POOL, POOL, "output"])


@pytest.mark.parametrize(
    ("cell", "edit"),
    [
        (UNEVEN, Edit("deeper", (1, 3), CONV3)),
        (UNEVEN, Edit("deeper", (0, 1), CONV1)),
        (UNEVEN, Edit("deeper", (3, 4), CONV3)),
        (UNEVEN, Edit("wider", (1,))),
        (UNEVEN, Edit("edge", (0, 3))),
        (UNEVEN, Edit("edge", (0, 4))),
        (UNEVEN, Edit("edge", (1, 3), CONV3)),
        (UNEVEN, Edit("add", (1,))),
        (POOLS, Edit("concat", (2,))),
        (START, Edit("concat", (0,), CONV3)),
        (START, Edit("deeper", (0, 1), CONV1)),
    ],
    ids=lambda value: str(value) if isinstance(value, Edit) else f"{value.num_vertices}",
)
def test_every_edit_once(data: Dataset, cell: Cell, edit: Edit) -> None:
    network = network_of(cell, 3)
    child = inherit(network, cell, edit, apply(cell, edit), SMALL, data, 4)
    assert distance(outputs(network, data), outputs(child, data)) < 1e-5


def test_an_edit_that_would_change_the_channels_is_none() -> None:
    """c has the three channels of b; with a way to a, which has four, it would have four."""
    assert apply(UNEVEN, Edit("edge", (1, 3), CONV3))
    for edit in (
        Edit("edge", (1, 2), CONV3),
        Edit("deeper", (0, 4), CONV1),
        Edit("add", (2,)),
        Edit("wider", (2,)),
        Edit("concat", (3,)),
    ):
        with pytest.raises(UserError, match="no edit of this cell"):
            apply(UNEVEN, edit)


def test_new_weights_are_trained(data: Dataset) -> None:
    """A connection of weight zero lets a gradient through; twins go ways of their own."""
    for edit in (Edit("edge", (0, 3)), Edit("edge", (1, 3), CONV3), Edit("add", (1,))):
        child = inherit(network_of(UNEVEN, 3), UNEVEN, edit, apply(UNEVEN, edit), SMALL, data, 4)
        weights = [weight for weight in child.parameters() if weight.requires_grad]
        fit = Fit(child, weights, data, SMALL, 0)
        fit.step(*fit.batch(torch.arange(24)))
        cell = child.layers[1]
        if edit.kind == "edge":
            _, norm = parts(cell.vertex_op[2] if edit.op else cell.input_op[3])
            assert norm.weight.abs().max() > 1e-5
        else:
            (one, _), (other, _) = parts(cell.vertex_op[1]), parts(cell.vertex_op[2])
            assert (one.weight - other.weight).abs().max() > 1e-6


def test_an_identity_passes_batches_through_nearly(data: Dataset) -> None:
    """In training, too, where a norm takes the statistics of its batch."""
    edit = Edit("deeper", (1, 3), CONV3)
    network = network_of(UNEVEN, 3)
    settle(network, data)
    child = inherit(network, UNEVEN, edit, apply(UNEVEN, edit), SMALL, data, 4)
    with torch.no_grad():
        before, after = (x.train()(data.train.images) for x in (network, child))
    assert distance(before, after) < 0.02


@torch.no_grad()
def settle(network: torch.nn.Module, data: Dataset) -> None:
    """Statistics of the training images."""
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    network.train()(data.train.images)
    network.eval()


def test_measured_the_same_before_training() -> None:
    """On digits, after a real training, with the statistics recomputed as the table's are."""
    digits, recipe = datasets.load("digits"), replace(Recipe().settings, epochs=2, channels=8)
    fit = Fit(*networks.make(CellNetwork(UNEVEN), recipe, 1, 10, 1), digits, recipe, 1)
    while not fit.done:
        fit.epoch()
    measured, network = fit.measure(), fit.settled()
    for edit, grown in edits_of(UNEVEN)[::5]:
        child = inherit(network, UNEVEN, edit, grown, recipe, digits, 1)
        again = Fit(child, list(child.parameters()), digits, recipe, 1).measure()
        assert again.val == pytest.approx(measured.val, abs=2 / 797), str(edit)


def test_edits_reach_what_is_in_the_space() -> None:
    """No edit leaves it, none gives the same graph twice with the same weights' places."""
    for place in range(0, 2000, 400):
        cell = some_cell(5, place)
        found = edits_of(cell, 6)
        assert len({edit for edit, _ in found}) == len(found)
        for edit, grown in found:
            assert grown.cell.num_vertices <= 6 and grown.cell.num_edges <= 9
            assert len(described(cell, edit)) == NUMBERS
            assert module_hash(grown.cell) != module_hash(cell)
            assert all(0 <= x <= 1 for x in described(cell, edit))


def test_no_cell_has_more_edits_than_a_policy_sees() -> None:
    assert max(len(edits_of(some_cell(5, place))) for place in range(0, 2400, 60)) < MOST / 2
