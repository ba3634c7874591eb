"""The supernet against networks of their own, and resuming against not stopping."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no supernet here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)
pytest.importorskip("sklearn", reason=REASON)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101 import supernet, supernet_training  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.cell import Cell, vertex_channels  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import Recipe  # noqa: E402
from rlnas.bench.nb101.supernet import SharedConv, Supernet  # noqa: E402
from rlnas.bench.nb101.supernet_training import Progress, Schedule  # noqa: E402
from rlnas.bench.retrain import datasets, networks  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

CELLS = cell_list(5)[1]
RECIPE = Recipe(stem_channels=4)
RANDOM = np.random.default_rng(0).choice(len(CELLS), 12, replace=False).tolist()
TINY = Schedule(epochs=3, steps=7, learning_rate=0.05)


@pytest.fixture(scope="module")
def digits() -> datasets.Dataset:
    return datasets.load("digits")


# --- the supernet
# -----------------------------------------------------------------------------------


def some_supernet(recipe: Recipe = RECIPE) -> Supernet:
    """Scales and shifts drawn too, so that a wrong slice shows."""
    net = Supernet(recipe, in_channels=1, max_vertices=5, seed=3)
    draws = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for weight in net.parameters():
            if weight.ndim == 1:
                weight += 0.5 * torch.randn(weight.shape, generator=draws)
    return net


def standalone(net: Supernet, cell: Cell, recipe: Recipe = RECIPE) -> torch.nn.Module:
    """The library's network of `cell`, its weights copied from the supernet's first channels."""
    settings = replace(recipe.settings, bn_momentum=1.0)
    network, _ = networks.make(CellNetwork(cell), settings, 1, 10, 0, plain=True)

    def copy(block: torch.nn.Module, shared: SharedConv) -> None:
        conv, norm = (
            next(m for m in block.modules() if isinstance(m, kind)) for kind in CONV_AND_NORM
        )
        out, inner = conv.weight.shape[:2]
        conv.weight.copy_(shared.weight[:out, :inner])
        norm.weight.copy_(shared.scale[:out])
        norm.bias.copy_(shared.shift[:out])

    with torch.no_grad():
        layers = [layer for layer in network.layers if not isinstance(layer, torch.nn.MaxPool2d)]
        copy(layers[0], net.stem)
        for layer, module in zip(layers[1:], net.body, strict=True):
            assert layer.vertex_channels == vertex_channels(
                cell, module.channels_in, module.channels_out
            )
            for v in range(1, cell.num_vertices):
                if cell.matrix[0][v]:
                    copy(layer.input_op[v], module.projection(cell, v))
                if cell.ops[v] in supernet.KERNELS:
                    copy(layer.vertex_op[v], module.operation(cell, v))
        network.classifier.load_state_dict(net.classifier.state_dict())
    return network


CONV_AND_NORM = (torch.nn.Conv2d, torch.nn.BatchNorm2d)
# Two vertices, three, and cells of every width; 5 channels of three vertices do not divide evenly.
CHOSEN = [0, 1, 5, *RANDOM]


@pytest.mark.parametrize("place", CHOSEN)
def test_a_slice_is_the_cells_own_network(place: int, digits: datasets.Dataset) -> None:
    """In training, and measured with statistics recomputed on other images."""
    net, cell = some_supernet(), CELLS[place]
    own = standalone(net, cell)
    batch, others = digits.train.images[:50], digits.val.images[:60]
    for training, images in (
        (True, batch),
        (False, others),
    ):  # the first leaves its statistics to the second
        theirs, ours = own.train(training)(images), net.train(training)(images, cell)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_several_modules_a_stack(digits: datasets.Dataset) -> None:
    recipe = replace(RECIPE, modules=2, stacks=2)
    net, cell = some_supernet(recipe), CELLS[RANDOM[1]]
    images = digits.train.images[:20]
    torch.testing.assert_close(
        net(images, cell), standalone(net, cell, recipe)(images), rtol=1e-4, atol=1e-4
    )


def test_widths_of_every_kind_are_tested() -> None:
    kinds = {
        sum(CELLS[place].matrix[v][-1] for v in range(1, CELLS[place].num_vertices))
        for place in CHOSEN
    }
    assert kinds == {0, 1, 2, 3}  # vertices that the output concatenates
    assert any("maxpool3x3" in CELLS[place].ops for place in CHOSEN)


def test_a_score_is_that_of_the_cells_own_network(digits: datasets.Dataset) -> None:
    net = some_supernet()
    with torch.no_grad():
        net.classifier.weight *= (
            100  # so that logits differ, and statistics of other images would show
        )
    some = [CELLS[place] for place in RANDOM[:4]]
    done: list[int] = []
    accuracy, loss = supernet.score(net, some, digits, done.append)
    assert sum(done) == 4
    for cell, found, lost in zip(some, accuracy, loss, strict=True):
        own = standalone(net, cell)
        with torch.no_grad():
            own.train()(digits.train.images)
            logits = own.eval()(digits.val.images)
        assert found == pytest.approx(
            (logits.argmax(1) == digits.val.labels).float().mean().item(), abs=2 / 797
        )
        assert lost == pytest.approx(
            torch.nn.functional.cross_entropy(logits, digits.val.labels).item(), rel=1e-3
        )


def test_positions_share_and_the_output_is_a_position_of_its_own() -> None:
    """The output's projection serves cells of all sizes, and no interior vertex."""
    module = some_supernet().body[0]
    small, large = CELLS[1], CELLS[-1]
    assert (small.num_vertices, large.num_vertices) == (3, 5)
    assert (
        module.projection(small, 2)
        is module.projection(large, 4)
        is not module.projection(large, 2)
    )
    assert module.projection(small, 1) is module.projection(large, 1)
    assert len(module.projections) == 4 and len(module.operations) == 3


def test_only_the_weights_of_the_cell_get_gradients(digits: datasets.Dataset) -> None:
    net, cell = some_supernet(), CELLS[RANDOM[0]]
    net(digits.train.images[:20], cell).square().sum().backward()
    touched = sum(weight.grad is not None for weight in net.body[0].parameters())
    convs = sum(op in supernet.KERNELS for op in cell.ops)
    assert touched == 3 * (sum(cell.matrix[0]) + convs)


# --- training
# ---------------------------------------------------------------------------------------


def test_resuming_is_not_stopping(digits: datasets.Dataset, tmp_path: Path) -> None:
    """Stopped after each epoch, the same weights come out, and the seconds add up."""
    straight, _ = supernet_training.train(
        CELLS[:91], digits, RECIPE, TINY, 5, tmp_path / "straight"
    )
    path = tmp_path / "stopped.safetensors"
    seen: list[Progress] = []

    class Stop(Exception):
        pass

    def stop(done: Progress) -> None:
        seen.append(done)
        raise Stop

    for _ in range(TINY.epochs):
        with pytest.raises(Stop):
            supernet_training.train(CELLS[:91], digits, RECIPE, TINY, 5, path, stop)
    resumed, seconds = supernet_training.train(CELLS[:91], digits, RECIPE, TINY, 5, path)
    assert [done.epoch for done in seen] == [1, 2, 3]
    assert seconds == seen[-1].seconds > seen[0].seconds > 0
    for (name, one), other in zip(straight.named_parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other), name
    other_seed, _ = supernet_training.train(CELLS[:91], digits, RECIPE, TINY, 6, tmp_path / "other")
    assert not torch.equal(other_seed.stem.weight, straight.stem.weight)
    with pytest.raises(UserError, match="another training"):
        supernet_training.train(CELLS[:91], digits, RECIPE, TINY, 6, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="edited or damaged"):
        supernet_training.train(CELLS[:91], digits, RECIPE, TINY, 5, path)


def test_training_draws_nothing_globally_and_lowers_the_loss(
    digits: datasets.Dataset, tmp_path: Path
) -> None:
    state = torch.get_rng_state()
    seen: list[Progress] = []
    supernet_training.train(
        CELLS[:20], digits, RECIPE, Schedule(4, 30, 0.05), 0, tmp_path / "x", seen.append
    )
    assert torch.equal(state, torch.get_rng_state())
    assert seen[-1].loss < seen[0].loss - 0.05


def test_a_step_of_several_cells_takes_the_mean_of_their_gradients(
    digits: datasets.Dataset,
) -> None:
    """And their batch norms are each cell's own."""
    some = [CELLS[place] for place in RANDOM[:3]]
    made = supernet_training.Training(digits, RECIPE, TINY, 5, 0)
    made.recipe = replace(RECIPE, gradient_clip=1e9)
    batch = torch.arange(20)
    loss = made._step(batch, some, 0.0)
    expected: dict[str, torch.Tensor] = {}
    losses = []
    for cell in some:
        net = Supernet(RECIPE, in_channels=1, max_vertices=5, seed=0).train()
        own = torch.nn.functional.cross_entropy(
            net(digits.train.images[batch], cell), digits.train.labels[batch]
        )
        own.backward()
        losses.append(own.item())
        for name, weight in net.named_parameters():
            if weight.grad is not None:
                expected[name] = expected.get(name, 0) + weight.grad / 3  # type: ignore[operator]
    assert loss.item() == pytest.approx(np.mean(losses), rel=1e-5)
    for name, weight in made.weights.items():
        if name in expected:
            assert weight.grad is not None
            torch.testing.assert_close(weight.grad, expected[name], rtol=1e-3, atol=1e-5)
        else:
            assert weight.grad is None


def test_a_loss_that_is_none_stops(digits: datasets.Dataset, tmp_path: Path) -> None:
    broken = replace(
        digits, train=datasets.Part(digits.train.images * torch.nan, digits.train.labels)
    )
    with pytest.raises(UserError, match="loss is nan in epoch 1"):
        supernet_training.train(CELLS[:20], broken, RECIPE, TINY, 0, tmp_path / "x")
    assert not list(tmp_path.iterdir())
