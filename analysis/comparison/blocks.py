"""Blocks of seeds as tasks that any machine can do: `--executor ray`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax

from rlnas import bench
from rlnas.agents.protocol import AgentConfig, History, run_seeds, seed_keys
from rlnas.agents.reward_words import asked_for
from rlnas.bench.benchmark import Benchmark
from rlnas.bench.executor import Executor, check_same
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.plugins import PluginError
from rlnas.bench.workers import Failure, Tell


@dataclass(frozen=True)
class Source:
    """How a benchmark is opened, where it is not sent."""

    name: str
    epochs: int | None = None
    noise: str = "mean"
    reward: str = ""
    objectives: tuple[str, ...] = ()


@cache  # one copy a worker process
def opened(source: Source) -> Benchmark:
    found = bench.load(source.name, epochs=source.epochs, noise=source.noise)
    asked = source.objectives or source.reward
    return asked_for(found, source.objectives, source.reward) if asked else found


@dataclass(frozen=True)
class Block:
    """`size` seeds from number `start` on. about, jax: of the benchmark, and of JAX, where the run
    was named."""

    label: str
    config: AgentConfig
    source: Source
    budget: int
    seed: int
    start: int
    size: int
    about: Mapping[str, Any]
    jax: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.label} on {self.source.name}, seeds from {self.start}"


@pinned()
def run_block(block: Block, tell: Tell) -> History:
    """One task, as `sweep.run_blocks` does it."""
    check_same("settings of JAX", configuration(), block.jax)
    benchmark = opened(block.source)
    check_same(block.source.name, benchmark.describe(), block.about)
    keys = seed_keys(block.seed, block.start + block.size)[block.start :]
    found: History = jax.device_get(run_seeds(block.config, benchmark, block.budget, keys))
    return found


def run_apart(
    blocks: Sequence[Any],
    where: Executor,
    made: Callable[[int, Any], None],
    function: Callable[[Any, Tell], Any] = run_block,
) -> None:
    """made: told of each block's start and history as soon as it is there. function: does a block.
    `PluginError` at the end for those that failed."""
    failures: dict[int, str] = {}

    def done(number: int, found: Any) -> None:
        if isinstance(found, Failure):
            failures[number] = f"{blocks[number]}: {found.reason}"
        else:
            made(blocks[number].start, found)

    where.run_all(function, blocks, None, lambda number, told: None, done)
    if failures:
        raise PluginError(
            f"{len(failures)} of {len(blocks)} tasks failed, first {failures[min(failures)]}; the "
            "same command does them again"
        )
