"""From agents' settings to runs whose queries may be at any fidelity, under a budget of simulated
seconds or of queries, made or taken from disk."""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlnas.agents.fidelity import AsksFidelity, parts
from rlnas.agents.protocol import AgentConfig, Outside, seed_keys
from rlnas.agents.timed import TimedHistory
from rlnas.analysis import store
from rlnas.analysis.comparison.blocks import Source, run_apart
from rlnas.analysis.comparison.sweep import Contender, contenders, facts, identity_of
from rlnas.analysis.seconds import keep
from rlnas.analysis.seconds.blocks import TimedBlock, about, run_block, run_keys, runner
from rlnas.analysis.store import Run
from rlnas.bench.benchmark import Indexed
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.fidelity import Fidelities
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.progress import bar

BLOCK = 50
"""Seeds that run side by side, always so many: no run depends on how many there are."""
DRAWS, ALL = 1024, 1 << 20
"""Architectures that tell what queries cost; of numbered spaces up to the second size, all do."""


class Costs(NamedTuple):
    """Seconds of a look-up: the cheapest there is (of the drawn ones), and the means at the
    smallest and the largest fidelity."""

    cheapest: float
    smallest: float
    whole: float


@pinned()
def costs_of(fidelities: Fidelities) -> Costs:
    """`UserError` where seconds are not known."""
    space, top = fidelities.benchmark.space, fidelities.budgets.top
    if isinstance(space, Indexed) and space.size <= ALL:
        archs = jax.vmap(space.at)(jnp.arange(space.size, dtype=jnp.int32))
    else:
        archs = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), DRAWS))
    found = []
    for fidelity in (0, top):
        answers = _answers(fidelities, archs, jnp.int32(fidelity))
        seconds = np.asarray(answers.sim_seconds, np.float64)[np.asarray(answers.valid)]
        if not len(seconds) or np.isnan(seconds).any():
            raise UserError(
                f"{fidelities.benchmark.name} does not say how long all its trainings took; give "
                "--budget in place of --seconds, or another benchmark"
            )
        found.append(seconds)
    cheapest = min(float(seconds.min()) for seconds in found)
    return Costs(cheapest, *(float(seconds.mean()) for seconds in found))


@jax.jit
def _answers(fidelities: Any, archs: Any, fidelity: Any) -> Any:
    keys = jax.random.split(jax.random.key(0), len(archs))
    return jax.vmap(lambda arch, key: fidelities.query(arch, fidelity, key))(archs, keys)


def check_seconds(fidelities: Fidelities, seconds: float) -> Costs:
    """`UserError` for a budget that is not enough for the cheapest query."""
    costs = costs_of(fidelities)
    if not seconds >= costs.cheapest:
        raise UserError(
            f"--seconds is {seconds:g}, and the cheapest query of {fidelities.benchmark.name} "
            f"costs {costs.cheapest:,.2f}; expected more (a whole training takes "
            f"{costs.whole:,.0f} in the mean)"
        )
    return costs


@pinned()
def compare(
    fidelities: Fidelities,
    agents: Sequence[str] | Mapping[str, AgentConfig],
    *,
    seconds: float | None = None,
    queries: int = 0,
    seeds: int,
    seed: int,
    out: Path,
    redo: bool = False,
    left: list[str] | None = None,
    where: Executor = LOCAL,
    source: Source | None = None,
) -> list[Run]:
    """Every agent's run under a budget of seconds, or without one of queries; loaded from `out`
    when it is there and whole. left: takes why an agent cannot search here, and the others go on;
    else that is a `UserError`. where: blocks of agents that are JAX run there. source: how other
    machines open the benchmark."""
    costs = None if seconds is None else check_seconds(fidelities, seconds)
    limit = Limit(seconds, queries, costs)
    entered = contenders(agents)
    runs: list[Run] = []
    with bar(entered[0].label, seeds * len(entered), unit="run", leave=False) as progress:
        for contender in entered:
            progress.set_description(contender.label)
            folder, decides = _place(contender, fidelities, limit, seeds, seed, out)
            if store.is_done(folder) and not redo:
                try:
                    runs.append(keep.load(folder, contender.label))
                    progress.update(seeds)
                    continue
                except store.DamagedRun as error:
                    progress.write(f"rlnas: redoing {contender.label}: {error}", file=sys.stderr)
            try:
                started = time.monotonic()
                history = histories(
                    contender, fidelities, limit, seeds, seed, progress.update, where, source
                )
            except UserError as error:
                if left is None or len(entered) == 1:
                    raise
                left.append(str(error))
                continue
            about = facts(contender, fidelities.benchmark, history) | {"label": contender.label}
            keep.save(folder, decides, history, about, time.monotonic() - started)
            run = keep.load(folder, contender.label)
            runs.append(dataclasses.replace(run, new=True))
    if not runs:
        raise UserError("; ".join(left or ["no agents given"]))
    return runs


class Limit(NamedTuple):
    """What a run may spend: `seconds`, of which `costs` tells how many queries they are, or else
    `queries`."""

    seconds: float | None
    queries: int
    costs: Costs | None

    @property
    def high(self) -> float:
        return math.inf if self.seconds is None else self.seconds

    @property
    def said(self) -> dict[str, Any]:
        """In identities and manifests."""
        return {"budget": self.queries} if self.seconds is None else {"seconds": self.seconds}

    def room(self, config: AgentConfig) -> int:
        """Queries to make room for at first."""
        if self.seconds is None or self.costs is None:
            return self.queries
        outside = isinstance(config, Outside)
        short = not outside and isinstance(parts(config)[0], AsksFidelity)
        whole = self.seconds / max(self.costs.smallest if short else self.costs.whole, 1e-9)
        if outside:  # which makes all of them
            return math.ceil(1.1 * whole) + 5
        return 1 << max(6, math.ceil(math.log2(1.5 * whole)))


def _place(
    contender: Contender, fidelities: Fidelities, limit: Limit, seeds: int, seed: int, out: Path
) -> tuple[Path, dict[str, Any]]:
    decides = keep.identity(
        benchmark=fidelities.benchmark.describe(),
        fidelities=fidelities.budgets._asdict(),
        agent=contender.name,
        config=identity_of(contender.config),
        **limit.said,
        seed=seed,
        seeds=seeds,
        **store.decided_by(contender.config, fidelities, runner(contender.config)),
    )
    return store.folder_of(out, keep.KIND, decides), decides


def histories(
    contender: Contender,
    fidelities: Fidelities,
    limit: Limit,
    seeds: int,
    seed: int,
    progress: Any,
    where: Executor = LOCAL,
    source: Source | None = None,
) -> TimedHistory:
    """Of all seeds, as long as the longest. where, source: as of `compare`."""
    config, room = contender.config, limit.room(contender.config)
    outside = isinstance(config, Outside)
    starts = range(0, seeds, BLOCK)
    parts: dict[int, TimedHistory] = {}

    def made(start: int, part: TimedHistory) -> None:
        wanted = min(BLOCK, seeds - start)
        parts[start] = TimedHistory._make(x[:wanted] for x in part)
        progress(wanted)

    if where.executor == "local" or source is None or outside:
        keys = seed_keys(seed, seeds if outside else starts[-1] + BLOCK)
        for start in starts:
            part, room = run_keys(
                contender.label, config, fidelities, limit.seconds, keys[start : start + BLOCK],
                room,
            )  # fmt: skip
            made(start, part)
    else:
        apart = [
            TimedBlock(
                contender.label, config, source, limit.seconds, room, seed, start, BLOCK,
                about(fidelities), configuration(),
            )
            for start in starts
        ]  # fmt: skip
        run_apart(apart, where, made, run_block)
    found = [parts[start] for start in starts]
    length = max(int(part.made.sum(1).max()) for part in found)
    if not length:
        raise UserError(
            f"{contender.label} has no query that fits into {limit.high:g} s of "
            f"{fidelities.benchmark.name}; give more --seconds"
        )
    ends: dict[str, Any] = {"fidelity": -1, "val": np.nan, "reported": np.nan}
    columns: dict[str, Any] = {
        name: np.concatenate([
            _filled(getattr(part, name), length, ends.get(name, 0), name) for part in found
        ])
        for name in TimedHistory._fields
    }  # fmt: skip
    return TimedHistory(**columns)


def _filled(x: np.ndarray, length: int, end: Any, name: str) -> np.ndarray:
    """Cut, or filled up, to `length` queries."""
    short = length - x.shape[1]
    if short <= 0:
        return x[:, :length]
    rest = x[:, -1:] if name == "incumbent" else np.full((len(x), 1, *x.shape[2:]), end, x.dtype)
    return np.concatenate([x, np.repeat(rest, short, axis=1)], axis=1)
