"""Architectures built choice by choice: every one is reached, and nothing else."""

from __future__ import annotations

from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nb101_cells import TOTALS
from rlnas.bench.benchmark import Constructive, Encoded
from rlnas.bench.decisions import IndexDecisions, complete, uniform
from rlnas.bench.errors import UserError
from rlnas.bench.nb101.cell import OPS, Cell, parse
from rlnas.bench.nb101.decisions import STOP
from rlnas.bench.nb101.space import CellSpace, make_space
from rlnas.bench.nb201.space import CellSpace as EdgeSpace
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.stand_ins import GridSpace, scrambled

KEYS = jax.random.split(jax.random.key(0), 300)


@pytest.fixture(scope="module")
def space() -> CellSpace:
    return make_space(np.arange(TOTALS[5]), 5)


def order(vertices: int) -> list[tuple[int, int]]:
    """(target, source) of every step; source -1 is the operation of target."""
    steps = [(y, x) for y in range(1, vertices) for x in range(-1, y)]
    return [step for step in steps if step != (vertices - 1, -1)]


def all_sequences(vertices: int, ops: tuple[int, ...]) -> np.ndarray:
    """int [N, T]: by brute force, all that say a cell with every vertex on a path and at most 9
    edges. Every vertex is there up to the first STOP; each has an edge in and an edge out."""
    steps = order(vertices)
    at_edge = np.array([source >= 0 for _, source in steps])
    bits = np.array(list(product((0, 1), repeat=int(at_edge.sum()))), np.int8)
    bits = bits[bits.sum(1) <= 9]
    found = []
    for labels in product((*ops, STOP), repeat=vertices - 2):
        count = labels.index(STOP) if STOP in labels else len(labels)
        if any(label != STOP for label in labels[count:]):
            continue
        there = [*range(count + 1), vertices - 1]
        edges = [step for step in steps if step[1] >= 0]
        good = np.ones(len(bits), bool)
        for column, (y, x) in enumerate(edges):
            good &= (bits[:, column] == 0) | (y in there and x in there)
        for vertex in there:
            into, out = ([step[end] == vertex for step in edges] for end in (0, 1))
            good &= bits[:, into].any(1) | (vertex == 0)
            good &= bits[:, out].any(1) | (vertex == vertices - 1)
        taken = np.empty((good.sum(), len(steps)), np.int8)
        taken[:, at_edge], taken[:, ~at_edge] = bits[good], labels
        found.append(taken)
    return np.concatenate(found)


def plain_cell(taken: Any, vertices: int) -> Cell:
    """The cell that a sequence says, as a matrix."""
    chosen = dict(zip(order(vertices), np.asarray(taken).tolist(), strict=True))
    inner = [v for v in range(1, vertices - 1) if chosen[v, -1] != STOP]
    there = [0, *inner, vertices - 1]
    matrix = [[chosen.get((y, x), 0) if x < y else 0 for y in there] for x in there]
    return parse(matrix, ["input", *(OPS[chosen[v, -1]] for v in inner), "output"])


def test_nas_bench_101_reaches_every_cell_by_each_of_its_forms(space: CellSpace) -> None:
    every = all_sequences(5, (0, 1, 2))
    built = np.asarray(jax.jit(jax.vmap(space.decisions.build))(every))
    assert len(every) == len(space.forms.rows)  # all forms with all labellings, each once
    np.testing.assert_array_equal(np.bincount(built), np.bincount(space.forms.rows))
    assert len(np.unique(built)) == space.size == TOTALS[5]
    for i in range(0, len(every), 37):
        assert built[i] == space.row(plain_cell(every[i], 5))


@pytest.mark.parametrize("vertices", [3, 6])
def test_allowed_is_what_can_still_become_a_cell(vertices: int) -> None:
    """For every beginning of every sequence (one operation stands for all three)."""
    space = make_space(np.arange(TOTALS[vertices]), vertices)
    every = all_sequences(vertices, (0,))
    allowed = jax.jit(jax.vmap(space.decisions.allowed, (0, None)))
    for t in range(every.shape[1]):
        begun, which = np.unique(every[:, :t], axis=0, return_inverse=True)
        expected = np.zeros((len(begun), 4), bool)
        expected[which.ravel(), every[:, t]] = True
        if order(vertices)[t][1] < 0:
            expected[:, 1] = expected[:, 2] = expected[:, 0]
        # What was not chosen yet may be anything.
        taken = np.pad(begun, ((0, 0), (0, every.shape[1] - t)), constant_values=1)
        np.testing.assert_array_equal(allowed(taken, t), expected)


def test_cells_of_seven_vertices_and_states_that_are_their_own() -> None:
    rows = np.concatenate([np.arange(TOTALS[4]), [TOTALS[6], TOTALS[7] - 1]])
    space = make_space(rows, 7)
    decisions = space.decisions
    assert len(decisions.sizes) == 26 and sum(decisions.kinds) == 21

    @jax.jit
    @jax.vmap
    def drawn(key: Any) -> Any:
        taken = uniform(decisions, key)
        at = jnp.arange(26)
        return taken, decisions.build(taken), jax.vmap(lambda t: decisions.state(taken, t))(at)

    taken, built, states = map(np.asarray, drawn(KEYS))
    cells = [plain_cell(each, 7) for each in taken]
    assert {cell.num_vertices for cell in cells} == {2, 3, 4, 5, 6, 7}
    for cell, row in zip(cells, built, strict=True):
        try:
            expected = space.row(cell)
        except UserError:
            expected = -1  # the table lacks it
        assert row == expected
    assert (built >= 0).any() and (built < 0).any()
    # A state says the step, the vertex's operation and the edges into it so far.
    assert decisions.num_states < 8000
    known: dict[int, Any] = {}
    for sequence, numbers in zip(taken, states, strict=True):
        for t, number in enumerate(numbers):
            target, source = order(7)[t]
            vertex = target - 1 if source < 0 else target
            near = [s for s in range(t) if order(7)[s][0] == vertex]
            seen = (t, *sequence[near]) if vertex != 6 else (t, *sequence[near], 6)
            assert known.setdefault(int(number), seen) == seen
    assert states.min() >= 0 and states.max() < decisions.num_states


def test_the_plain_encoding(space: CellSpace) -> None:
    assert isinstance(space, Encoded)
    plain = make_space(np.arange(TOTALS[4]), 7).plain_decisions
    assert plain.sizes == (2,) * 21 + (3,) * 5
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.integers(2, size=(4000, 21)), rng.integers(3, size=(4000, 5))], 1)
    valid = np.asarray(jax.jit(jax.vmap(plain.valid))(drawn))
    assert abs(valid.mean() - 0.274) < 0.03  # SYSTEMS_2, section 0
    edges = [(x, y) for y in range(7) for x in range(y)]
    for taken, said in zip(drawn[:200].tolist(), valid, strict=False):
        matrix = np.zeros((7, 7), int)
        for (x, y), bit in zip(edges, taken, strict=False):
            matrix[x, y] = bit
        try:
            parse(matrix.tolist(), ["input", *(OPS[op] for op in taken[21:]), "output"])
        except UserError:
            assert not said
        else:
            assert said == (sum(taken[:21]) <= 9)
    there = space.plain_decisions
    again = jax.jit(jax.vmap(lambda arch: there.build(there.sequence(arch))))
    every = np.arange(space.size)
    np.testing.assert_array_equal(again(every), every)


def test_a_part_of_the_cells_answers_minus_one() -> None:
    part = make_space(np.arange(0, TOTALS[4], 2), 4)
    whole = make_space(np.arange(TOTALS[4]), 4)
    every = all_sequences(4, (0, 1, 2))
    build = jax.jit(jax.vmap(lambda space, taken: space.decisions.build(taken), (None, 0)))
    rows = np.asarray(build(whole, every))
    np.testing.assert_array_equal(build(part, every), np.where(rows % 2, -1, rows // 2))


@pytest.mark.parametrize(
    "space", [EdgeSpace(5), EdgeSpace(4), GridSpace(), scrambled(120, 4).space]
)
def test_small_spaces_are_reached_wholly(space: Any) -> None:
    assert isinstance(space, Constructive)
    decisions = space.decisions
    every = np.array(list(product(*map(range, decisions.sizes))), np.int32)
    at = jnp.arange(every.shape[1])

    @jax.jit
    @jax.vmap
    def look(taken: Any) -> Any:
        allowed = jax.vmap(lambda t: decisions.allowed(taken, t)[taken[t]])(at).all()
        arch = decisions.build(taken)
        return allowed, arch, decisions.sequence(arch)

    allowed, built, again = map(np.asarray, look(every))
    assert len(np.unique(built[allowed], axis=0)) == allowed.sum() == space.size
    np.testing.assert_array_equal(again[allowed], every[allowed])


def test_states_remember_the_choices_near_them() -> None:
    edges = EdgeSpace(5).decisions
    taken = jnp.array([3, 1, 4, 0, 2, 2], jnp.int32)
    states = [int(edges.state(taken, t)) for t in range(6)]
    assert states == [0, 1 + 3, 6 + 1, 11 + 4, 16 + 0, 21 + 2] and edges.num_states == 26
    # A node of a DARTS cell: pair, operation, operation; node 2 has no pair to choose.
    darts = DartsSpace().decisions
    assert darts.sizes[:8] == (7, 7, 3, 7, 7, 6, 7, 7)
    taken = jnp.array([6, 5, 2, 4, 3, *[0] * 17], jnp.int32)
    found = [int(darts.state(taken, t)) for t in range(6)]
    # 1 + 7 states of node 2, then 1, 3 and 21 of node 3.
    assert found == [0, 1 + 6, 8, 9 + 2, 12 + 2 * 7 + 4, 33]
    numbers = IndexDecisions(scrambled(120, 4).space)
    assert numbers.sizes == (5, 5, 5)
    assert numbers.allowed(jnp.array([4, 3, 0]), 1).tolist() == [True] * 4 + [False]


def test_a_completion_keeps_what_was_taken() -> None:
    decisions = EdgeSpace(5).decisions
    taken = jnp.array([4, 3, 2, 1, 0, 1], jnp.int32)
    done = jax.vmap(lambda key: complete(decisions, taken, 3, key))(KEYS)
    assert (np.asarray(done)[:, :3] == [4, 3, 2]).all()
    counts = np.stack([np.bincount(column, minlength=5) for column in np.asarray(done)[:, 3:].T])
    assert (abs(counts - 60) < 30).all()  # uniform
