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
from rlnas.bench.nb101 import graph  # noqa: E402
from rlnas.bench.nb101.cell import Cell, parse  # noqa: E402
from rlnas.bench.nb101.edits import KINDS, edits_of  # noqa: E402
from rlnas.bench.nb101.inherit import inherit  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.retrain import networks  # noqa: E402
from rlnas.bench.retrain.datasets import Dataset, Part  # noqa: E402
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


@settings(max_examples=60, deadline=None, derandomize=True)
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
