"""The training loop on tiny networks: what is built, what a seed decides, and that any epoch can be
stored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

REASON = "the extra `retrain` is not installed: no real trainings here"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("nasbench_pytorch", reason=REASON)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb101 import torch_network  # noqa: E402
from rlnas.bench.nb101.assemble import cell_list  # noqa: E402
from rlnas.bench.nb101.cell import Cell, module_hash, parse, trainable_parameters  # noqa: E402
from rlnas.bench.nb101.network import CellNetwork  # noqa: E402
from rlnas.bench.nb101.recipe import NB101  # noqa: E402
from rlnas.bench.nb301 import darts  # noqa: E402
from rlnas.bench.nb301.network import DartsNetwork  # noqa: E402
from rlnas.bench.nb301.recipe import NB301  # noqa: E402
from rlnas.bench.retrain import checkpoint, datasets, networks  # noqa: E402
from rlnas.bench.retrain.engine import Engine  # noqa: E402
from rlnas.bench.retrain.fit import Diverged, Fit  # noqa: E402
from rlnas.bench.retrain.presets import QUICK, Settings  # noqa: E402
from rlnas.bench.retrain.rmsprop import TensorFlowRMSprop  # noqa: E402
from test_nb101_cell import README_MATRIX, README_OPS  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

CELLS = cell_list(5)[1]
CELL = CellNetwork(CELLS[500])
GENOTYPE = DartsNetwork(
    darts.parse(
        "0:sep_conv_3x3|1:skip_connect|0:max_pool_3x3|2:dil_conv_3x3|1:avg_pool_3x3|2:sep_conv_5x5|"
        "0:skip_connect|4:dil_conv_5x5,0:max_pool_3x3|1:max_pool_3x3|0:skip_connect|1:sep_conv_3x3|"
        "2:skip_connect|3:skip_connect|0:sep_conv_3x3|1:dil_conv_3x3"
    )
)
TINY = replace(QUICK, epochs=2, batch_size=16, channels=4, stacks=2)
# Everything that has a state of its own: a crop, a flip, a cutout, dropped paths, a moment and a
# mean square.
TINY_NB101 = replace(
    NB101, epochs=2, batch_size=16, channels=4, stacks=2, modules=1, crop_padding=1
)
TINY_NB301 = replace(NB301, epochs=2, batch_size=40, channels=2, layers=3, crop_padding=1, cutout=4)


@pytest.fixture(scope="module")
def data() -> datasets.Dataset:
    """A bar's place tells the class: 100 images of 8 x 8, noisy bytes."""
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 4
    images = rng.integers(0, 120, (100, 3, 8, 8), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, :, 2 * label : 2 * label + 2] += 100
    return datasets._split(images, labels, images[:20], labels[:20], 20, "bars")


def fit_of(
    data: datasets.Dataset, settings: Settings, arch: Any = CELL, seed: int = 0, **options: Any
) -> Fit:
    network, weights = networks.make(arch, settings, data.channels, data.classes, seed)
    return Fit(network, weights, data, settings, seed, Engine(**options))


def numbers(fit: Fit) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.accuracy) for epoch in fit.curve]


# --- networks
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", [CELLS[i] for i in (0, 3, 40, 90, 500, 1500, 2531)], ids=module_hash
)
@pytest.mark.parametrize("settings", [NB101, replace(QUICK, channels=7)], ids=["nb101", "quick"])
def test_parameters_are_those_of_the_table(cell: Cell, settings: Settings) -> None:
    _, weights = networks.make(CellNetwork(cell), settings, 3, 10, 0)
    shape = {
        "stem_channels": settings.channels,
        "stacks": settings.stacks,
        "modules": settings.modules,
    }
    assert sum(weight.numel() for weight in weights) == trainable_parameters(cell, **shape)


def test_the_official_cell_has_the_published_number_of_parameters() -> None:
    network, weights = networks.make(CellNetwork(parse(README_MATRIX, README_OPS)), NB101, 3, 10, 0)
    assert sum(weight.numel() for weight in weights) == 2_694_282
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) > 40 and {(norm.momentum, norm.eps) for norm in norms} == {(0.003, 1e-5)}


def test_another_number_of_parameters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_network, "trainable_parameters", lambda *args, **shape: 1)
    with pytest.raises(UserError, match="parameters; expected 1; another nasbench-pytorch"):
        networks.make(CELL, TINY, 3, 10, 0)


@pytest.mark.parametrize("row", [0, 1, 7, 90, 500, 1500, 2000, 2531])
def test_the_fast_cell_is_the_librarys(row: int) -> None:
    """Same outputs, same gradients, same names; also for cells whose vertices differ in width."""
    made = [
        networks.make(CellNetwork(CELLS[row]), replace(TINY, channels=5), 3, 10, 0, plain=plain)
        for plain in (False, True)
    ]
    images = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    outputs = [network.train()(images) for network, _ in made]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-5, atol=1e-6)
    for output in outputs:
        output.square().sum().backward()
    for mine, theirs in zip(*(weights for _, weights in made), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-4)
    names = [
        [name for name, _ in network.named_parameters() if "dev_param" not in name]
        for network, _ in made
    ]
    assert names[0] == names[1]


@pytest.mark.filterwarnings("ignore")  # torch's own, while it traces
def test_torch_compile_sees_one_graph(data: datasets.Dataset) -> None:
    network, _ = networks.make(CELL, replace(TINY, stacks=1), 3, 10, 0)
    compiled = torch.compile(
        network, backend="eager", fullgraph=True
    )  # raises where the graph would break
    images = torch.rand(4, 3, 8, 8)
    torch.testing.assert_close(compiled(images), network(images))


def test_tensorflows_weights_are_drawn_by_fan_in() -> None:
    spreads = []
    for tf_init in (True, False):
        network, _ = networks.make(CellNetwork(CELLS[3]), replace(NB101, tf_init=tf_init), 3, 10, 0)
        spreads.append(float(network.layers[0].conv_bn_relu[0].weight.detach().std()))
    assert spreads[0] == pytest.approx((1 / 27) ** 0.5, rel=0.1)  # 3 x 3 pixels of 3 channels
    assert spreads[1] == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.1)


# --- TensorFlow's RMSProp
# -------------------------------------------------------------------------------


def test_tensorflows_rmsprop_by_hand() -> None:
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimiser = TensorFlowRMSprop(
        [weight], lr=0.1, decay=0.9, momentum=0.5, eps=1.0, weight_decay=0.01
    )
    w, square, moment = np.array([1.0, -2.0]), np.ones(2), np.zeros(2)
    for step, grad in enumerate(([3.0, 0.5], [-1.0, 0.25], [0.0, 2.0])):
        rate = 0.1 / (step + 1)
        optimiser.param_groups[0]["lr"] = rate
        weight.grad = torch.tensor(grad, dtype=torch.float64)
        optimiser.step()
        g = np.array(grad) + 0.01 * w
        square = 0.9 * square + 0.1 * g**2
        moment = 0.5 * moment + rate * g / np.sqrt(square + 1.0)
        w = w - moment
        np.testing.assert_allclose(weight.detach(), w, rtol=1e-12)


# --- the loop
# -------------------------------------------------------------------------------------------

KINDS = {
    "sgd": (TINY, CELL),
    "rmsprop": (replace(TINY, optimiser="rmsprop"), CELL),
    "nb101": (TINY_NB101, CELL),
    "nb301": (TINY_NB301, GENOTYPE),
}
EACH_KIND = pytest.mark.parametrize(("settings", "arch"), KINDS.values(), ids=KINDS)


@EACH_KIND
def test_a_training_goes_on_from_any_epoch(
    data: datasets.Dataset, tmp_path: Path, settings: Settings, arch: Any
) -> None:
    """Stored after epoch 1, and taken up by another network: the same curve, weights and
    accuracies, bit for bit; another seed gives others."""
    whole = fit_of(data, settings, arch)
    whole.epoch()
    path = tmp_path / "one.safetensors"
    checkpoint.save(path, *whole.state())
    whole.epoch()
    part = fit_of(data, settings, arch, seed=7)  # nothing of it may survive
    found = checkpoint.load(path)
    assert found is not None
    part.restore(*found)
    part.epoch()
    assert numbers(part) == numbers(whole)
    assert part.curve[0] == whole.curve[0], "an epoch was done again"
    for (name, a), (_, b) in zip(
        part.network.state_dict().items(), whole.network.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name
    assert part.done and part.measure() == whole.measure()
    other = fit_of(data, settings, arch, seed=1)
    other.epoch()
    assert numbers(other)[0] != numbers(whole)[0]


def test_it_learns(data: datasets.Dataset) -> None:
    fit = fit_of(data, replace(TINY, epochs=15, channels=8))
    while not fit.done:
        fit.epoch()
    losses = [epoch.loss for epoch in fit.curve]
    assert losses[-1] < 0.3 * losses[0]
    found = fit.measure()
    assert found.val > 0.8 and found.train > 0.9
    assert found.val * 20 == pytest.approx(round(found.val * 20))


@EACH_KIND
def test_measuring_leaves_the_training_untouched(
    data: datasets.Dataset, settings: Settings, arch: Any
) -> None:
    often, once = (fit_of(data, settings, arch) for _ in range(2))
    for fit in (often, once):
        while not fit.done:
            fit.epoch()
            if fit is often:
                assert fit.measure() == fit.measure()
    assert numbers(often) == numbers(once)
    for (name, a), (_, b) in zip(
        often.network.state_dict().items(), once.network.state_dict().items(), strict=True
    ):
        assert torch.equal(a, b), name


def test_a_file_sorted_by_class_is_measured_as_a_mixed_one(
    data: datasets.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch-norm statistics are those of mixed batches: the spread within one class is too small
    where classes differ in brightness."""
    bright = data.train.images // 2 + (30 * data.train.labels).to(torch.uint8)[:, None, None, None]
    data = replace(data, train=replace(data.train, images=bright))
    monkeypatch.setattr("rlnas.bench.retrain.fit.MEASURE_PIXELS", 16 * 64)
    fit = fit_of(data, TINY)
    order = torch.argsort(data.train.labels, stable=True)
    by_class = datasets.Part(data.train.images[order], data.train.labels[order])
    fit.data = replace(data, train=by_class)
    fit._recompute_bn()
    images = data.scale(by_class.images)
    stem = fit.network.layers[0].conv_bn_relu
    wanted = stem[0](images).detach().var((0, 2, 3))
    np.testing.assert_allclose(stem[1].running_var, wanted, rtol=0.1)
    assert len(list(fit._whole(by_class))) == 5


def test_batches_that_are_not_full(data: datasets.Dataset) -> None:
    """80 training images in batches of 32: 2 batches and a rest of 16."""
    fits = [fit_of(data, replace(TINY, batch_size=32, drop_last=drop)) for drop in (True, False)]
    assert [fit.epoch().images for fit in fits] == [64, 80]
    for fit in fits:
        while not fit.done:
            fit.epoch()
        assert fit.schedule.get_last_lr()[0] == pytest.approx(0, abs=1e-9), (
            "the cosine does not end at the last step"
        )


def test_a_loss_that_is_no_number(data: datasets.Dataset) -> None:
    fit = fit_of(data, replace(TINY, learning_rate=1e30, gradient_clip=0.0))
    with pytest.raises(Diverged, match=r"the loss is (nan|inf) in epoch [12]"):
        while not fit.done:
            fit.epoch()


def test_paths_are_dropped_more_and_more(data: datasets.Dataset) -> None:
    fit = fit_of(data, TINY_NB301, GENOTYPE)
    chances = []
    while not fit.done:
        fit.epoch()
        chances.append(fit.network.drop_path_prob)
    assert chances == pytest.approx([0, 0.2 / 2])


@pytest.mark.parametrize("options", [{"channels_last": True}, {"amp": "bf16"}])
def test_other_engines_learn_the_same(data: datasets.Dataset, options: dict) -> None:
    plain, other = fit_of(data, TINY), fit_of(data, TINY, **options)
    first, second = plain.epoch(), other.epoch()
    assert second.loss == pytest.approx(first.loss, rel=0.05) and second.loss != 0
    tensors, about = other.state()
    again = fit_of(data, TINY, **options)
    again.restore(tensors, json.loads(json.dumps(about)))
    assert again.epoch().loss == other.epoch().loss


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    assert checkpoint.load(path) is None
    checkpoint.save(path, {"x": torch.ones(3)}, {"a": 1})
    whole = path.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["c.safetensors"]
    for data in (b"", whole[:20], whole[:-1], b"x" * 100):
        path.write_bytes(data)
        assert checkpoint.load(path) is None
    path.write_bytes(whole)
    found = checkpoint.load(path)
    assert found is not None and torch.equal(found[0]["x"], torch.ones(3)) and found[1] == {"a": 1}
    assert checkpoint.load(path, checkpoint.OF_A_JOB) is None
