"""The search of `rlnas morph`: actors, or chance, choose edits of one start cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from rlnas.agents.options import Choice, OptionPolicy, stretched
from rlnas.analysis.morph.data import row_in
from rlnas.bench.nb101.cell import Cell
from rlnas.bench.nb101.edits import MOST, NUMBERS, Edit, Grown, described, edits_of
from rlnas.bench.nb101.space import CellSpace

METHODS = ("actors", "random edits")
MOST_REACHED = 3000
"""Cells up to which all that can be reached are counted."""
Options = list[tuple[Edit, Grown]]


class Edits:
    """The edits of cells that lead to cells of the table; looked up once a cell."""

    def __init__(self, space: CellSpace, max_vertices: int) -> None:
        self.space, self.max_vertices = space, max_vertices
        self._known: dict[Cell, Options] = {}

    def of(self, cell: Cell) -> Options:
        if cell not in self._known:
            self._known[cell] = [
                one
                for one in edits_of(cell, self.max_vertices)
                if row_in(self.space, one[1].cell) is not None
            ]
        return self._known[cell]

    def reached(self, start: Cell, count: int) -> set[int] | None:
        """The rows where an episode of so many edits may end; None where they are too many to
        count."""
        ends, front = set[int](), {start}
        for _ in range(count):
            following = set[Cell]()
            for cell in front:
                found = self.of(cell)
                if not found:
                    ends.add(self.space.row(cell))
                following |= {grown.cell for _, grown in found}
            if len(following) > MOST_REACHED:
                return None
            front = following
        return ends | {self.space.row(cell) for cell in front}


class Plan(NamedTuple):
    """What an episode has done. edits: of the start cell, in order; cell: what came of it."""

    cell: Cell
    edits: list[Edit]
    choices: list[Choice]


class Outcome(NamedTuple):
    """Of a trained cell. Fractions."""

    val: float
    test: float


class Lengths(NamedTuple):
    """Of a search."""

    edits: int
    episodes: int
    nets: int


def search(
    edits: Edits,
    start: Cell,
    policy: OptionPolicy,
    lengths: Lengths,
    method: str,
    seed: int,
    train: Callable[[Plan], Outcome],
) -> list[dict[str, Any]]:
    """A line a cell that was chosen, in order. All is drawn from `seed`: what `train` remembers
    from an interrupted search leads to the same lines.

    train: the outcome of a cell, once trained for all times. A cell that was there before is
    answered as it was then, and learnt from again (as EAS does).
    """
    learning = policy.init(jax.random.key(seed))
    lines: list[dict[str, Any]] = []
    seen: set[int] = set()
    for episode in range(lengths.episodes):
        plans, rewards = [], []
        for net in range(lengths.nets):
            rng = np.random.default_rng([seed, METHODS.index(method), episode, net])
            plan = draw(edits, start, policy, learning, lengths.edits, rng)
            outcome = train(plan)
            row = edits.space.row(plan.cell)
            said = "; ".join(map(str, plan.edits))
            lines.append(
                {"method": method, "seed": seed, "episode": episode, "row": row, "edits": said}
                | {"new": row not in seen}
                | outcome._asdict()
            )
            seen.add(row)
            plans.append(plan)
            rewards.append(stretched(outcome.val))
        if method == METHODS[0]:
            learning = policy.learn(learning, [plan.choices for plan in plans], rewards)
    return lines


def draw(
    edits: Edits,
    start: Cell,
    policy: OptionPolicy,
    learning: Any,
    count: int,
    rng: np.random.Generator,
) -> Plan:
    """So many edits, one after the other; fewer where there are no more."""
    plan = Plan(start, [], [])
    for _ in range(count):
        found = edits.of(plan.cell)
        if not found:
            break
        options = options_of(plan.cell, found)
        taken = int(rng.choice(len(found), p=policy.probabilities(learning, options)))
        edit, grown = found[taken]
        plan = Plan(grown.cell, [*plan.edits, edit], [*plan.choices, Choice(options, taken)])
    return plan


def options_of(cell: Cell, found: Sequence[tuple[Edit, Grown]]) -> np.ndarray:
    """float32 [K, NUMBERS]: what the policy sees."""
    return np.array([described(cell, edit) for edit, _ in found], np.float32)


def policy_of(rate: float, entropy: float) -> OptionPolicy:
    return OptionPolicy(NUMBERS, MOST, learning_rate=rate, entropy=entropy)
