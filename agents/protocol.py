"""How agents and benchmarks meet: ask/tell agents, and a runner that counts and keeps the best."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from rlnas.agents import asked
from rlnas.bench import keys
from rlnas.bench.benchmark import NO_OBJECTIVES, Arch, Benchmark, QueryResult, SearchSpace
from rlnas.bench.beside import compiled
from rlnas.bench.jax_setup import check_pinned, pinned
from rlnas.bench.plugins import blamed
from rlnas.bench.program_memory import check_program

State = Any
"""An agent's state: any pytree of fixed shape."""


class Agent(NamedTuple):
    """Three pure functions. The runner (or a real training loop) calls init once, then ask and tell
    in turn."""

    init: Callable[[Key[Array, ""]], State]
    """key -> state"""
    ask: Callable[[Key[Array, ""], State], tuple[Arch, State]]
    """key, state -> (the architecture to look up, state)"""
    tell: Callable[[State, Arch, QueryResult], State]
    """state, architecture, result -> state. `result.val` may be NaN (`valid` False): it must do no
    harm."""


@runtime_checkable
class AgentConfig(Protocol):
    """The settings of an agent: a frozen, hashable dataclass, one file an algorithm."""

    def build(self, space: SearchSpace) -> Agent:
        """The agent on `space`. Called while tracing: use the space's arrays, copy none of them."""


@runtime_checkable
class Pretrained(Protocol):
    """Settings of an agent that may have been trained before the search."""

    @property
    def pretraining(self) -> dict[str, Any] | None:
        """What was looked up before the search, JSON-ready: {"lookups": how many queries,
        "trained_on": on what}; None where nothing was. "training", where it is there, is the same
        for trainings that differ by their seeds only: runs of these are one agent of a
        comparison. "how", where it was no training: what captions say, e.g. `knows`."""

    def unseen(self, benchmark: Benchmark, archs: np.ndarray) -> np.ndarray | None:
        """bool: which architectures (of `benchmark`, any leading shape) were never looked up
        before; None where that is unknown."""


@runtime_checkable
class Parametrised(Protocol):
    """Settings of an agent with parameters, which are traced: agents that differ in these alone
    share a compiled program."""

    def identity(self) -> dict[str, Any]:
        """What decides its searches, JSON-ready; not where the parameters lie."""

    def parts(self) -> tuple[Any, Any]:
        """(what is compiled, a frozen and hashable dataclass with a method build(space, params);
        params, a pytree of arrays, or None where there are none and `build(space)` does)."""


@runtime_checkable
class Outside(Protocol):
    """Settings of an agent that searches outside JAX, every run by itself: it is not built."""

    def identity(self) -> dict[str, Any]:
        """What decides its searches, JSON-ready."""

    def search_outside(
        self,
        benchmark: Benchmark,
        budget: int,
        keys: Key[Array, " seeds"],
        done: Callable[[int, History], None],
    ) -> None:
        """A run of exactly `budget` queries for every key, in any order; done: told the number of
        the key and its `History` of numpy arrays, [budget] each, as soon as it is there."""


@runtime_checkable
class Remarking(Protocol):
    """Settings that have something to say of their searches, beside what is measured of all."""

    def remarks(
        self, benchmark: Benchmark, keys: Key[Array, " seeds"], history: History
    ) -> tuple[str, ...]:
        """Sentences for reports of the runs that these keys have made, each of one line."""


class History(NamedTuple):
    """One run, in the order of the queries; [budget] each, with leading [seeds] when vmapped.

    arch: the architectures looked up. val: validation accuracy as observed. reported: what the
    search is judged by (`Benchmark.reported`; the agent never saw it). sim_seconds: simulated
    training seconds of the query. valid: the look-up had an answer. is_new: first look-up of this
    architecture in the run.
    incumbent: position of the best valid observation so far, -1 before the first. objectives: of
    a benchmark asked for several (`rlnas.bench.objectives`), what is to be minimised, the error
    first, with a last axis [k]; of others k is 0.
    """

    arch: Arch
    val: Float[Array, "*seeds budget"]
    reported: Float[Array, "*seeds budget"]
    sim_seconds: Float[Array, "*seeds budget"]
    valid: Bool[Array, "*seeds budget"]
    is_new: Bool[Array, "*seeds budget"]
    incumbent: Int[Array, "*seeds budget"]
    objectives: Float[Array, "*seeds budget k"] = NO_OBJECTIVES  # type: ignore[assignment]


def filled(history: History) -> History:
    """`history` of an agent outside JAX that may tell no objectives."""
    if history.objectives.ndim > 1:
        return history
    nothing: Any = np.zeros((*history.val.shape, 0), np.float32)
    return history._replace(objectives=nothing)


def first_seen(space: SearchSpace, archs: Arch) -> Bool[Array, " budget"]:
    """Where [budget] architectures stand for the first time; of a numbered space, what is outside
    counts as one."""
    if not asked.numbered(space):
        return first_in(archs)

    def look(seen: Any, arch: Arch) -> tuple[Any, Bool[Array, ""]]:
        return asked.note(space, seen, arch), ~asked.knows(space, seen, arch)

    return jax.lax.scan(look, asked.nothing(space), archs)[1]


def first_in(archs: Arch) -> Bool[Array, " n"]:
    """The same without a space. Sorted, equal ones lie side by side, the earliest first; comparing
    all pairs would cost n^2."""
    many = archs.shape[0]
    words = _words(archs.reshape(many, -1)).T
    *columns, order = jax.lax.sort((*words, jnp.arange(many)), num_keys=len(words) + 1)
    repeats = jnp.stack([column[1:] == column[:-1] for column in columns]).all(axis=0)
    return jnp.ones(many, bool).at[order[1:]].set(~repeats)


def _words(archs: Int[Array, "budget digits"]) -> Int[Array, "budget words"]:
    """Small digits packed into 32-bit words: fewer keys to sort by."""
    width = 4 // archs.dtype.itemsize
    if width < 2:
        return archs
    padded = jnp.pad(archs, ((0, 0), (0, -archs.shape[1] % width)))
    return jax.lax.bitcast_convert_type(padded.reshape(len(archs), -1, width), jnp.int32)


def best_so_far(
    val: Float[Array, " budget"], valid: Bool[Array, " budget"]
) -> Int[Array, " budget"]:
    """Position of the best valid value up to each query, the earliest of equals; -1 before the
    first."""

    def look(best: Any, answer: Any) -> tuple[Any, Int[Array, ""]]:
        val, valid, number = answer
        better = valid & (val > best[0])
        best = jnp.where(better, val, best[0]), jnp.where(better, number, best[1])
        return best, best[1]

    # A scan, in which many runs go side by side: an eighth of the time of two `cummax`.
    none = jnp.array(-jnp.inf, val.dtype), jnp.int32(-1)
    return jax.lax.scan(look, none, (val, valid, jnp.arange(len(val), dtype=jnp.int32)))[1]


def run_search(agent: Agent, benchmark: Benchmark, budget: int, key: Key[Array, ""]) -> History:
    """One run of exactly `budget` queries. Pure: jit it, vmap it over keys (`run_seeds` does both).

    No agent is told its budget, and query number t has the same key whatever that is: a shorter run
    is the beginning of a longer one (of a surrogate: up to the rounding of its sums).

    The incumbent is the best observation by validation accuracy; the earliest wins a tie.
    `UserError` where JAX would draw other numbers than `rlnas.bench.pinned` ones.
    """
    check_pinned(key)
    init_key, key = jax.random.split(key)

    def query(
        state: State, key: tuple[Key[Array, ""], Key[Array, ""]]
    ) -> tuple[State, tuple[Arch, QueryResult, Any]]:
        ask_key, query_key = key
        arch, state = agent.ask(ask_key, state)
        result = benchmark.query(arch, query_key)
        result = result._replace(valid=result.valid & ~jnp.isnan(result.val))
        # Here, not for all at once behind: float sums may depend on how many are asked together.
        return agent.tell(state, arch, result), (arch, result, benchmark.reported(arch))

    keys = jax.vmap(jax.random.split, out_axes=1)(jax.random.split(key, budget))
    _, (archs, results, reported) = jax.lax.scan(query, agent.init(init_key), (keys[0], keys[1]))
    return History(
        arch=archs,
        val=results.val,
        reported=reported,
        sim_seconds=results.sim_seconds,
        valid=results.valid,
        is_new=first_seen(benchmark.space, archs),
        incumbent=best_so_far(results.val, results.valid),
        objectives=results.objectives,
    )


@pinned()
def run_seeds(
    config: AgentConfig, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> History:
    """`run_search` for every key of `seed_keys` at once; fields gain a leading [seeds]. Under any
    settings of JAX the same; `UserError` for keys of another kind."""
    what = f"agent {type(config).__name__}"
    with blamed(f"benchmark {benchmark.name!r}", benchmark), blamed(what, type(config)):
        return _all_seeds(config, benchmark, budget, keys)


def _all_seeds(
    config: AgentConfig, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> History:
    if isinstance(config, Outside):
        runs: dict[int, History] = {}
        config.search_outside(benchmark, budget, keys, lambda i, x: runs.update({i: filled(x)}))
        return jax.tree.map(lambda *x: np.stack(x), *(runs[i] for i in range(len(runs))))
    program, params = _parts(config)
    traced = _run_seeds.trace(program, params, benchmark, budget, keys)
    what = f"{len(keys):,} searches of {type(config).__name__} side by side"
    check_program(traced, what, "choose smaller sizes among its options, or a smaller budget")
    return _run_seeds(program, params, benchmark, budget, keys)


def prepare_seeds(
    config: AgentConfig, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> None:
    """`run_seeds` with such arguments then has nothing left to compile (`rlnas.bench.beside`)."""
    if not isinstance(config, Outside):
        compiled(_run_seeds, *_parts(config), benchmark, budget, keys)


def _parts(config: AgentConfig) -> tuple[Any, Any]:
    return config.parts() if isinstance(config, Parametrised) else (config, None)


@partial(jax.jit, static_argnums=(0, 3))
def _run_seeds(
    program: Any, params: Any, benchmark: Benchmark, budget: int, keys: Key[Array, " seeds"]
) -> History:
    space = benchmark.space
    agent = program.build(space) if params is None else program.build(space, params)
    return jax.vmap(lambda key: run_search(agent, benchmark, budget, key))(keys)


@pinned()
def seed_keys(seed: int, seeds: int, purpose: keys.Purpose = "search") -> Key[Array, " seeds"]:
    """The keys of a run: seed number i has the same key however many seeds run beside it."""
    root = keys.root(seed, purpose)
    return jax.vmap(lambda i: jax.random.fold_in(root, i))(jnp.arange(seeds))
