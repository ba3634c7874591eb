"""How long a network takes to answer: milliseconds a batch, on one thread of the CPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch

from rlnas.bench.retrain import networks
from rlnas.bench.retrain.plan import NetworkPlan
from rlnas.bench.retrain.presets import Settings

WARM_UP = 3
"""Runs that are not counted: memory is found, kernels are chosen."""


def milliseconds(
    plan: NetworkPlan,
    settings: Settings,
    image: tuple[int, ...],
    classes: int,
    batches: Sequence[int],
    runs: int,
) -> list[float]:
    """The median of `runs` forward passes for each size of a batch, of the network as it was
    trained, with weights as drawn (they change nothing), in evaluation mode. image: channels,
    height, width."""
    torch.set_num_threads(1)
    network, _ = networks.make(plan, settings, image[0], classes, seed=0)
    network.eval()
    found = []
    with torch.inference_mode():
        for size in batches:
            images = torch.randn(size, *image, generator=torch.Generator().manual_seed(0))
            times = []
            for _ in range(WARM_UP + runs):
                start = time.perf_counter()
                network(images)
                times.append(1e3 * (time.perf_counter() - start))
            found.append(statistics.median(times[WARM_UP:]))
    return found
