"""A rate or a time beside its reference, and how seconds are taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax


@dataclass(frozen=True)
class Measure:
    """ours, reference: in `unit`, both higher-is-better rates or both seconds. note: what was
    compared."""

    name: str
    ours: float
    reference: float
    unit: str
    note: str

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.reference / self.ours if self.unit == "s" else self.ours / self.reference


def best_of(function: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the fastest run; the first one, which compiles, is not counted."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def seconds_of(function: Callable[[], Any]) -> float:
    """Seconds of the one run."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
