"""Architectures as fixed sequences of masked choices (`rlnas.bench.benchmark.Decisions`): where
every digit is free, and where the digits are those of a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Int8, Int32, Key

from rlnas.bench.benchmark import Arch, Constructive, Decisions
from rlnas.bench.errors import UserError

RADIX = 8
"""Digits of a number have at most so many values."""


def decisions_of(space: Any, agent: str) -> Decisions:
    """Of a space; `UserError` for an agent whose space cannot be built choice by choice."""
    if not isinstance(space, Constructive):
        raise UserError(
            f"{agent} builds architectures choice by choice, and {type(space).__name__} has no "
            "`decisions`; choose another agent, or add them (rlnas.bench.benchmark.Constructive)"
        )
    return space.decisions


def complete(
    decisions: Decisions, taken: Int[Array, " T"], t: Any, key: Key[Array, ""]
) -> Int32[Array, " T"]:
    """The first `t` of `taken`, and then uniform draws among what is allowed."""
    sizes = decisions.sizes
    ranks = jax.random.uniform(key, (len(sizes), max(sizes)), jnp.float32)

    def choose(taken: Any, at: Any) -> tuple[Any, None]:
        choice = jnp.where(decisions.allowed(taken, at), ranks[at], -1).argmax().astype(jnp.int32)
        return taken.at[at].set(jnp.where(at < t, taken[at], choice)), None

    steps = jnp.arange(len(sizes), dtype=jnp.int32)
    return jax.lax.scan(choose, taken.astype(jnp.int32), steps)[0]


def uniform(decisions: Decisions, key: Key[Array, ""]) -> Int32[Array, " T"]:
    """A sequence of uniform draws among what is allowed. (Architectures are not equally likely.)"""
    return complete(decisions, jnp.zeros(len(decisions.sizes), jnp.int32), jnp.int32(0), key)


def starts(sizes: Sequence[int], memory: Sequence[int]) -> tuple[np.ndarray, int]:
    """For a summary of the step and of the `memory[t]` choices before it: the first number of each
    step, int32 [T], and how many numbers there are."""
    counts = [prod(sizes[t - m : t]) for t, m in enumerate(memory)]
    return np.cumsum([0, *counts[:-1]], dtype=np.int32), sum(counts)


def recent(
    sizes: Sequence[int], memory: Sequence[int], taken: Int[Array, " T"], t: Any
) -> Int32[Array, ""]:
    """The number of that summary: the choices as digits behind the first number of the step."""
    # weights[t, s]: what choice s counts at step t.
    weights = np.zeros((len(sizes), len(sizes)), np.int32)
    for step, remembered in enumerate(memory):
        for s in range(step - remembered, step):
            weights[step, s] = prod(sizes[s + 1 : step])
    first = jnp.asarray(starts(sizes, memory)[0])[t]
    return first + (jnp.asarray(weights)[t] * taken.astype(jnp.int32)).sum(dtype=jnp.int32)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class DigitDecisions:
    """An architecture of T digits that are free of each other, one step a digit.

    order: the digit of each step. memory: how many of the choices before it a step's `state`
    remembers.
    """

    sizes: tuple[int, ...] = field(metadata={"static": True})
    kinds: tuple[int, ...] = field(metadata={"static": True})
    order: tuple[int, ...] = field(metadata={"static": True})
    memory: tuple[int, ...] = field(metadata={"static": True})

    @classmethod
    def chain(cls, steps: int, size: int) -> Any:
        """Digits of one kind in their order; a state remembers the last one."""
        return cls((size,) * steps, (0,) * steps, tuple(range(steps)), (0, *[1] * (steps - 1)))

    def allowed(self, taken: Int[Array, " T"], t: Any) -> Bool[Array, " K"]:
        return jnp.arange(max(self.sizes)) < jnp.asarray(self.sizes)[t]

    def build(self, taken: Int[Array, " T"]) -> Int8[Array, " T"]:
        return taken[np.argsort(self.order)].astype(jnp.int8)

    def sequence(self, arch: Int[Array, " T"]) -> Int32[Array, " T"]:
        return arch[np.array(self.order)].astype(jnp.int32)

    @property
    def num_states(self) -> int:
        return starts(self.sizes, self.memory)[1]

    def state(self, taken: Int[Array, " T"], t: Any) -> Int32[Array, ""]:
        return recent(self.sizes, self.memory, taken, t)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IndexDecisions:
    """The architectures of any `Indexed` space: the digits of the number, the highest
    first. What digits mean depends on those before; a state remembers the last one."""

    space: Any

    @property
    def sizes(self) -> tuple[int, ...]:
        steps = 1
        while RADIX**steps < self.space.size:
            steps += 1
        radix = next(r for r in range(1, RADIX + 1) if r**steps >= self.space.size)
        return (radix,) * steps

    @property
    def kinds(self) -> tuple[int, ...]:
        return tuple(range(len(self.sizes)))

    def allowed(self, taken: Int[Array, " T"], t: Any) -> Bool[Array, " K"]:
        """Digits that leave the number below the size: the others are zero, or done."""
        weight = jnp.asarray(self._weights)
        done = jnp.arange(len(weight)) < t
        before = jnp.where(done, taken * weight, 0).sum(dtype=jnp.int32)
        digits = jnp.arange(max(self.sizes), dtype=jnp.int32)
        return before + digits * weight[t] < self.space.size

    def build(self, taken: Int[Array, " T"]) -> Arch:
        return self.space.at((taken * jnp.asarray(self._weights)).sum(dtype=jnp.int32))

    def sequence(self, arch: Arch) -> Int32[Array, " T"]:
        return self.space.index(arch) // jnp.asarray(self._weights) % max(self.sizes)

    @property
    def num_states(self) -> int:
        return starts(self.sizes, self._memory)[1]

    def state(self, taken: Int[Array, " T"], t: Any) -> Int32[Array, ""]:
        return recent(self.sizes, self._memory, taken, t)

    @property
    def _memory(self) -> tuple[int, ...]:
        return (0, *[1] * (len(self.sizes) - 1))

    @property
    def _weights(self) -> Int32[np.ndarray, " T"]:
        steps = len(self.sizes)
        return max(self.sizes) ** np.arange(steps - 1, -1, -1, dtype=np.int32)
