"""Runs under a budget of simulated seconds: a query that would pass it is not made."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, Int32, Key

from rlnas.agents import asked
from rlnas.agents.fidelity import Choice, FidelityAgent, build, parts
from rlnas.agents.protocol import AgentConfig
from rlnas.bench.benchmark import Arch
from rlnas.bench.fidelity import Fidelities, price
from rlnas.bench.jax_setup import check_pinned, pinned
from rlnas.bench.plugins import blamed
from rlnas.bench.program_memory import check_program

AT_ONCE = 64
"""Queries of a turn of the loop, which ends when all runs beside each other have."""
NUMBERED, LATEST = 1 << 16, 4096
"""What was paid is kept for every architecture of spaces up to that size; of others for so many
architectures, the latest that were new."""


class TimedHistory(NamedTuple):
    """One run in the order of its queries; [most] each, with leading [seeds].

    made: the query was made; what is behind the last of them says nothing. fidelity: place in
    `Budgets.epochs`. sim_seconds: what the query cost this run: 0 of what has no answer. reported:
    of the architecture's whole training, as of `History`. incumbent: position of the best valid
    observation so far, -1 before the first.
    """

    arch: Arch
    fidelity: Int[Array, "*seeds most"]
    val: Float[Array, "*seeds most"]
    reported: Float[Array, "*seeds most"]
    sim_seconds: Float[Array, "*seeds most"]
    valid: Bool[Array, "*seeds most"]
    made: Bool[Array, "*seeds most"]
    incumbent: Int[Array, "*seeds most"]


class Seconds(NamedTuple):
    """A sum of float32 numbers in two, which rounds none of them off: hours of training are added
    up to months, and a budget is exact."""

    high: Float32[Array, ""]
    low: Float32[Array, ""]

    @classmethod
    def of(cls, seconds: float) -> Seconds:
        high = np.float32(seconds)
        return cls(jnp.float32(high), jnp.float32(seconds - float(high)) if np.isfinite(high) else (
            jnp.float32(0)
        ))  # fmt: skip

    def plus(self, more: Float32[Array, ""]) -> Seconds:
        total = self.high + more
        back = total - self.high
        lost = (self.high - (total - back)) + (more - back)  # Knuth's two-sum
        low = self.low + lost
        high = total + low
        return Seconds(high, low - (high - total))

    def within(self, other: Seconds) -> Bool[Array, ""]:
        return (self.high < other.high) | ((self.high == other.high) & (self.low <= other.low))


class Paid(NamedTuple):
    """Seconds paid for architectures. prints: of those in each place, or () where the place is the
    architecture's number; new: how many were put there."""

    seconds: Float32[Array, " places"]
    prints: Any
    new: Int32[Array, ""]

    @classmethod
    def nothing(cls, space: Any, continues: bool, most: int) -> Paid:
        """Nothing is kept where trainings do not continue."""
        numbered = asked.numbered(space) and space.size <= NUMBERED
        places = 1 if not continues else space.size if numbered else min(most, LATEST)
        prints: Any = () if numbered or not continues else jnp.zeros((2, places), jnp.uint32)
        return cls(jnp.zeros(places, jnp.float32), prints, jnp.int32(0))

    def place(self, space: Any, arch: Arch) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
        """(where it is, or goes; whether it is there)."""
        if isinstance(self.prints, tuple):
            return jnp.maximum(space.index(arch), 0), jnp.bool_(True)
        places = self.prints.shape[1]
        same = (self.prints == asked.fingerprint(arch)[:, None]).all(0)
        same &= jnp.arange(places) < self.new
        there = same.any()
        return jnp.where(there, jnp.argmax(same), self.new % places).astype(jnp.int32), there

    def of(self, space: Any, arch: Arch) -> Float32[Array, ""]:
        at, there = self.place(space, arch)
        return jnp.where(there, self.seconds[at], 0.0)

    def add(self, space: Any, arch: Arch, seconds: Float32[Array, ""]) -> Paid:
        at, there = self.place(space, arch)
        total = jnp.where(there, self.seconds[at], 0.0) + seconds
        prints = self.prints
        if not isinstance(prints, tuple):
            prints = prints.at[:, at].set(asked.fingerprint(arch))
        return Paid(self.seconds.at[at].set(total), prints, self.new + ~there)


class Best(NamedTuple):
    """The incumbent: the best by validation at the highest fidelity seen so far, the earliest of
    equals; as HpBandSter's, whose incumbent is of the largest budget there is."""

    fidelity: Int32[Array, ""]
    val: Float32[Array, ""]
    position: Int32[Array, ""]

    @classmethod
    def none(cls) -> Best:
        return cls(jnp.int32(-1), jnp.float32(-jnp.inf), jnp.int32(-1))

    def or_better(self, fidelity: Any, val: Any, valid: Any, position: Any) -> Best:
        better = valid & (
            (fidelity > self.fidelity) | ((fidelity == self.fidelity) & (val > self.val))
        )
        new = Best(fidelity, val, position)
        return Best(*(jnp.where(better, a, b) for a, b in zip(new, self, strict=True)))


class Run(NamedTuple):
    """A run between two queries. root: of what answers for an architecture in this run."""

    root: Key[Array, ""]
    state: Any
    paid: Paid
    spent: Seconds
    over: Bool[Array, ""]
    best: Best
    queries: Int32[Array, ""]

    def key_of(self, arch: Arch) -> Key[Array, ""]:
        """The checkpoints of one training are of one repeat: where it is drawn, always by this."""
        first, second = asked.fingerprint(arch)
        return jax.random.fold_in(jax.random.fold_in(self.root, first), second)


def begin(agent: FidelityAgent, fidelities: Fidelities, most: int, key: Key[Array, ""]) -> Run:
    paid = Paid.nothing(fidelities.benchmark.space, fidelities.budgets.continues, most)
    state, spent = agent.init(key), Seconds.of(0.0)
    return Run(key, state, paid, spent, jnp.bool_(False), Best.none(), jnp.int32(0))


def step(
    agent: FidelityAgent,
    fidelities: Fidelities,
    limit: Seconds,
    run: Run,
    keys: tuple[Key[Array, ""], Key[Array, ""]],
) -> tuple[Run, TimedHistory]:
    """One query, unless it would pass the limit: then the run is over."""
    budgets, space = fidelities.budgets, fidelities.benchmark.space
    ask_key, query_key = keys
    choice, state = agent.ask(ask_key, run.state)
    choice = Choice(choice.arch, jnp.clip(choice.fidelity, 0, budgets.top).astype(jnp.int32))
    key = run.key_of(choice.arch) if budgets.continues else query_key
    result = fidelities.query(*choice, key)
    result = result._replace(valid=result.valid & ~jnp.isnan(result.val))
    paid = run.paid.of(space, choice.arch) if budgets.continues else jnp.float32(0)
    cost = price(budgets, result, paid)
    after = run.spent.plus(cost)
    # An unknown cost, NaN, is within no limit, but where there is none.
    made = ~run.over & (after.within(limit) | jnp.isinf(limit.high))
    result = result._replace(sim_seconds=jnp.where(result.valid, cost, jnp.nan))
    valid = made & result.valid
    best = run.best.or_better(choice.fidelity, result.val, valid, run.queries)
    bill = jnp.where(made, cost, 0.0)
    nan = jnp.float32(jnp.nan)
    said = TimedHistory(
        arch=choice.arch,
        fidelity=jnp.where(made, choice.fidelity, -1),
        val=jnp.where(valid, result.val, nan),
        reported=jnp.where(made, fidelities.benchmark.reported(choice.arch), nan),
        sim_seconds=bill,
        valid=valid,
        made=made,
        incumbent=best.position,
    )
    now = Run(
        run.root,
        agent.tell(state, choice, result),  # of a run that is over, nobody asks
        run.paid.add(space, choice.arch, bill) if budgets.continues else run.paid,
        Seconds(*(jnp.where(made, a, b) for a, b in zip(after, run.spent, strict=True))),
        run.over | ~made,
        best,
        run.queries + made,
    )
    return now, said


@pinned()
def run_timed(
    config: AgentConfig,
    fidelities: Fidelities,
    seconds: float,
    keys: Key[Array, " seeds"],
    most: int,
) -> TimedHistory:
    """A run for every key of `seed_keys`, side by side, in one compiled call: it ends before the
    query that would pass `seconds` (inf: no limit), and after `most` queries at the latest.

    Query number t has the key that it has in `run_search`, and no agent is told its budget: a run
    under less seconds is the beginning of one under more, and one that asks full fidelity makes the
    queries that it makes under a budget of queries (but for the repeats that `sample` draws, which
    are an architecture's where trainings continue). `UserError` for an agent that cannot.
    """
    check_pinned(keys[0])
    program, params = parts(config)
    what = f"agent {type(config).__name__}"
    name = fidelities.benchmark.name
    with blamed(f"benchmark {name!r}", fidelities.benchmark), blamed(what, type(config)):
        limit = Seconds.of(seconds)
        traced = _run_timed.trace(program, params, fidelities, most, limit, keys)
        said = f"{len(keys):,} searches of {type(config).__name__} side by side"
        check_program(traced, said, "choose smaller sizes among its options, or fewer seconds")
        return _run_timed(program, params, fidelities, most, limit, keys)


@partial(jax.jit, static_argnums=(0, 3))
def _run_timed(
    program: Any, params: Any, fidelities: Any, most: int, limit: Seconds, keys: Any
) -> TimedHistory:
    agent = build(program, params, fidelities.benchmark.space, fidelities.budgets)
    turns = -(-most // AT_ONCE)

    def start(key: Key[Array, ""]) -> tuple[Run, Any]:
        init_key, key = jax.random.split(key)
        each = jax.vmap(jax.random.split, out_axes=1)(jax.random.split(key, turns * AT_ONCE))
        return begin(agent, fidelities, most, init_key), (each[0], each[1])

    def some(run: Run, keys: Any, numbers: Any) -> tuple[Run, TimedHistory]:
        def one(run: Run, query: Any) -> tuple[Run, TimedHistory]:
            number, pair = query
            run = run._replace(over=run.over | (number >= most))
            return step(agent, fidelities, limit, run, pair)

        return jax.lax.scan(one, run, (numbers, keys))

    runs, each = jax.vmap(start)(keys)
    shapes = jax.eval_shape(
        jax.vmap(lambda run, pair: step(agent, fidelities, limit, run, pair)[1]),
        runs, jax.tree.map(lambda x: x[:, 0], each),
    )  # fmt: skip
    ends = {"fidelity": -1, "val": jnp.nan, "reported": jnp.nan}
    blank = TimedHistory(**{
        name: jnp.full((len(keys), turns * AT_ONCE, *x.shape[1:]), ends.get(name, 0), x.dtype)
        for name, x in shapes._asdict().items()
    })  # fmt: skip

    def turn(carry: Any) -> Any:
        number, runs, history = carry
        first = number * AT_ONCE

        def part(x: Any) -> Any:
            return jax.lax.dynamic_slice_in_dim(x, first, AT_ONCE, axis=1)

        numbers = first + jnp.arange(AT_ONCE, dtype=jnp.int32)
        runs, found = jax.vmap(some, in_axes=(0, 0, None))(runs, jax.tree.map(part, each), numbers)
        history = jax.tree.map(
            lambda all, new: jax.lax.dynamic_update_slice_in_dim(all, new, first, axis=1),
            history, found,
        )  # fmt: skip
        return number + 1, runs, history

    def going(carry: Any) -> Bool[Array, ""]:
        number, runs, _ = carry
        return (number < turns) & ~runs.over.all()

    _, runs, history = jax.lax.while_loop(going, turn, (jnp.int32(0), runs, blank))
    after = ~history.made & (jnp.arange(history.made.shape[1]) >= runs.queries[:, None])
    incumbent = jnp.where(after, runs.best.position[:, None], history.incumbent)
    return jax.tree.map(lambda x: x[:, :most], history._replace(incumbent=incumbent))
