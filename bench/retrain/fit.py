"""The one training loop: epochs one at a time, so that a training can be stored after any of them
and go on."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from rlnas.bench.retrain import augment
from rlnas.bench.retrain.datasets import Dataset, Part
from rlnas.bench.retrain.engine import Engine
from rlnas.bench.retrain.networks import DropsPaths
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.retrain.rmsprop import TensorFlowRMSprop

# of a batch that is only measured: all of a part of digits, and less memory than training
MEASURE_PIXELS = 64_000


class Diverged(RuntimeError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Epoch:
    """loss: mean over the images trained on. accuracy: on them, as they came, a fraction. seconds:
    of training."""

    loss: float
    accuracy: float
    seconds: float
    images: int


@dataclass(frozen=True)
class Accuracies:
    """Fractions, of whole parts."""

    train: float
    val: float
    test: float


class Fit:
    """A training under way. The same arguments give the same curve, in an `Engine.deterministic`
    process.

    data: on the engine's device already. `weights` are what is trained of `network`.
    """

    def __init__(
        self,
        network: nn.Module,
        weights: Sequence[nn.Parameter],
        data: Dataset,
        settings: Settings,
        seed: int,
        engine: Engine | None = None,
    ) -> None:
        engine = engine or Engine()
        self.settings, self.engine, self.data, self.weights = settings, engine, data, list(weights)
        self.network = network.to(engine.device)
        if engine.channels_last:
            self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.forward: Any = torch.compile(self.network) if engine.compile else self.network
        self.optimiser = make_optimiser(self.weights, settings)
        images = len(data.train)
        batches = (
            images // settings.batch_size
            if settings.drop_last
            else -(-images // settings.batch_size)
        )
        self.batches = max(1, batches)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimiser, settings.epochs * self.batches
        )
        # On the CPU whatever the device, so that the order of the images is the same on all of
        # them.
        self.order = torch.Generator().manual_seed(seed)
        self.drawn = torch.Generator(engine.device).manual_seed(seed + 1)
        self.paths = network.generator if isinstance(network, DropsPaths) else None
        self.scaler = torch.amp.GradScaler("cuda", enabled=engine.amp == "fp16")
        self.curve: list[Epoch] = []

    @property
    def done(self) -> bool:
        return len(self.curve) >= self.settings.epochs

    def epoch(self) -> Epoch:
        """Train one epoch more; `Diverged` when its loss is infinite or no number."""
        start = time.perf_counter()
        s = self.settings
        self.network.train()
        if s.drop_path:
            self._drop_paths(s.drop_path * len(self.curve) / s.epochs)  # as DARTS does
        order = torch.randperm(len(self.data.train), generator=self.order).to(self.engine.device)
        hits = torch.zeros((), dtype=torch.int64, device=self.engine.device)
        losses = torch.zeros((), device=self.engine.device)
        seen = 0
        for batch in order.split(s.batch_size)[: self.batches]:
            hit, loss = self.step(*self.batch(batch))
            hits += hit
            losses += loss * len(batch)
            seen += len(batch)
        # The only wait for the device in an epoch.
        mean_loss, accuracy = losses.item() / seen, hits.item() / seen
        if not math.isfinite(mean_loss):
            raise Diverged(f"the loss is {mean_loss} in epoch {len(self.curve) + 1}")
        self.curve.append(Epoch(mean_loss, accuracy, time.perf_counter() - start, seen))
        return self.curve[-1]

    def batch(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Augmented and standardised images [n, c, h, w], and labels [n]."""
        part = self.data.train
        images = augment.before_scaling(part.images[index], self.settings, self.drawn)
        images = augment.after_scaling(self.data.scale(images), self.settings, self.drawn)
        return self._formatted(images), part.labels[index]

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update; (how many of the batch were right, its loss), on the device."""
        with self._precision():
            logits, loss, whole = self.losses(images, labels)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(whole).backward()
        if self.settings.gradient_clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.weights, self.settings.gradient_clip, foreach=True)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.schedule.step()
        return (logits.argmax(1) == labels).sum(), loss.detach()

    def losses(
        self, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(logits, the loss that is told, the one that is lowered) of a batch."""
        logits, auxiliary = outputs(self.forward(images))
        loss = nn.functional.cross_entropy(logits, labels)
        whole = loss
        if auxiliary is not None and self.settings.auxiliary_weight:
            whole = loss + self.settings.auxiliary_weight * nn.functional.cross_entropy(
                auxiliary, labels
            )
        return logits, loss, whole

    def measure(self) -> Accuracies:
        """Accuracy on all three parts, without augmentation; the training is left untouched."""
        running = {name: buffer.clone() for name, buffer in self.network.named_buffers()}
        self.settled()
        found = Accuracies(
            *(self._accuracy(part) for part in (self.data.train, self.data.val, self.data.test))
        )
        for name, buffer in self.network.named_buffers():
            buffer.copy_(running[name])
        return found

    def settled(self) -> nn.Module:
        """The network as `measure` measures it, in evaluation, with the statistics of its batch
        norms."""
        if self.settings.recompute_bn:
            self._recompute_bn()
        return self.network.eval()

    @torch.no_grad()
    def _accuracy(self, part: Part) -> float:
        hits = 0
        for images, labels in self._whole(part):
            with self._precision():
                logits, _ = outputs(self.network(images))
            hits += int((logits.argmax(1) == labels).sum())
        return hits / len(part)

    @torch.no_grad()
    def _recompute_bn(self) -> None:
        """Mean over batches of the training part; one batch holds it all when it is small. Mixed,
        since files come sorted by class, and the spread within a class is not that of all."""
        norms = [module for module in self.network.modules() if isinstance(module, nn.BatchNorm2d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for a plain mean
        self.network.train()
        self._drop_paths(0.0)
        part = self.data.train
        if len(part) > self._measured_at_once():
            mixed = torch.randperm(len(part), generator=torch.Generator().manual_seed(0)).to(
                self.engine.device
            )
            part = Part(part.images[mixed], part.labels[mixed])
        for images, _ in self._whole(part):
            with self._precision():
                self.network(images)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum

    def _whole(self, part: Part) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        size = self._measured_at_once()
        for images, labels in zip(part.images.split(size), part.labels.split(size), strict=True):
            yield self._formatted(self.data.scale(images)), labels

    def _measured_at_once(self) -> int:
        """Images of a batch that is only measured."""
        height, width = self.data.train.images.shape[2:]
        return max(self.settings.batch_size, MEASURE_PIXELS // (height * width))

    def _formatted(self, images: torch.Tensor) -> torch.Tensor:
        return (
            images.contiguous(memory_format=torch.channels_last)
            if self.engine.channels_last
            else images
        )

    def _precision(self) -> Any:
        dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self.engine.amp)
        return (
            torch.autocast(self.engine.device.partition(":")[0], dtype) if dtype else nullcontext()
        )

    def _drop_paths(self, chance: float) -> None:
        if isinstance(self.network, DropsPaths):
            self.network.drop_path_prob = chance

    # --- storing and going on
    # ------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """All that `restore` needs: tensors on the CPU, and the rest as JSON's own types."""
        tensors = {f"network/{name}": x for name, x in self.network.state_dict().items()}
        saved = self.optimiser.state_dict()
        rest: dict[str, dict[str, Any]] = {}
        for index, entries in saved["state"].items():
            for name, value in entries.items():
                if isinstance(value, torch.Tensor):
                    tensors[f"optimiser/{index}/{name}"] = value
                else:
                    rest.setdefault(str(index), {})[name] = value
        tensors |= {
            "generator/order": self.order.get_state(),
            "generator/drawn": self.drawn.get_state(),
        }
        if self.paths is not None:
            tensors["generator/paths"] = self.paths.get_state()
        about = {
            "groups": saved["param_groups"],
            "optimiser": rest,
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "curve": [asdict(epoch) for epoch in self.curve],
        }
        return {name: x.detach().cpu().contiguous() for name, x in tensors.items()}, about

    def restore(self, tensors: dict[str, torch.Tensor], about: dict[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.network.load_state_dict(
            {
                name.removeprefix("network/"): x
                for name, x in tensors.items()
                if name.startswith("network/")
            }
        )
        entries: dict[int, dict[str, Any]] = {
            int(index): dict(rest) for index, rest in about["optimiser"].items()
        }
        for name, x in tensors.items():
            if name.startswith("optimiser/"):
                _, index, key = name.split("/")
                weight = self.weights[int(index)]
                # In the weight's own memory format, which the fused operations need to be fast.
                x = torch.empty_like(weight).copy_(x) if x.shape == weight.shape else x
                entries.setdefault(int(index), {})[key] = x
        self.optimiser.load_state_dict({"state": entries, "param_groups": about["groups"]})
        self.schedule.load_state_dict(about["schedule"])
        self.scaler.load_state_dict(about["scaler"])
        self.order.set_state(tensors["generator/order"])
        self.drawn.set_state(tensors["generator/drawn"])
        if self.paths is not None:
            self.paths.set_state(tensors["generator/paths"])
        self.curve = [Epoch(**epoch) for epoch in about["curve"]]


def outputs(made: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(logits, the auxiliary head's or None) of what a network gives."""
    return made if isinstance(made, tuple) else (made, None)


def make_optimiser(weights: Sequence[nn.Parameter], s: Settings) -> torch.optim.Optimizer:
    if s.optimiser == "sgd":
        return torch.optim.SGD(
            weights,
            lr=s.learning_rate,
            momentum=s.momentum,
            weight_decay=s.weight_decay,
            nesterov=s.nesterov,
            foreach=True,
        )
    if s.optimiser == "rmsprop-tf":
        return TensorFlowRMSprop(
            weights, s.learning_rate, s.decay, s.momentum, s.epsilon, s.weight_decay
        )
    return torch.optim.RMSprop(
        weights, lr=s.learning_rate, alpha=s.decay, eps=s.epsilon, momentum=s.momentum,
        weight_decay=s.weight_decay, foreach=True,
    )  # fmt: skip
