"""Zero-cost proxies of one architecture's network, as it is before its training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from rlnas.bench.retrain import networks
from rlnas.bench.retrain.datasets import Dataset
from rlnas.bench.retrain.plan import NetworkPlan
from rlnas.bench.retrain.presets import Settings
from rlnas.bench.retrain.zero_cost import PROXIES


def proxies_of(
    plan: NetworkPlan,
    settings: Settings,
    data: Dataset,
    proxies: Sequence[str],
    batch: int,
    seed: int,
) -> dict[str, float | None]:
    """name -> value, None where there is no finite one. Weights and batch are drawn from `seed`:
    the weights are those with which its training with that seed began."""
    network, _ = networks.make(plan, settings, data.channels, data.classes, seed)
    order = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(data.train), generator=order)[:batch]
    images, labels = data.scale(data.train.images[chosen]), data.train.labels[chosen]
    values = {name: PROXIES[name](network, images, labels) for name in proxies}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
