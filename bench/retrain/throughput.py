"""What a training costs: peak memory, and images a second beside a plain loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import DataLoader

from rlnas.bench.retrain import augment, networks
from rlnas.bench.retrain.device import prepare
from rlnas.bench.retrain.fit import make_optimiser, outputs
from rlnas.bench.retrain.job import Job
from rlnas.bench.retrain.jobs import data_of, make_fit
from rlnas.bench.retrain.memory import peak_mb, reset_peak
from rlnas.bench.workers import Tell

LONGEST_S = 40.0
TURN = 4  # batches
CONTEXT_MB = 600  # what CUDA takes of a GPU for every process, about


@dataclass(frozen=True)
class Probe:
    """One model's speed is measured over `batches` batches, or for `LONGEST_S`."""

    job: Job
    batches: int


def compare(probe: Probe, tell: Tell) -> dict[str, float]:
    """{ours, plain: images a second; ours_peak_mb}, and on a GPU {side_by_side}: how many models of
    this size it could train at once without slowing one down much, by comparing a batch with one
    four times as large, and by its memory.

    plain: the network as its library makes it, in float32, fed image by image by a torch
    DataLoader, as the first version of any training script does. The two take turns, so that a busy
    machine is busy for both.
    """
    device, found = probe.job.engine.device, {}
    prepare(probe.job.engine)
    reset_peak(device)
    steps = {"ours": _our_step(probe.job)}
    _warm_up(steps["ours"])
    found["ours_peak_mb"] = peak_mb(device)
    steps["plain"] = _plain_step(probe.job)
    _warm_up(steps["plain"])
    found |= _rates(steps, probe.batches, device)
    if device != "cpu":
        found["side_by_side"] = _side_by_side(probe, found["ours"], found["ours_peak_mb"])
    return found


def plain_peak_mb(probe: Probe, tell: Tell) -> float:
    """Megabytes that the plain loop takes; for a process of its own, since memory that was freed
    still counts."""
    prepare(probe.job.engine)
    reset_peak(probe.job.engine.device)
    _warm_up(_plain_step(probe.job))
    return peak_mb(probe.job.engine.device)


def _side_by_side(probe: Probe, rate: float, peak: float) -> float:
    job, device = probe.job, probe.job.engine.device
    torch.cuda.empty_cache()
    fit = torch.cuda.mem_get_info(device)[0] / 1e6 / (1.3 * peak + CONTEXT_MB)
    try:
        larger = _our_step(
            replace(job, settings=replace(job.settings, batch_size=4 * job.settings.batch_size))
        )
        _warm_up(larger)
        fill = _rates({"larger": larger}, probe.batches, device)["larger"] / rate
    except torch.OutOfMemoryError:  # it holds no four of them
        fill = 1.0
    return max(1.0, min(fill, fit))


def _warm_up(step: Callable[[], int]) -> None:
    """Memory is found, kernels are chosen or compiled."""
    for _ in range(2):
        step()


def _rates(steps: dict[str, Callable[[], int]], batches: int, device: str) -> dict[str, float]:
    """Images a second of each of `steps`, which train a batch and say how many images it had; in
    turns."""

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize(device)

    seconds, images = dict.fromkeys(steps, 0.0), dict.fromkeys(steps, 0)
    for start in range(0, batches, TURN):
        for name, step in steps.items():
            wait()
            begun = time.perf_counter()
            images[name] += sum(step() for _ in range(min(TURN, batches - start)))
            wait()
            seconds[name] += time.perf_counter() - begun
        if sum(seconds.values()) > LONGEST_S:
            break
    return {name: images[name] / seconds[name] for name in steps}


def _our_step(job: Job) -> Callable[[], int]:
    fit = make_fit(job)
    size = min(job.settings.batch_size, len(fit.data.train))

    def step() -> int:
        index = torch.randperm(len(fit.data.train), generator=fit.order)[:size].to(
            job.engine.device
        )
        fit.network.train()
        fit.step(*fit.batch(index))
        fit.schedule.last_epoch = 0  # however many batches are measured, the rate stays the first
        return size

    return step


def _plain_step(job: Job) -> Callable[[], int]:
    data, s = data_of(job), job.settings
    network, weights = networks.make(
        job.model, s, data.channels, data.classes, job.seed, plain=True
    )
    network = network.to(job.engine.device).train()
    optimiser = make_optimiser(weights, s)
    images, labels = data.train.images.cpu(), data.train.labels.cpu()
    scale = data.to("cpu").scale
    drawn = torch.Generator().manual_seed(job.seed)

    class Images(torch.utils.data.Dataset):  # type: ignore[type-arg]
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            one = augment.before_scaling(images[index : index + 1], s, drawn)
            return augment.after_scaling(scale(one), s, drawn)[0], labels[index]

    def forever() -> Any:
        while True:
            yield from DataLoader(
                Images(), min(s.batch_size, len(labels)), shuffle=True, generator=drawn
            )

    batches = forever()

    def step() -> int:
        x, y = (part.to(job.engine.device) for part in next(batches))
        logits, auxiliary = outputs(network(x))
        loss = functional.cross_entropy(logits, y)
        if auxiliary is not None:
            loss = loss + s.auxiliary_weight * functional.cross_entropy(auxiliary, y)
        optimiser.zero_grad()
        loss.backward()
        if s.gradient_clip:
            torch.nn.utils.clip_grad_norm_(weights, s.gradient_clip)
        optimiser.step()
        loss.item()  # as a plain loop does, to show it
        return len(y)

    return step
