"""The DARTS network against published sizes, a count by hand, and what each operation does to its
image."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="the extra `retrain` is not installed: no networks here"
)

from rlnas.bench.errors import UserError  # noqa: E402
from rlnas.bench.nb301 import (  # noqa: E402
    darts,
    genotype,
    torch_network,
)
from rlnas.bench.nb301.network import DartsNetwork as Plan  # noqa: E402
from rlnas.bench.nb301.torch_network import (  # noqa: E402
    OPERATIONS,
    AuxiliaryHead,
    DartsNetwork,
    FactorizedReduce,
)
from rlnas.bench.retrain import networks  # noqa: E402
from rlnas.bench.retrain.presets import Settings  # noqa: E402
from torch_fixtures import one_thread  # noqa: E402, F401

# Published genotypes; DARTS (second order) and P-DARTS.
DARTS_V2 = darts.parse(
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), "
    "('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
PDARTS = darts.parse(
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), "
    "('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], "
    "normal_concat=range(2, 6), "
    "reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), "
    "('max_pool_3x3', 0), "
    "('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], reduce_concat=range(2, 6))"
)
SMALL = {"channels": 4, "layers": 3}


def build_darts(
    genotype: darts.Genotype, *args: int, seed: int = 0, **options: int
) -> DartsNetwork:
    """Weights from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = torch_network.build_darts(genotype, *args, **options)
    network.generator.manual_seed(seed)
    return network


def trainable_parameters(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters() if weight.requires_grad)


def random_genotype(rng: np.random.Generator) -> darts.Genotype:
    return genotype.to_genotype(rng.integers(genotype.SIZES).astype(np.int8))


def images(n: int = 2, channels: int = 3, size: int = 32, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed))


# --- size
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("which", "auxiliary", "published"),
    [
        (
            DARTS_V2,
            False,
            3_349_342,
        ),  # github.com/quark0/darts: README and the log of its training, "3.349342MB"
        (PDARTS, False, 3_433_798),  # github.com/chenxin061/pdarts/issues/7
        (PDARTS, True, 3_910_224),
    ],
)
def test_published_sizes(which: darts.Genotype, auxiliary: bool, published: int) -> None:
    network = build_darts(which, channels=36, layers=20, auxiliary=auxiliary)
    assert trainable_parameters(network) == published


def count(
    which: darts.Genotype,
    channels: int,
    layers: int,
    auxiliary: bool,
    in_channels: int,
    classes: int,
) -> int:
    """Parameters in closed form, from the description of the paper."""

    def of(op: str, c: int, stride: int) -> int:
        kind, _, kernel = op.rpartition("_")
        once = int(kernel[0]) ** 2 * c + c * c + 2 * c if kernel[0].isdigit() else 0
        return {
            "sep_conv": 2 * once,
            "dil_conv": once,
            "skip": (c * c + 2 * c) * (stride == 2),
        }.get(kind, 0)

    c, before, last = channels, 3 * channels, 3 * channels
    total = 9 * in_channels * 3 * channels + 2 * 3 * channels
    for layer in range(layers):
        reduction = layer in {layers // 3, 2 * layers // 3}
        c *= 2 if reduction else 1
        total += (
            before + last
        ) * c + 4 * c  # either entrance is a 1 x 1 convolution, halved or not, and a BatchNorm
        for op, source in which.reduce if reduction else which.normal:
            total += of(op, c, 2 if reduction and source < 2 else 1)
        before, last = last, 4 * c
        if layer == 2 * layers // 3 and auxiliary:
            total += last * 128 + 2 * 128 + 4 * 128 * 768 + 2 * 768 + 768 * classes + classes
    return total + last * classes + classes


@pytest.mark.parametrize("seed", range(6))
def test_size_of_random_genotypes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = {
        "channels": int(rng.integers(2, 7)) * 2,
        "layers": int(rng.integers(1, 10)),
        "in_channels": 1 + 2 * seed,
    }
    which, auxiliary = random_genotype(rng), bool(seed % 2)
    network = build_darts(which, num_classes=7, auxiliary=auxiliary, **sizes)
    assert trainable_parameters(network) == count(which, auxiliary=auxiliary, classes=7, **sizes)


# --- operations
# -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [2, 7, 8])
@pytest.mark.parametrize("op", darts.OPS)
def test_an_operation_keeps_or_halves_the_image(op: str, size: int, stride: int) -> None:
    out = OPERATIONS[op](6, stride)(images(channels=6, size=size))
    assert out.shape == (2, 6, math.ceil(size / stride), math.ceil(size / stride))


def test_every_operation_is_there() -> None:
    assert tuple(OPERATIONS) == darts.OPS


def test_pools_by_hand() -> None:
    """The average does not count the padding; neither pool has weights."""
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    average, largest = OPERATIONS["avg_pool_3x3"](1, 1), OPERATIONS["max_pool_3x3"](1, 2)
    assert average(x)[0, 0].tolist() == [[2.0, 2.5, 3.0], [3.5, 4.0, 4.5], [5.0, 5.5, 6.0]]
    assert largest(x)[0, 0].tolist() == [[4.0, 5.0], [7.0, 8.0]]
    assert trainable_parameters(average) == trainable_parameters(largest) == 0


def test_fields_of_view() -> None:
    """How far a pixel's influence reaches: 3 and 5 once for the dilated, twice for the separable
    convolutions."""
    reach = {"sep_conv_3x3": 2, "sep_conv_5x5": 4, "dil_conv_3x3": 2, "dil_conv_5x5": 4}
    for op, wanted in reach.items():
        module = OPERATIONS[op](1, 1).eval()
        for conv in (part for part in module.modules() if isinstance(part, torch.nn.Conv2d)):
            torch.nn.init.ones_(conv.weight)
        x = torch.zeros(1, 1, 17, 17)
        x[0, 0, 8, 8] = 1
        rows = torch.nonzero(module(x)[0, 0].sum(1)).ravel() - 8
        assert rows.abs().max() == wanted
        assert len(rows) == (
            2 * wanted + 1 if op.startswith("sep") else wanted + 1
        )  # a dilated one has holes


def test_factorized_reduction_sees_every_other_pixel_in_each_half() -> None:
    reduce = FactorizedReduce(1, 2).eval()
    for conv in (reduce.even, reduce.odd):
        torch.nn.init.ones_(conv.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    scale = math.sqrt(1 + reduce.norm.eps)
    out = reduce(x)[0] * scale
    assert torch.allclose(out[0], torch.tensor([[0.0, 2.0], [8.0, 10.0]]))
    assert torch.allclose(out[1], torch.tensor([[5.0, 7.0], [13.0, 15.0]]))


# --- the network
# ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [8, 28, 32, 33])
@pytest.mark.parametrize("layers", [1, 2, 8])
def test_shapes(size: int, layers: int) -> None:
    network = build_darts(DARTS_V2, num_classes=5, channels=4, layers=layers, in_channels=1)
    logits, auxiliary = network(images(3, 1, size))
    assert logits.shape == auxiliary.shape == (3, 5)
    logits, auxiliary = network.eval()(images(3, 1, size))
    assert logits.shape == (3, 5) and auxiliary is None
    assert build_darts(DARTS_V2, auxiliary=False, **SMALL)(images())[1] is None


def test_where_the_image_shrinks() -> None:
    network = build_darts(PDARTS, channels=4, layers=8)
    sizes = []
    for cell in network.cells:
        cell.register_forward_hook(
            lambda module, inputs, output: sizes.append(tuple(output.shape[1:3]))
        )
    network(images())
    assert sizes == [(16, 32)] * 2 + [(32, 16)] * 3 + [(64, 8)] * 3


def test_the_auxiliary_head_on_cifar_is_darts_own() -> None:
    """On 8 x 8 the windows are 5 x 5, 3 apart: the first covers rows 0 to 4, the second rows 3 to
    7."""
    head = AuxiliaryHead(1, 2)
    x = torch.ones(1, 1, 8, 8)
    x[:, :, 4] = 2
    seen = []
    head.reduce.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    head.eval()(x)
    assert seen[0].shape == (1, 1, 2, 2)
    assert torch.allclose(seen[0], torch.tensor(1.2))


def test_gradients_reach_every_parameter() -> None:
    for seed in range(3):
        network = build_darts(random_genotype(np.random.default_rng(seed)), **SMALL)
        network.drop_path_prob = 0.1
        logits, auxiliary = network(images(4))
        (logits.square().sum() + auxiliary.square().sum()).backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None and weight.grad.abs().sum() > 0, name


def test_the_order_of_a_nodes_inputs_means_nothing() -> None:
    swapped = DARTS_V2._replace(normal=tuple(DARTS_V2.normal[i ^ 1] for i in range(8)))
    first, second = (
        build_darts(which, **SMALL).eval()(images())[0] for which in (DARTS_V2, swapped)
    )
    assert torch.equal(first, second)


def test_a_seed_decides_all() -> None:
    state = torch.get_rng_state()
    settings = Settings(auxiliary_weight=0.4, **SMALL)

    def logits(seed: int) -> torch.Tensor:
        network, weights = networks.make(Plan(DARTS_V2), settings, 3, 10, seed)
        assert sum(weight.numel() for weight in weights) == trainable_parameters(network)
        network.drop_path_prob = 0.5
        return network(images())[0]

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
    assert torch.equal(state, torch.get_rng_state())


# --- drop path
# --------------------------------------------------------------------------------------


def test_drop_path_statistics() -> None:
    network = build_darts(DARTS_V2, **SMALL)
    network.drop_path_prob = 0.3
    keeps = torch.stack(network._draw(images(4000, 1, 1)))
    assert keeps.shape == (3, 8, 4000)
    assert np.allclose(keeps.unique().tolist(), [0, 1 / 0.7])
    assert (keeps == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert keeps.mean().item() == pytest.approx(1, abs=0.01)
    assert (keeps[0, 0] == keeps[0, 1]).float().mean().item() < 0.7  # by edge
    assert len(keeps[0, 0].unique()) == 2  # and by image


def test_drop_path_is_for_training_and_spares_the_identity() -> None:
    network = build_darts(DARTS_V2, auxiliary=False, **SMALL)
    plain = network.eval()(images())[0]
    network.drop_path_prob = 0.9
    assert torch.equal(network(images())[0], plain)
    normal, reduction = network.cells[0], network.cells[1]
    spared = [op == "skip_connect" for op, _ in DARTS_V2.normal]
    assert any(spared) and normal.droppable == [not s for s in spared]
    # In a reduction cell, the skips from node 2 are identities; one from nodes 0 or 1 would be a
    # convolution.
    assert reduction.droppable == [
        op != "skip_connect" or source < 2 for op, source in DARTS_V2.reduce
    ]
    x = images(2, 12, 8)
    nothing = normal(x, x, torch.zeros(8, 2))
    entered = normal.enter_0(x)
    assert torch.allclose(
        nothing[:, 4 * 2 : 4 * 3], entered
    )  # node 4: sep_conv on node 1, and a skip from node 0
    assert torch.equal(nothing[:, : 4 * 2], torch.zeros_like(nothing[:, : 4 * 2]))


def test_a_bad_genotype_or_size_is_one_line() -> None:
    with pytest.raises(UserError, match="expected 8"):
        build_darts(DARTS_V2._replace(normal=DARTS_V2.normal[:7]))
    with pytest.raises(UserError, match="found 0 layers"):
        build_darts(DARTS_V2, layers=0)
