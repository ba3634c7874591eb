"""Brackets of successive halving: many architectures at a small fidelity, of which the best go on
to the next, and so on. What Hyperband, BOHB and successive halving share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Key

from rlnas.agents.fidelity import Choice, FidelityAgent
from rlnas.agents.occasional import when
from rlnas.bench.benchmark import Arch, QueryResult, SearchSpace
from rlnas.bench.budgets import Budgets
from rlnas.bench.errors import UserError

Kind = Literal["hpbandster", "paper"]


@dataclass(frozen=True)
class Bracket:
    """counts: how many architectures at each rung; fidelities: where."""

    counts: tuple[int, ...]
    fidelities: tuple[int, ...]


def rungs(budgets: Budgets, eta: float, least: int = 0) -> tuple[int, ...]:
    """Fidelities whose epochs are the largest there are up to R, R / eta, R / eta^2, ..., R being
    all epochs, down to `least` epochs (0: the fewest there are); ascending."""
    top = budgets.epochs[-1]
    low = min(max(least, budgets.epochs[0]), top)
    count = 1 + int(math.log(top / low) / math.log(eta) + 1e-9)
    found = []
    for k in range(count):
        wanted = top / eta**k * (1 + 1e-9)
        found.append(max(i for i, epochs in enumerate(budgets.epochs) if epochs <= wanted))
    return tuple(sorted(set(found)))


def bracket(n: int, s: int, ladder: Sequence[int], eta: float) -> Bracket:
    """n architectures at the rung s below the last, of which int(n / eta^k), one at least, are
    left after k."""
    counts = tuple(max(int(n * eta**-k + 1e-9), 1) for k in range(s + 1))
    return Bracket(counts, tuple(ladder[len(ladder) - 1 - s :]))


def hyperband(ladder: Sequence[int], eta: float, kind: Kind = "hpbandster") -> tuple[Bracket, ...]:
    """The brackets of one round, the most aggressive first. With `count` rungs, bracket s begins
    with floor(count / (s + 1)) x eta^s architectures as HpBandSter computes it, with
    ceil(count / (s + 1) x eta^s) in the paper."""
    count = len(ladder)
    found = []
    for s in range(count - 1, -1, -1):
        if kind == "hpbandster":
            n = int(math.floor(count / (s + 1)) * eta**s + 1e-9)
        else:
            n = math.ceil(count / (s + 1) * eta**s - 1e-9)
        found.append(bracket(n, s, ladder, eta))
    return tuple(found)


class Plan(NamedTuple):
    """A round, query by query: [queries] each. fidelity: of the query. place: among those of its
    rung. fresh: it asks a new architecture. last: it is the last of its rung; size: of how
    many."""

    fidelity: Any
    place: Any
    fresh: Any
    last: Any
    size: Any


def plan(brackets: Sequence[Bracket]) -> Plan:
    rows = [
        (fidelity, place, rung == 0, place == count - 1, count)
        for bracket in brackets
        for rung, (count, fidelity) in enumerate(
            zip(bracket.counts, bracket.fidelities, strict=True)
        )
        for place in range(count)
    ]
    columns = zip(*rows, strict=True)
    kinds = (np.int32, np.int32, bool, bool, np.int32)
    return Plan(*(np.array(x, kind) for x, kind in zip(columns, kinds, strict=True)))


class Racing(NamedTuple):
    """archs: of the rung, the best first once it is over; vals: their answers, -inf where there is
    none. queries: how many were told. model: of what proposes."""

    archs: Arch
    vals: Float32[Array, " places"]
    queries: Int32[Array, ""]
    model: Any


class Proposer(NamedTuple):
    """Where new architectures come from. init: key -> model. propose: (key, model, space) ->
    architecture, of nothing else that is traced. learn: (model, choice, result) -> model, told
    every answer. costly: it proposes only when it has to."""

    init: Callable[[Key[Array, ""]], Any]
    propose: Callable[[Key[Array, ""], Any, Any], Arch]
    learn: Callable[[Any, Choice, QueryResult], Any]
    costly: bool = False


def uniform(space: SearchSpace) -> Proposer:
    """New architectures are uniform draws."""
    return Proposer(
        lambda key: (),
        lambda key, model, space: space.sample(key),
        lambda model, choice, result: model,
    )


def racing(space: SearchSpace, brackets: Sequence[Bracket], proposer: Proposer) -> FidelityAgent:
    """The agent that goes through the brackets one after the other, round after round. An answer
    without a value is the worst; of equals the one that was asked first goes on."""
    steps = plan(brackets)
    places, length = int(steps.size.max()), len(steps.place)
    at_run_time = Plan(*map(jnp.asarray, steps))

    def init(key: Key[Array, ""]) -> Racing:
        model_key, key = jax.random.split(key)
        blank = jax.eval_shape(space.sample, key)
        archs = jnp.zeros((places, *blank.shape), blank.dtype)
        vals = jnp.full(places, -jnp.inf, jnp.float32)
        return Racing(archs, vals, jnp.int32(0), proposer.init(model_key))

    def at(state: Racing) -> Plan:
        return Plan(*(x[state.queries % length] for x in at_run_time))

    def ask(key: Key[Array, ""], state: Racing) -> tuple[Choice, Racing]:
        now = at(state)
        again = state.archs[now.place]
        if not proposer.costly:
            new = proposer.propose(key, state.model, space)
            return Choice(jnp.where(now.fresh, new, again), now.fidelity), state
        leaves, tree = jax.tree.flatten(space)

        def work(_: Arch, shared: Any) -> Arch:
            key, model, leaves = shared
            return proposer.propose(key, model, jax.tree.unflatten(tree, leaves))

        # All that are vmapped are due together.
        return Choice(when(now.fresh, work, again, (key, state.model, leaves)), now.fidelity), state

    def tell(state: Racing, choice: Choice, result: QueryResult) -> Racing:
        now = at(state)
        val = jnp.where(result.valid, result.val, -jnp.inf).astype(jnp.float32)
        archs, vals = state.archs.at[now.place].set(choice.arch), state.vals.at[now.place].set(val)
        archs = when(now.last, best_first, archs, (vals, now.size))
        model = proposer.learn(state.model, choice, result)
        return Racing(archs, vals, state.queries + 1, model)

    return FidelityAgent(init, ask, tell)


def best_first(archs: Arch, rung: tuple[Float32[Array, " places"], Int32[Array, ""]]) -> Arch:
    """The architectures of a rung, (values, how many), by descending value, the earliest of equals
    first; what is behind them anyhow."""
    vals, count = rung
    places = jnp.arange(len(vals), dtype=jnp.int32)
    theirs = jnp.where(places < count, vals, -jnp.inf)
    before = (theirs[:, None] > theirs) | (
        (theirs[:, None] == theirs) & (places[:, None] < places)
    )  # fmt: skip
    rank = before.sum(0, dtype=jnp.int32)  # of few numbers, many times: faster than sorting
    return archs[jnp.zeros_like(places).at[rank].set(places)]


def check_eta(name: str, eta: float, least: int) -> None:
    if not eta > 1:
        raise UserError(f"{name} has eta={eta}; expected more than 1")
    if least < 0:
        raise UserError(f"{name} has min_epochs={least}; expected 0 or more")
