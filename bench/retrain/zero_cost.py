"""Zero-cost proxies: what a network's first batch says of it, before any training.

Definitions of zero-cost-nas (Abdelfattah et al. 2021, arXiv 2101.08134; SamsungLabs/zero-cost-nas):
sums over the weights of all convolutions and linear layers, biases left out. nwot is that of Mellor
et al. 2021 (arXiv 2006.04647; BayesWatch/nas-without-training), as NASLib computes it. Batch norms
are in training mode, but for synflow, which has none.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.nn import functional

Proxy = Callable[[nn.Module, torch.Tensor, torch.Tensor], float]
"""network, images [n, channels, h, w], labels [n] -> a number; the network stays as it is."""
JACOV_SHIFT = 1e-5
"""k of jacob_cov: added to the eigenvalues."""


Layer = nn.Conv2d | nn.Linear


def weighted(network: nn.Module) -> list[Layer]:
    """The layers whose weights are summed over."""
    return [layer for layer in network.modules() if isinstance(layer, Layer)]


def logits(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What it answers, of a network with an auxiliary head the main answer."""
    found = network(images)
    return found[0] if isinstance(found, tuple) else found


def reached(network: nn.Module) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(weights, gradient) of the layers that a backward pass has reached."""
    found = [(layer.weight.detach(), layer.weight.grad) for layer in weighted(network)]
    return [(weight, gradient) for weight, gradient in found if gradient is not None]


def _gradients(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> nn.Module:
    """A copy with the gradients of the cross-entropy of one batch."""
    copied = copy.deepcopy(network).train()
    copied.zero_grad()
    functional.cross_entropy(logits(copied, images), labels).backward()
    return copied


def grad_norm(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The sum over layers of |dL/dw|, Euclidean norms."""
    found = reached(_gradients(network, images, labels))
    return sum(float(gradient.norm()) for _, gradient in found)


def snip(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The sum of |dL/dm| of masks m = 1 on all weights, which is |w dL/dw|."""
    found = reached(_gradients(network, images, labels))
    return sum(float((weight * gradient).abs().sum()) for weight, gradient in found)


def synflow(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The sum of w dR/dw for R, the sum of the answers to an image of ones by a network of |w| in
    float64 without batch norms."""
    copied = without_norms(network).double().train()
    with torch.no_grad():
        for weight in copied.parameters():
            weight.abs_()
    copied.zero_grad()
    ones = torch.ones_like(images[:1], dtype=torch.float64)
    logits(copied, ones).sum().backward()
    return sum(float((weight * gradient).abs().sum()) for weight, gradient in reached(copied))


def jacov(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """-sum(log(v + k) + 1 / (v + k)) over the eigenvalues v of the correlations between the images'
    Jacobians (of the summed answers). With no more pixels than images some v are 0, and say most:
    so it is on images of 8 x 8."""
    copied = copy.deepcopy(network).train()
    inputs = images.clone().requires_grad_()
    logits(copied, inputs).sum().backward()
    assert inputs.grad is not None
    jacobian = inputs.grad.reshape(len(images), -1).double().numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        correlations = np.corrcoef(jacobian)
    if not np.isfinite(correlations).all():  # a network that no image changes
        return float("nan")
    shifted = np.linalg.eigvalsh(correlations) + JACOV_SHIFT
    with np.errstate(invalid="ignore", divide="ignore"):
        found = -(np.log(shifted) + 1 / shifted).sum()
    return float(found) if np.isfinite(found) else float("nan")


def nwot(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The logarithm of the determinant of K, K[i, j] the number of ReLUs that images i and j have
    both on, or both off; NaN where there is none."""
    copied = copy.deepcopy(network).train()
    n = len(images)
    kernel = torch.zeros(n, n, dtype=torch.float64)

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
        on = (given[0].detach().reshape(n, -1) > 0).double()
        kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    for layer in copied.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_forward_hook(count)
    with torch.no_grad():
        copied(images)
    sign, size = torch.linalg.slogdet(kernel)
    return float(size) if sign > 0 else float("nan")


def params(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Trainable parameters."""
    return float(sum(w.numel() for w in network.parameters() if w.requires_grad))


def flops(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Multiply-adds of all convolutions and linear layers for one image."""
    copied = copy.deepcopy(network).eval()
    total = 0

    def count(layer: Layer, given: tuple[torch.Tensor, ...], answer: torch.Tensor) -> None:
        nonlocal total
        places = answer[0, 0].numel() if answer.ndim == 4 else 1
        total += places * layer.weight.numel()

    for layer in weighted(copied):
        layer.register_forward_hook(count)
    with torch.no_grad():
        copied(images[:1])
    return float(total)


def without_norms(network: nn.Module) -> nn.Module:
    """A copy in which every batch norm passes on what it gets."""
    copied = copy.deepcopy(network)
    for layer in list(copied.modules()):
        for name, child in layer.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(layer, name, nn.Identity())
    return copied


PROXIES: dict[str, Proxy] = {
    "params": params,
    "flops": flops,
    "synflow": synflow,
    "snip": snip,
    "grad_norm": grad_norm,
    "jacov": jacov,
    "nwot": nwot,
}
"""All of them, by the names that NAS-Bench-Suite-Zero has. Of each, more is taken for better."""
