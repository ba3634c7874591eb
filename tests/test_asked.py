"""What a search has asked, against a Python set: with a bit for each architecture, and without."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents import asked
from rlnas.bench.nb201.space import CellSpace
from rlnas.bench.nb301.genotype import DartsSpace
from rlnas.bench.stand_ins import GridSpace, ring

ROWS = 64  # fills its words: what is outside has a bit of its own


@pytest.mark.parametrize(
    ("space", "places", "numbered"),
    [
        (ring(np.ones(ROWS)).space, 512, True),
        (CellSpace(4), 512, True),
        (GridSpace(), 512, False),
        (GridSpace(), 7, False),
        (DartsSpace(), 7, False),
        (ring(np.ones(ROWS)).space, 0, False),
    ],
    ids=["rows", "cells", "vectors", "the last 7 vectors", "cell pairs", "nothing"],
)
def test_what_was_asked_is_known(space: Any, places: int, numbered: bool) -> None:
    few = jax.vmap(space.sample)(jax.random.split(jax.random.key(0), 30))
    queries = few[np.random.default_rng(1).integers(30, size=60)]

    @jax.jit
    def told(state: Any, arch: Any) -> tuple[Any, Any]:
        state = asked.note(space, state, arch)
        return state, jax.vmap(lambda arch: asked.knows(space, state, arch))(few)

    state = asked.nothing(space, places)
    assert isinstance(state, asked.Latest) == (not numbered)
    names = [row.tobytes() for row in np.asarray(few)]
    trail: list[bytes] = []
    for arch in queries:
        state, known = told(state, arch)
        trail.append(np.asarray(arch).tobytes())
        kept = trail if numbered else trail[-places:] if places else []
        assert known.tolist() == [name in kept for name in names]


def test_what_is_outside_is_no_architecture_of_the_space() -> None:
    space = ring(np.ones(ROWS)).space
    state = asked.note(space, asked.nothing(space), jnp.int32(-1))
    every = jnp.arange(ROWS, dtype=jnp.int32)
    assert not jax.vmap(lambda arch: asked.knows(space, state, arch))(every).any()
    assert asked.knows(space, state, jnp.int32(ROWS))


def test_neighbours_not_asked() -> None:
    space = ring(np.ones(9)).space
    state = asked.note(space, asked.nothing(space), jnp.int32(3))
    assert [asked.unasked(space, state, jnp.int32(i)).sum() for i in range(6)] == [2, 2, 1, 2, 1, 2]
