"""Zero-cost proxies against a slow, plain computation on a tiny network; the command."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlnas.analysis import cli
from rlnas.bench.records import records

torch = pytest.importorskip("torch", reason="the extra `retrain` is not installed")

from torch import nn  # noqa: E402

from rlnas.bench.checks import Fields  # noqa: E402
from rlnas.bench.retrain import zero_cost  # noqa: E402
from rlnas.bench.retrain.zero_cost import PROXIES  # noqa: E402

IMAGES = torch.randn(5, 2, 3, 3, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 2, 1, 1, 0])


def network() -> nn.Module:
    """Convolution 1 x 1, batch norm, ReLU, mean, linear."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layers = [nn.Conv2d(2, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU()]
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))


class Plain:
    """The same network in numpy, float64."""

    def __init__(self, norms: bool = True) -> None:
        of = network()
        self.conv = of[0].weight.detach().numpy().astype(float)[:, :, 0, 0]
        self.linear = of[5].weight.detach().numpy().astype(float)
        self.bias = of[5].bias.detach().numpy().astype(float)
        self.norms = norms

    def hidden(self, images: np.ndarray) -> np.ndarray:
        """Before the ReLU, [n, 4, 3, 3]."""
        found = np.einsum("nchw,dc->ndhw", images, self.conv)
        if not self.norms:
            return found
        mean, var = (f(found, axis=(0, 2, 3), keepdims=True) for f in (np.mean, np.var))
        return (found - mean) / np.sqrt(var + 1e-5)

    def logits(self, images: np.ndarray) -> np.ndarray:
        return np.maximum(self.hidden(images), 0).mean((2, 3)) @ self.linear.T + self.bias

    def loss(self) -> float:
        found = self.logits(IMAGES.numpy().astype(float))
        log = found - np.log(np.exp(found).sum(1, keepdims=True))
        return float(-log[np.arange(5), LABELS.numpy()].mean())


def slope(weights: np.ndarray, of: Any, step: float = 1e-5) -> np.ndarray:
    """The derivative of of() by each entry of `weights`, by differences."""
    found = np.zeros_like(weights)
    for place in np.ndindex(weights.shape):
        ends = []
        for sign in (1, -1):
            weights[place] += sign * step
            ends.append(of())
            weights[place] -= sign * step
        found[place] = (ends[0] - ends[1]) / (2 * step)
    return found


def value(name: str) -> float:
    return PROXIES[name](network(), IMAGES, LABELS)


def test_grad_norm_and_snip() -> None:
    plain = Plain()
    slopes = [(w, slope(w, plain.loss)) for w in (plain.conv, plain.linear)]
    norms = sum(np.sqrt((g**2).sum()) for _, g in slopes)
    assert value("grad_norm") == pytest.approx(norms, rel=1e-4)
    assert value("snip") == pytest.approx(sum(np.abs(w * g).sum() for w, g in slopes), rel=1e-4)


def test_synflow() -> None:
    plain = Plain(norms=False)
    for weights in (plain.conv, plain.linear, plain.bias):
        np.abs(weights, out=weights)
    ones = np.ones((1, 2, 3, 3))
    slopes = [
        (w, slope(w, lambda: plain.logits(ones).sum())) for w in (plain.conv, plain.linear)
    ]  # fmt: skip
    expected = sum((w * g).sum() for w, g in slopes)
    assert value("synflow") == pytest.approx(expected, rel=1e-8)
    # R less its biases is linear in each layer's weights.
    assert expected == pytest.approx(2 * (plain.logits(ones) - plain.bias).sum(), rel=1e-8)


def test_jacov() -> None:
    plain, images = Plain(), IMAGES.numpy().astype(float)
    jacobian = slope(images, lambda: plain.logits(images).sum()).reshape(5, -1)
    values = np.linalg.eigvals(np.corrcoef(jacobian)).real + 1e-5
    assert value("jacov") == pytest.approx(-(np.log(values) + 1 / values).sum(), rel=1e-3)


def test_nwot() -> None:
    on = Plain().hidden(IMAGES.numpy().astype(float)).reshape(5, -1) > 0
    kernel = [[sum(a == b for a, b in zip(x, y, strict=True)) for y in on] for x in on]
    assert value("nwot") == pytest.approx(np.log(np.linalg.det(np.array(kernel, float))), rel=1e-6)


def test_sizes() -> None:
    assert value("params") == 2 * 4 + 2 * 4 + 4 * 3 + 3
    assert value("flops") == 2 * 4 * 9 + 4 * 3


def test_the_network_stays_as_it_is() -> None:
    made = network()
    before = {name: x.clone() for name, x in made.state_dict().items()}
    for proxy in PROXIES.values():
        proxy(made, IMAGES, LABELS)
    assert all(torch.equal(before[name], x) for name, x in made.state_dict().items())
    assert all(weight.grad is None for weight in made.parameters())
    assert len(zero_cost.weighted(made)) == 2


def test_the_command_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["bench", "proxies", "nb101-digits", "--proxies", "params", "snip"]
    assert cli.main([*words, "--cells", "2", "--out", "two.csv"]) == 0
    folder = Path("runs/proxies-nb101-digits")
    lines = (folder / "records.jsonl").read_text().splitlines()
    assert len(lines) == 2
    (folder / "records.jsonl").write_text(lines[0] + "\n" + lines[1][:20])  # killed
    assert cli.main([*words, "--cells", "3", "--out", "three.csv"]) == 0
    assert next(records(folder, Fields()))["arch"] in lines[0]
    two, three = (
        list(csv.DictReader(Path(f"{name}.csv").read_text().splitlines()))
        for name in ("two", "three")
    )
    assert len(three) == 3 and all(row in three for row in two)
    assert float(two[0]["params"]) > 1000
    (folder / "records.jsonl").write_text(lines[0].replace('"snip": ', '"snip": 1') + "\n")
    capsys.readouterr()
    assert cli.main([*words, "--cells", "3"]) == 2
    assert "line 1 was edited or damaged" in capsys.readouterr().err
    assert cli.main([*words, "--seed", "1"]) == 2
    assert "is of seed 0, expected 1; choose another --folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nb301-yahpo"], "nb301-yahpo"),
        (["nb101-digits", "--proxies", "snip", "snip"], "--proxies is snip snip; expected"),
        (["nb101-digits", "--proxies", "zen"], "zen"),
    ],
)
def test_bad_options(words: list[str], message: str, capsys: Any) -> None:
    assert cli.main(["bench", "proxies", *words]) == 2
    assert message in capsys.readouterr().err
