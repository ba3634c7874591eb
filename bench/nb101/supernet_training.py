"""How a supernet is trained: on single paths, by epochs after which it can be stored.

Guo et al. 2020, "Single path one-shot neural architecture search with uniform sampling", arXiv
1904.00420: every step draws one cell uniformly and trains it alone, on the weights it shares with
the others. Or a few cells together (`rlnas.bench.nb101.sharing`).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of
from torch import nn
from torch.nn import functional as F

from rlnas.bench.arguments import shown
from rlnas.bench.checks import Each, Fields, Number, check
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.recipe import Recipe
from rlnas.bench.nb101.sharing import Sampling, sampler
from rlnas.bench.nb101.supernet import Supernet
from rlnas.bench.reading import to_json
from rlnas.bench.retrain.datasets import Dataset, Part
from rlnas.bench.tensors import read_tensors, save_tensors

FORMAT = "rlnas-supernet-3"
ABOUT = Fields({"identity": Fields(), "done": Each(Number(0), 3)})
HINT = "delete it and run again"


@dataclass(frozen=True)
class Schedule:
    """How the supernet is trained; the rest of the optimiser is the table's own (`Recipe`).

    epochs: checkpoints, of `steps` batches each. learning_rate: at first; cosine to 0. sampling:
    the cells that a batch trains.
    """

    epochs: int
    steps: int
    learning_rate: float
    sampling: Sampling = "uniform"


class Progress(NamedTuple):
    """After an epoch. seconds: of training so far, in all processes. loss: mean over the last
    epoch's batches."""

    epoch: int
    seconds: float
    loss: float


class Training:
    """A supernet under way: its weights, its optimiser, and what draws its batches.

    `state` is all of it between two epochs, as tensors; `restore` goes on from there, to the very
    same weights. One thread: the tensors are small, and threads would change the sums' order.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        schedule: Schedule,
        max_vertices: int,
        seed: int,
        make: type[Supernet] = Supernet,
    ) -> None:
        torch.set_num_threads(1)
        self.recipe, self.schedule, self.done = recipe, schedule, Progress(0, 0.0, math.nan)
        self.dataset = dataset
        self.images, self.labels = dataset.scale(dataset.train.images), dataset.train.labels
        self.net = make(
            recipe,
            in_channels=dataset.channels,
            max_vertices=max_vertices,
            seed=seed,
            classes=dataset.classes,
        )
        self.weights = dict(self.net.named_parameters())
        self.optimiser = self.net.optimiser(recipe, schedule.learning_rate)
        self.draws = torch.Generator().manual_seed(seed)

    def whole(self, n: int) -> int:
        """A drawn whole number from 0 to n - 1."""
        return int(torch.randint(n, (), generator=self.draws))

    def epoch(self, next_cells: Callable[[], Sequence[Cell]]) -> Progress:
        """Train one epoch more. next_cells: the cells of the next batch."""
        start, schedule, done = time.perf_counter(), self.schedule, self.done.epoch
        steps = schedule.epochs * schedule.steps
        total = torch.zeros(())
        order = torch.empty(0, dtype=torch.int64)  # an epoch begins with a pass of its own
        self.net.train()
        for step in range(done * schedule.steps, (done + 1) * schedule.steps):
            if not len(order):
                order = torch.randperm(len(self.labels), generator=self.draws)
            batch, order = order[: self.recipe.batch_size], order[self.recipe.batch_size :]
            rate = schedule.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
            total += self._step(batch, next_cells(), rate)
        mean = (total / schedule.steps).item()
        if not math.isfinite(mean):
            raise UserError(
                f"the supernet's loss is {mean} in epoch {done + 1}; choose a smaller "
                f"learning rate than {schedule.learning_rate:g}"
            )
        spent = time.perf_counter() - start
        self.done = Progress(done + 1, self.done.seconds + spent, mean)
        return self.done

    def _step(self, batch: torch.Tensor, cells: Sequence[Cell], rate: float) -> torch.Tensor:
        """One update by the mean of the cells' gradients; the mean loss. Weights that no cell uses
        have no gradient: neither decay nor momentum moves them."""
        total = torch.zeros(())
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        for cell in cells:
            logits = self.net(self.images[batch], cell)
            loss = F.cross_entropy(logits, self.labels[batch]) / len(cells)
            loss.backward()
            total += loss.detach()
        nn.utils.clip_grad_norm_(self.weights.values(), self.recipe.gradient_clip, foreach=True)
        self.optimiser.step()
        return total

    def minibatches(self, part: Part, size: int) -> Iterator[Part]:
        """Passes over a part of the images, each mixed anew; without end, and without smaller
        batches. `accuracy_on` takes them."""
        order, size = torch.empty(0, dtype=torch.int64), min(size, len(part))
        while True:
            if len(order) < size:
                order = torch.randperm(len(part), generator=self.draws)
            batch, order = order[:size], order[size:]
            yield Part(self.dataset.scale(part.images[batch]), part.labels[batch])

    @torch.no_grad()
    def accuracy_on(self, batch: Part, cell: Cell) -> float:
        """A fraction; batch norms take the batch's own statistics."""
        logits = self.net.train()(batch.images, cell)
        return (logits.argmax(1) == batch.labels).float().mean().item()

    def state(self) -> dict[str, torch.Tensor]:
        """All but `done`."""
        tensors = {f"weight/{name}": weight.detach() for name, weight in self.weights.items()}
        tensors |= {
            f"optimiser/{name}/{key}": value
            for name, weight in self.weights.items()
            for key, value in self.optimiser.state.get(weight, {}).items()
        }
        return tensors | {"draws": self.draws.get_state()}

    def restore(self, tensors: Mapping[str, torch.Tensor], done: Progress, path: Path) -> None:
        """What `state` gave, after `done`, from `path`."""
        shapes = {f"weight/{name}": weight.shape for name, weight in self.weights.items()}
        if shapes != {key: x.shape for key, x in tensors.items() if key.startswith("weight/")}:
            raise UserError(f"{path} holds the weights of another supernet; {HINT}")
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"weight/{name}"])
        for key, value in tensors.items():
            if key.startswith("optimiser/"):
                _, name, part = key.split("/")
                self.optimiser.state[self.weights[name]][part] = value
        self.draws.set_state(tensors["draws"])
        self.done = done


def train(
    cells: Sequence[Cell],
    dataset: Dataset,
    recipe: Recipe,
    schedule: Schedule,
    seed: int,
    checkpoint: Path,
    report: Callable[[Progress], None] = lambda progress: None,
    make: type[Supernet] = Supernet,
) -> tuple[Supernet, float]:
    """The trained supernet, of class `make`, and the seconds it took; one thread, the same numbers
    for the same arguments.

    After every epoch the whole state goes to `checkpoint` (safetensors); a call that finds one goes
    on from there and ends with the very same weights. Raises `UserError` when the checkpoint is of
    another training.
    """
    most = max(cell.num_vertices for cell in cells)
    training = Training(dataset, recipe, schedule, most, seed, make)
    identity = {
        "format": FORMAT,
        "network": make.__name__,
        "cells": hashlib.sha256(repr(list(cells)).encode()).hexdigest(),
        "seed": seed,
        "recipe": asdict(recipe),
    } | asdict(schedule)
    if checkpoint.exists():
        tensors, done = read(checkpoint, identity)
        training.restore(tensors, done, checkpoint)
    draw = sampler(cells, schedule.sampling)
    while training.done.epoch < schedule.epochs:
        done = training.epoch(lambda: draw(training.whole))
        write(checkpoint, identity, training.state(), done)
        report(done)
    return training.net, training.done.seconds


def write(
    path: Path, identity: Mapping[str, Any], tensors: Mapping[str, Any], done: Progress
) -> None:
    """A checkpoint. tensors: arrays of numpy, too."""
    as_tensors = {name: torch.as_tensor(value) for name, value in tensors.items()}
    save_tensors(path, as_tensors, {"identity": identity, "done": done}, bytes_of)


def read(path: Path, identity: Mapping[str, Any]) -> tuple[dict[str, torch.Tensor], Progress]:
    """What `write` wrote; `UserError` when it is damaged, or of another training."""
    tensors, facts = read_tensors(path, tensors_of, HINT)
    check(facts, ABOUT, path, HINT)
    if facts["identity"] != to_json(identity):
        raise UserError(
            f"{path} is the checkpoint of another training ({shown(facts['identity'])}); {HINT}"
        )
    epoch, seconds, loss = facts["done"]
    return tensors, Progress(int(epoch), seconds, loss)
