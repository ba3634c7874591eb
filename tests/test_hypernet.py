"""A network that predicts weights: against a plain reading of its graph, and resuming."""

from __future__ import annotations

from pathlib import Path

import pytest

REASON = "the extra `retrain` is not installed: no hypernetwork here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.bench.nb101 import supernet  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.cell import Cell, parse  # noqa: E402
from rlnas.bench.nb101.hypernet import (  # noqa: E402
    KINDS,
    ROUNDS,
    Encoder,
    GraphHyperNetwork,
    PredictedConv,
)
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.supernet import SharedConv, Supernet  # noqa: E402
from rlnas.bench.nb101.supernet_training import Progress, Schedule, train  # noqa: E402
from rlnas.bench.retrain import datasets  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

CELLS = cell_list(5)[1]
RECIPE = Recipe(stem_channels=4)
OPS = ("input", "conv3x3-bn-relu", "conv3x3-bn-relu", "maxpool3x3", "output")
TWO_PATHS, CHAIN = (
    parse([[int(digit) for digit in row] for row in rows.split()], OPS)
    for rows in ("01110 00001 00001 00001 00000", "01100 00101 00010 00001 00000")
)


def network(seed: int = 3) -> GraphHyperNetwork:
    return GraphHyperNetwork(RECIPE, in_channels=1, max_vertices=5, seed=seed)


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


@pytest.mark.parametrize("cell", [TWO_PATHS, CHAIN, CELLS[0], CELLS[-1]])
def test_messages_go_along_edges_in_their_order(cell: Cell) -> None:
    """A plain reading: a vertex hears the sum of what its predecessors say as they are now, then,
    backwards, its successors."""
    encoder = Encoder(torch.Generator().manual_seed(0))
    last = cell.num_vertices - 1
    names = [*cell.ops]
    names[0], names[-1] = "input", "output"
    with torch.no_grad():
        states = {v: encoder.kinds[KINDS.index(name)] for v, name in enumerate(names)}
        for _ in range(ROUNDS):
            for order, update in zip(
                (range(last + 1), reversed(range(last + 1))), encoder.update, strict=True
            ):
                forwards = update is encoder.update[0]
                for v in order:
                    heard = torch.zeros(len(states[v]))
                    others = 0
                    for u in range(last + 1):
                        if cell.matrix[u][v] if forwards else cell.matrix[v][u]:
                            heard += torch.relu(encoder.message(states[u]))
                            others += 1
                    if others:
                        states[v] = update(heard, states[v])
        found = encoder(cell)
    torch.testing.assert_close(found, torch.stack([states[v] for v in range(last + 1)]))


def test_weights_depend_on_the_graph_and_begin_as_large_as_drawn_ones() -> None:
    net = network()
    x = torch.zeros((2, 4, 8, 8))
    weights = {}
    for name, cell in (("two", TWO_PATHS), ("chain", CHAIN)):
        net.after_stem(x, cell)
        conv = net.body[0].operation(cell, 1)
        assert isinstance(conv, PredictedConv)
        weights[name] = conv.decoder(conv.state, 4, 4)
    assert not torch.allclose(weights["two"], weights["chain"])
    size = SharedConv(64, 64, 3, torch.Generator().manual_seed(0)).weight.std()
    big = GraphHyperNetwork(Recipe(stem_channels=64), in_channels=1, max_vertices=5, seed=0)
    conv = big.body[0].operation(TWO_PATHS, 1)
    state = big.encoder(TWO_PATHS)[1]
    assert conv.decoder(state, 64, 64).std().item() == pytest.approx(size.item(), rel=0.1)


def test_two_vertices_of_a_kind_and_a_projection_do_not_share_their_weights() -> None:
    net = network()
    net.after_stem(torch.zeros((2, 4, 8, 8)), TWO_PATHS)
    module = net.body[0]
    one, two = (module.operation(TWO_PATHS, v) for v in (1, 2))
    assert one.decoder is two.decoder and one.mean is not two.mean
    assert module.projection(TWO_PATHS, 1).decoder is not one.decoder
    assert net.body[1].operation(TWO_PATHS, 1).decoder is not one.decoder


def test_every_parameter_learns_and_is_stored_once(digits: datasets.Dataset) -> None:
    net = network()
    for cell in CELLS[-40:]:
        net(digits.train.images[:16], cell).square().mean().backward()
    without = {name for name, p in net.named_parameters() if p.grad is None}
    assert not without
    assert len(list(net.parameters())) < len(list(Supernet(
        RECIPE, in_channels=1, max_vertices=7, seed=0).parameters())) * 2  # fmt: skip
    assert torch.isfinite(torch.cat([p.grad.ravel() for p in net.parameters()])).all()
    grads = [p.grad.abs().sum().item() for p in net.encoder.parameters()]
    assert min(grads) > 0


def test_the_loss_falls_also_for_cells_never_seen(digits: datasets.Dataset, tmp_path: Path) -> None:
    seen, held = CELLS[20:80], CELLS[80:91]
    fresh = network(0)
    before = supernet.score(fresh, held, digits)[1].mean()
    net, _ = train(
        seen, digits, RECIPE, Schedule(1, 150, 0.003), 0, tmp_path / "x", make=GraphHyperNetwork
    )
    after = supernet.score(net, held, digits)[1].mean()
    assert after < before - 0.1


def test_resuming_is_not_stopping(digits: datasets.Dataset, tmp_path: Path) -> None:
    schedule = Schedule(2, 6, 0.01)

    class Stop(Exception):
        pass

    def stop(done: Progress) -> None:
        if done.epoch == 1:
            raise Stop

    def trained(path: Path, **report: object) -> Supernet:
        cells = CELLS[:91]
        return train(cells, digits, RECIPE, schedule, 5, path, make=GraphHyperNetwork, **report)[0]

    straight = trained(tmp_path / "straight")
    with pytest.raises(Stop):
        trained(tmp_path / "stopped", report=stop)
    resumed = trained(tmp_path / "stopped")
    for (name, one), other in zip(straight.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other), name
