"""The policies of `rlnas compress`, or chance: first what is removed, then what is shrunk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rlnas.agents.options import Choice, OptionPolicy
from rlnas.bench.nb101.reductions import (
    ACTIONS,
    KEEP,
    NUMBERS,
    REMOVE,
    STAGES,
    Decision,
    Student,
    decisions,
    described,
    edge_decisions,
    shrunk,
    without_edges,
    without_vertices,
)

METHODS = ("policies", "random choices")
IMPOSSIBLE = -1.0


class Outcome(NamedTuple):
    """Of a student. Fractions; reward as N2N has it."""

    row: int
    val: float
    test: float
    params: int
    reward: float


class Lengths(NamedTuple):
    """Of each stage."""

    batches: int
    rollouts: int


Train = Callable[[Student], Outcome | None]
"""None for a student that is not in the table."""


def policy_of(rate: float, entropy: float) -> OptionPolicy:
    return OptionPolicy(NUMBERS, len(ACTIONS), learning_rate=rate, entropy=entropy)


def search(
    teacher: Student,
    policy: OptionPolicy,
    lengths: Lengths,
    method: str,
    seeds: Sequence[int],
    train: Train,
) -> list[dict[str, Any]]:
    """A line a student, in order; all is drawn from `seeds`. An impossible student has no row.

    The second stage begins with the student of the first that had the highest reward, or with the
    teacher. Every rollout has an advantage of its own (N2N gives a batch's mean to all).
    """
    lines: list[dict[str, Any]] = []
    best, start = 0.0, teacher
    for stage in STAGES:
        learning = policy.init(jax.random.key(STAGES.index(stage)))
        base = start
        for batch in range(lengths.batches):
            played, rewards = [], []
            for place in range(lengths.rollouts):
                numbers = [*seeds, METHODS.index(method), STAGES.index(stage), batch, place]
                rng = np.random.default_rng(numbers)
                student, choices = rollout(base, stage, policy, learning, rng)
                outcome = train(student) if student else None
                reward = outcome.reward if outcome else IMPOSSIBLE
                if outcome:
                    line = {"method": method, "stage": stage, "batch": batch}
                    lines.append(line | outcome._asdict())
                if student and reward > best:
                    best, start = reward, student
                played.append(choices)
                rewards.append(reward)
            if method == METHODS[0]:
                learning = policy.learn(learning, played, rewards)
    return lines


def rollout(
    base: Student, stage: str, policy: OptionPolicy, learning: Any, rng: np.random.Generator
) -> tuple[Student | None, list[Choice]]:
    """A student, None for none that is possible, and what was chosen."""
    choices: list[Choice] = []

    def taken(student: Student, decision: Decision) -> str:
        options = np.array(described(student, decision), np.float32)
        shares = policy.probabilities(learning, options)
        choice = int(rng.choice(len(options), p=shares))
        choices.append(Choice(options, choice))
        return decision.actions[choice]

    actions = [(one.place, taken(base, one)) for one in decisions(base, stage)]
    if stage == "shrinkage":
        return shrunk(base, [action for _, action in actions]), choices
    gone = [place[0] for place, action in actions if action == REMOVE]
    student = without_vertices(base, gone)
    if student is None:
        return None, choices
    edges = [one.place for one in edge_decisions(student) if taken(student, one) != KEEP]
    return without_edges(student, edges), choices
