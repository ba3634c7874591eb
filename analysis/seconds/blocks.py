"""Blocks of seeds whose queries may be at any fidelity; also as tasks that any machine can do:
`--executor ray`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from rlnas import bench
from rlnas.agents.protocol import AgentConfig, Outside, seed_keys
from rlnas.agents.timed import TimedHistory, run_timed
from rlnas.agents.timed_outside import run_timed_outside
from rlnas.analysis.comparison.blocks import Source
from rlnas.bench.errors import UserError
from rlnas.bench.executor import check_same
from rlnas.bench.fidelity import Fidelities
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.workers import Tell

MOST = 1 << 18
"""Queries of a run; look-ups without an answer cost nothing, and an agent might make no others."""


def runner(config: AgentConfig) -> Any:
    """Who makes the runs of an agent."""
    return run_timed_outside if isinstance(config, Outside) else run_timed


def run_keys(
    label: str,
    config: AgentConfig,
    fidelities: Fidelities,
    seconds: float | None,
    keys: Any,
    room: int,
) -> tuple[TimedHistory, int]:
    """(the runs, the room that they had). seconds: that each may spend; None: `room` queries.

    An agent that finds cheaper architectures than usual makes more queries than there was room for:
    then the block runs again with twice the room, and begins as before.
    """
    high = math.inf if seconds is None else seconds
    while True:
        found = runner(config)(config, fidelities, high, keys, room)
        part = TimedHistory._make(np.asarray(x) for x in found)
        if seconds is None or not part.made[:, -1].any():
            return part, room
        if room >= MOST:
            raise UserError(
                f"{label} makes more than {MOST:,} queries in {seconds:g} s of "
                f"{fidelities.benchmark.name}; give fewer --seconds"
            )
        room *= 2


@dataclass(frozen=True)
class TimedBlock:
    """`size` seeds from number `start` on. seconds, room: as of `run_keys`. about, jax: of the
    benchmark with its fidelities, and of JAX, where the run was named."""

    label: str
    config: AgentConfig
    source: Source
    seconds: float | None
    room: int
    seed: int
    start: int
    size: int
    about: Mapping[str, Any]
    jax: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.label} on {self.source.name}, seeds from {self.start}"


def about(fidelities: Fidelities) -> dict[str, Any]:
    """What tells it from another of that name."""
    return {**fidelities.benchmark.describe(), "fidelities": fidelities.budgets._asdict()}


@cache  # one copy a worker process
def opened(source: Source) -> Fidelities:
    return bench.load_fidelities(source.name, epochs=source.epochs, noise=source.noise)


@pinned()
def run_block(block: TimedBlock, tell: Tell) -> TimedHistory:
    """One task."""
    check_same("settings of JAX", configuration(), block.jax)
    fidelities = opened(block.source)
    check_same(block.source.name, about(fidelities), block.about)
    keys = seed_keys(block.seed, block.start + block.size)[block.start :]
    return run_keys(block.label, block.config, fidelities, block.seconds, keys, block.room)[0]
