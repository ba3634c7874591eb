"""From agents' settings to stored runs: seeds in equal blocks, so that a kill loses one block at
most, and more seeds or a shorter budget take what is there."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlnas import bench
from rlnas.agents.protocol import (
    AgentConfig,
    History,
    Outside,
    Parametrised,
    Pretrained,
    Remarking,
    filled,
    run_search,
    run_seeds,
    seed_keys,
)
from rlnas.agents.reward_words import asked_for
from rlnas.agents.spec import Entry, parse_all, split
from rlnas.agents.timed import TimedHistory
from rlnas.analysis import store
from rlnas.analysis.comparison.blocks import Block, Source, run_apart
from rlnas.analysis.rehearsal import check_rehearsal
from rlnas.analysis.settings import BASELINES, check_at_least, check_folder, check_seed
from rlnas.bench.arguments import shown
from rlnas.bench.benchmark import Benchmark, Bounded, Indexed, Part
from rlnas.bench.errors import UserError
from rlnas.bench.executor import LOCAL, Executor
from rlnas.bench.files import expanded
from rlnas.bench.jax_setup import configuration, pinned
from rlnas.bench.plugins import PluginError, blamed, origin_of
from rlnas.bench.program_memory import check_memory
from rlnas.bench.progress import bar

BLOCK = 10
"""Seeds that run side by side, always so many, in the same places: float sums may depend on how
many there are, and no run shall depend on what was asked for before."""


@dataclasses.dataclass(frozen=True)
class Contender:
    """An agent in a comparison. name: as registered. label: as asked for, e.g.
    `evolution:population=30`."""

    name: str
    label: str
    config: AgentConfig


@pinned()
def compare(
    benchmark: str | Benchmark = "nb101-digits",
    agents: Sequence[str] | Mapping[str, AgentConfig] = BASELINES,
    *,
    budget: int = 150,
    seeds: int = 200,
    seed: int = 0,
    noise: str = "mean",
    epochs: int | None = None,
    rehearsal: bool = False,
    reward: str = "",
    out: Path | str = "runs",
    redo: bool = False,
    failed: list[PluginError] | None = None,
    where: Executor = LOCAL,
    source: Source | None = None,
) -> list[store.Run]:
    """Every agent's stored run: loaded from `out` when it is done and whole, else made.

    benchmark: a name or a path, loaded with `noise` and `epochs`; or a benchmark as it is. agents:
    words as `rlnas compare --agents` takes them, or settings by label. reward: a word for
    what is searched for instead of accuracy. failed: takes the agents of
    others that fail, and the rest goes on. where: agents that are JAX run there. source: how other
    machines open a benchmark that is given as it is. The rest: as its options. Raises `UserError`
    for an option out of its range, an unknown agent or benchmark, and a benchmark that is for
    training or rehearsing on.
    """
    check_at_least(1, " query", budget=budget)
    check_at_least(2, ", an interval needs them", seeds=seeds)
    check_seed(seed)
    out = Path(expanded(str(out)))
    check_folder(out)
    entered = contenders(agents)
    size = 24 + 4 * 32  # a query's numbers and, at most, architecture
    check_memory(size * float(budget) * seeds, f"{seeds:,} runs of {budget:,} queries",
                 "choose fewer --seeds or a smaller --budget")  # fmt: skip
    searched: Benchmark = (
        bench.load(benchmark, epochs=epochs, noise=noise)
        if isinstance(benchmark, str)
        else benchmark
    )
    check_rehearsal(searched, rehearsal)
    if searched.distilled:
        raise UserError(
            f"{searched.name} is distilled, for training on; compare on what it imitates, "
            f"--benchmark {searched.distilled}"
        )
    if reward:
        searched = asked_for(searched, (), reward)
    if isinstance(benchmark, str):
        source = Source(benchmark, epochs, noise)
    if source and reward:
        source = dataclasses.replace(source, reward=reward)
    runs = []
    total = seeds * len(entered)
    with bar(entered[0].label, total, unit="run", leave=False) as progress:
        for contender in entered:
            progress.set_description(contender.label)
            spec = spec_of(contender, searched, budget, seed, seeds)
            folder = out / spec.hash
            if redo:
                store.forget_parts(folder)
            try:
                if store.is_done(folder) and not redo:
                    runs.append(store.load(folder, contender.label))
                    progress.update(seeds)
                    continue
            except store.DamagedRun as error:
                progress.write(f"rlnas: redoing {contender.label}: {error}", file=sys.stderr)
            known = None if redo else store.longest(out, spec)
            try:
                runs.append(
                    run_agent(
                        contender, searched, spec, folder, progress.update, known, where, source
                    )
                )
            except PluginError as error:
                if failed is None or len(entered) == 1:
                    raise
                failed.append(error)
    if failed and not runs:
        raise failed[0]
    return runs


def contenders(agents: Sequence[str] | Mapping[str, AgentConfig]) -> list[Contender]:
    """`UserError` for an unknown agent or option, for none, and for the same agent twice."""
    found: list[Contender] = []
    if isinstance(agents, Mapping):
        given = [Entry(split(label)[0], label, config) for label, config in agents.items()]
    else:
        given = parse_all(agents)
    labels: dict[str, str] = {}
    for name, label, config in given:
        same = labels.setdefault(store.hash_of([name, identity_of(config)]), label)
        if len(labels) == len(found):
            raise UserError(f"agents {same} and {label} are the same; give one of them")
        found.append(Contender(name, label, config))
    return found


def identity_of(config: AgentConfig) -> dict[str, Any]:
    """What of an agent's settings decides its searches."""
    if isinstance(config, Parametrised | Outside):
        return config.identity()
    return dataclasses.asdict(config)  # type: ignore[call-overload, no-any-return]


def spec_of(
    contender: Contender, benchmark: Benchmark, budget: int, seed: int, seeds: int
) -> store.RunSpec:
    """The identity of the run."""
    return store.RunSpec(
        benchmark=benchmark.describe(),
        agent=contender.name,
        config=identity_of(contender.config),
        budget=budget,
        seed=seed,
        seeds=seeds,
        **store.decided_by(contender.config, benchmark, run_search),
    )


def facts(
    contender: Contender, benchmark: Benchmark, history: History | TimedHistory
) -> dict[str, Any]:
    """What figures and tables need besides the history, so that they can be redrawn without the
    benchmark.

    pretraining: null, or what the settings of a trained agent (`Pretrained`) say: {"lookups": how
    many queries were spent before the search, "trained_on": on what}. Where they can tell what was
    seen in training, "unseen_incumbents" has, for each query, the share of runs whose incumbent is
    new to it.
    """
    pretraining: dict[str, Any] | None = None
    if isinstance(contender.config, Pretrained) and contender.config.pretraining:
        pretraining = dict(contender.config.pretraining)
        unseen = contender.config.unseen(benchmark, history.arch)
        if unseen is not None:
            found = np.take_along_axis(unseen, np.maximum(history.incumbent, 0), axis=1)
            share = (found & (history.incumbent >= 0)).mean(0)
            pretraining["unseen_incumbents"] = share.round(6).tolist()
    return {
        "reports": benchmark.reports,
        "optimum": float(benchmark.optimum),
        "architectures": float(benchmark.space.size),
        "pretraining": pretraining,
    }


def remarks(
    contender: Contender, benchmark: Benchmark, spec: store.RunSpec, history: History
) -> dict[str, Any]:
    """What the agent has to say of its searches, where it has."""
    if not isinstance(contender.config, Remarking):
        return {}
    with blamed(f"agent {contender.label}", type(contender.config)):
        said = contender.config.remarks(benchmark, seed_keys(spec.seed, spec.seeds), history)
    return {"remarks": list(said)}


@partial(jax.jit, static_argnums=2)
def _inside(benchmark: Any, archs: Any, whole: bool) -> Any:
    """bool [n]: of each architecture; a program for all blocks and agents of a benchmark."""
    space, inside = benchmark.space, jnp.ones(len(archs), bool)
    if isinstance(space, Bounded):
        inside &= jax.vmap(space.contains)(archs)
    if whole and isinstance(space, Indexed):
        inside &= jax.vmap(space.index)(archs) >= 0
    return inside


def check_inside(contender: Contender, benchmark: Benchmark, history: History) -> None:
    """`PluginError` for an agent that asked for what is no architecture. In a part of a space what
    is built by choices may not be there, which the look-up answered; it counts as a query."""
    space = benchmark.space
    whole = not (isinstance(space, Part) and space.size < space.whole)
    archs = np.asarray(history.arch)
    flat = archs.reshape(-1, *archs.shape[2:])
    outside = ~np.asarray(_inside(benchmark, flat, whole))
    if outside.any():
        raise PluginError(
            f"agent {contender.label} of {origin_of(type(contender.config))} asked for "
            f"{shown(flat[outside.argmax()].tolist())}, which is no architecture of "
            f"{benchmark.name} ({outside.sum():,} of {len(flat):,} queries); mend or remove it"
        )


def beginning(known: store.Run | None, seeds: int) -> dict[str, Any] | None:
    """What of a stored run is taken over into one of `seeds` seeds, whole blocks: whose it is, how
    many seeds."""
    if known is None:
        return None
    there = known.manifest["seeds"]
    kept = seeds if seeds <= there else there // BLOCK * BLOCK
    said = {key: known.manifest[key] for key in ("hash", "created", "versions")}
    return {**said, "seeds": kept} if kept else None


def run_blocks(
    config: AgentConfig | Outside,
    benchmark: Benchmark,
    budget: int,
    seed: int,
    starts: Sequence[int],
    made: Callable[[int, History], None],
) -> None:
    """Run the blocks that begin with seeds number `starts`; made: told of each as soon as it is
    there. A block is one seed of what searches outside JAX, else `BLOCK`, whatever is asked for:
    one shape, one compilation."""
    if not starts:
        return
    keys = seed_keys(seed, starts[-1] + BLOCK)
    if isinstance(config, Outside):
        each = keys[np.array(starts)]
        config.search_outside(
            benchmark,
            budget,
            each,
            lambda i, run: made(starts[i], History(*(x[None] for x in filled(run)))),
        )
        return
    for start in starts:
        made(
            start, jax.device_get(run_seeds(config, benchmark, budget, keys[start : start + BLOCK]))
        )


def run_agent(
    contender: Contender,
    benchmark: Benchmark,
    spec: store.RunSpec,
    folder: Path,
    progress: Callable[[int], None] = lambda seeds: None,
    known: store.Run | None = None,
    where: Executor = LOCAL,
    source: Source | None = None,
) -> store.Run:
    """Run all seeds, store the run in `folder`, load it back. progress: told how many seeds have
    been finished. known: a run of the same search that is not shorter; its seeds are not run again.
    where, source: as of `compare`.

    Seed number i has its own key, so the blocks decide nothing but what is on disk when the process
    is killed.
    """
    started = time.monotonic()
    block = 1 if isinstance(contender.config, Outside) else BLOCK
    blocks = {start: min(start + block, spec.seeds) for start in range(0, spec.seeds, block)}
    # Blocks of other versions are no part of this run.
    made_by = "-".join(store.versions().values())
    there = beginning(known, spec.seeds)
    kept = there["seeds"] if there else 0
    parts: dict[int, History] = {}

    def path(start: int) -> Path:
        return folder / f"{store.PART}-{start:06d}-{blocks[start]:06d}-{made_by}.npz"

    def finished(start: int, part: History) -> None:
        parts[start] = part
        progress(blocks[start] - start)

    def made(start: int, found: History) -> None:
        check_inside(contender, benchmark, found)
        part = History._make(np.asarray(x)[: blocks[start] - start] for x in found)
        if len(blocks) > 1:
            store.save_history(path(start), part)
        finished(start, part)

    for start, stop in blocks.items():
        if known and stop <= kept:
            finished(start, History._make(x[start:stop, : spec.budget] for x in known.history))
            continue
        with suppress(store.DamagedRun):
            finished(start, store.load_history(path(start), stop - start, spec.budget))
    missing = [start for start in blocks if start not in parts]
    if where.executor == "local" or source is None or block < BLOCK:
        run_blocks(contender.config, benchmark, spec.budget, spec.seed, missing, made)
    else:
        apart = [
            Block(
                contender.label, contender.config, source, spec.budget, spec.seed, start, BLOCK,
                benchmark.describe(), configuration(),
            )
            for start in missing
        ]  # fmt: skip
        run_apart(apart, where, made)
    history = History._make(
        np.concatenate(fields) for fields in zip(*(parts[start] for start in blocks), strict=True)
    )
    wall = time.monotonic() - started
    store.save(
        folder,
        spec,
        history,
        label=contender.label,
        facts=facts(contender, benchmark, history)
        | {"beginning": there}
        | remarks(contender, benchmark, spec, history),
        wall_seconds=wall,
    )
    store.forget_parts(folder)
    return dataclasses.replace(store.load(folder, contender.label), new=True)
