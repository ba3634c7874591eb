"""One training of `rlnas bench tabulate`: a recipe, a data set and a seed in, accuracies at
checkpoints out."""

from __future__ import annotations

from dataclasses import dataclass

from rlnas.bench.nb101.cell import Cell
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.fit import Fit
from rlnas.bench.retrain.networks import build, parameters
from rlnas.bench.retrain.presets import of_recipe
from rlnas.bench.retrain.recipe import Recipe


@dataclass(frozen=True)
class Outcome:
    """Lists have one entry a checkpoint, `curve` one an epoch: accuracies as fractions, seconds as
    seconds.

    seconds: training time alone, up to the checkpoint, without the measuring.
    curve: running accuracy on the training batches of the epoch.
    """

    val: list[float]
    test: list[float]
    train: list[float]
    seconds: list[float]
    curve: list[float]
    params: int


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
    fit = Fit(network, weights, dataset, of_recipe(recipe), seed)
    val, test, train, seconds = [], [], [], []
    for epoch in range(1, recipe.epochs + 1):
        fit.epoch()
        if epoch in recipe.checkpoints:
            measured = fit.measure()
            val.append(measured.val)
            test.append(measured.test)
            train.append(measured.train)
            seconds.append(sum(epoch.seconds for epoch in fit.curve))
    curve = [epoch.accuracy for epoch in fit.curve]
    return Outcome(val, test, train, seconds, curve, sum(p.numel() for p in weights))
