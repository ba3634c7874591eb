"""An agent that is told other answers than the true ones, so that what it asks shows whether it
reads them. What is looked up, counted and judged stays true: only `tell` hears something else."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from rlnas.agents import asked
from rlnas.agents.protocol import Agent
from rlnas.bench.benchmark import Arch, Benchmark, QueryResult, SearchSpace

Answers = Literal["true", "inverted", "permuted"]
"""true: as they are. inverted: 1 - v for every validation accuracy v, so that the best is the
worst. permuted: those of another architecture, always the same one in a run."""
ANSWERS: tuple[Answers, ...] = ("true", "inverted", "permuted")

PURPOSE = zlib.crc32(b"told")
"""Folded into a run's key: what is drawn here is nothing that the agent draws."""

Other = Callable[[Any, Arch], Arch]
"""drawn, architecture -> the one that answers in its place."""


class Told(NamedTuple):
    """state: the agent's own. drawn: which architecture answers for which. key: of the answers that
    are drawn; asked: how many there were."""

    state: Any
    drawn: Any
    key: Key[Array, ""]
    asked: Int[Array, ""]


def told(agent: Agent, benchmark: Benchmark, answers: Int[Array, ""]) -> Agent:
    """`agent` told `ANSWERS[answers]`, which may be traced: one program for all three, so that no
    rounding tells their searches apart.

    Each run permutes by its own key. The agent has the same key as without."""
    draw, other = swap(benchmark.space)

    def init(key: Key[Array, ""]) -> Told:
        swap_key, query_key = jax.random.split(jax.random.fold_in(key, PURPOSE))
        return Told(agent.init(key), draw(swap_key), query_key, jnp.int32(0))

    def ask(key: Key[Array, ""], told: Told) -> tuple[Arch, Told]:
        arch, state = agent.ask(key, told.state)
        return arch, told._replace(state=state)

    def tell(told: Told, arch: Arch, result: QueryResult) -> Told:
        key = jax.random.fold_in(told.key, told.asked)
        swapped = benchmark.query(other(told.drawn, arch), key)
        swapped = swapped._replace(valid=swapped.valid & ~jnp.isnan(swapped.val))
        inverted = result._replace(val=1 - result.val)
        heard = jax.tree.map(
            lambda *each: jax.lax.select_n(answers, *each), result, inverted, swapped
        )
        return told._replace(state=agent.tell(told.state, arch, heard), asked=told.asked + 1)

    return Agent(init, ask, tell)


def is_permutation(space: SearchSpace) -> bool:
    """Whether `swap` permutes `space`, or draws for each architecture by itself."""
    return asked.numbered(space)


def swap(space: Any) -> tuple[Callable[[Key[Array, ""]], Any], Other]:
    """(key -> drawn; `Other`). Where architectures are numbered, a permutation that leaves none in
    its place: one cycle through all, drawn uniformly. Else each has one that is drawn by a hash of
    it, and two may share theirs."""
    if is_permutation(space):

        def cycle(key: Key[Array, ""]) -> Int[Array, " size"]:
            order = jax.random.permutation(key, jnp.arange(space.size, dtype=jnp.int32))
            return jnp.zeros_like(order).at[order].set(jnp.roll(order, -1))

        def following(drawn: Int[Array, " size"], arch: Arch) -> Arch:
            number = space.index(arch)  # -1, of what is no architecture, is answered like the last
            return space.at(drawn[number])

        return cycle, following

    def hashed(drawn: Any, arch: Arch) -> Arch:
        key, weights = drawn
        digits = jnp.asarray(arch).astype(jnp.uint32).reshape(-1)
        for print_ in (weights * digits).sum(1, dtype=jnp.uint32):
            key = jax.random.fold_in(key, print_)
        return space.sample(key)

    def numbers(key: Key[Array, ""]) -> Any:
        digits = jax.eval_shape(space.sample, key).size
        key, weight_key = jax.random.split(key)
        # Odd weights, as of `asked`: architectures that differ share 64 bits next to never.
        return key, jax.random.bits(weight_key, (2, digits), jnp.uint32) | jnp.uint32(1)

    return numbers, hashed
