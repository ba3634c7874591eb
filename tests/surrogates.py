"""An invented surrogate of NAS-Bench-301 for the tests: random weights, no file."""

from __future__ import annotations

from rlnas.bench.nb301.benchmark import SurrogateBenchmark
from rlnas.bench.nb301.distilled import invented
from rlnas.bench.noise import Noise


def invented_benchmark(noise: str = "mean", seed: int = 0) -> SurrogateBenchmark:
    return SurrogateBenchmark(invented(seed), "nb301-invented", 98, Noise.parse(noise))
