"""One training of one network: a recipe, a data set and a seed in, accuracies out."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import nn

from bench.nb101.cell import Cell
from bench.retrain.datasets import Dataset, Part
from bench.retrain.networks import build, parameters
from bench.retrain.recipe import Recipe


@dataclass(frozen=True)
class Outcome:
    """Lists have one entry a checkpoint, `curve` one an epoch: accuracies as fractions, seconds as seconds.

    seconds: training time alone, up to the checkpoint, without the measuring.
    curve: running accuracy on the training batches of the epoch.
    """

    val: list[float]
    test: list[float]
    train: list[float]
    seconds: list[float]
    curve: list[float]
    params: int


@torch.no_grad()
def _accuracy(network: nn.Module, part: Part) -> float:
    return (network(part.images).argmax(1) == part.labels).float().mean().item()


@torch.no_grad()
def _recompute_bn(network: nn.Module, part: Part) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0  # one batch holds all: its statistics are the statistics
    network.train()
    network(part.images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def train(cell: Cell, dataset: Dataset, recipe: Recipe, seed: int) -> Outcome:
    """Train `cell`; the same arguments give the same accuracies on the same machine."""
    network = build(
        cell,
        in_channels=dataset.train.images.shape[1],
        stem_channels=recipe.stem_channels,
        stacks=recipe.stacks,
        modules=recipe.modules,
        bn_momentum=recipe.bn_momentum,
        seed=seed,
    )
    weights = parameters(network)
    optimiser = torch.optim.RMSprop(
        weights,
        lr=recipe.learning_rate,
        alpha=recipe.decay,
        eps=recipe.epsilon,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        foreach=True,
    )
    images, labels = dataset.train.images, dataset.train.labels
    steps = recipe.epochs * -(-len(labels) // recipe.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    order = torch.Generator().manual_seed(seed)
    loss_of = nn.CrossEntropyLoss()

    val, test, fit, seconds, curve = [], [], [], [], []
    spent = 0.0
    for epoch in range(1, recipe.epochs + 1):
        start = time.perf_counter()
        network.train()
        hits = torch.zeros((), dtype=torch.int64)
        for batch in torch.randperm(len(labels), generator=order).split(recipe.batch_size):
            logits = network(images[batch])
            loss = loss_of(logits, labels[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(weights, recipe.gradient_clip, foreach=True)
            optimiser.step()
            schedule.step()
            hits += (logits.argmax(1) == labels[batch]).sum()
        curve.append(hits.item() / len(labels))
        spent += time.perf_counter() - start
        if epoch in recipe.checkpoints:
            running = {name: buffer.clone() for name, buffer in network.named_buffers()}
            if recipe.recompute_bn:
                _recompute_bn(network, dataset.train)
            network.eval()
            val.append(_accuracy(network, dataset.val))
            test.append(_accuracy(network, dataset.test))
            fit.append(_accuracy(network, dataset.train))
            seconds.append(spent)
            for name, buffer in network.named_buffers():  # measuring leaves the training untouched
                buffer.copy_(running[name])
    return Outcome(val, test, fit, seconds, curve, sum(p.numel() for p in weights))
