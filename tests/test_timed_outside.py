"""Searchers outside JAX under a budget of seconds: what runs inside JAX do, and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rlnas import bench
from rlnas.agents.bridge import Bridge
from rlnas.agents.protocol import History, seed_keys
from rlnas.agents.random_search import RandomSearch
from rlnas.agents.timed import run_timed
from rlnas.agents.timed_outside import cut, run_timed_outside
from rlnas.bench.errors import UserError


def history(archs: list[int], seconds: list[float], valid: list[bool] | None = None) -> History:
    real = np.array(valid or [True] * len(archs))
    val = np.where(real, np.linspace(0.5, 0.9, len(archs)), np.nan).astype(np.float32)
    best = np.maximum.accumulate(np.where(real, np.arange(len(archs)), -1)).astype(np.int32)
    cost = np.where(real, seconds, np.nan).astype(np.float32)
    return History(np.array(archs, np.int32), val, val, cost, real, real, best)


def test_a_run_ends_before_the_query_that_passes_its_seconds() -> None:
    found = cut(history([3, 4, 3, 5], [10, 20, 10, 5]), 39.9, 2, continues=False)
    assert found.made.tolist() == [True, True, False, False]  # nor the cheap one behind it
    assert found.fidelity.tolist() == [2, 2, -1, -1]
    assert found.sim_seconds.tolist() == [10, 20, 0, 0]
    assert found.incumbent.tolist() == [0, 1, 1, 1]
    assert np.isnan(found.val[2:]).all() and np.isnan(found.reported[2:]).all()
    assert cut(history([3, 4, 3, 5], [10, 20, 10, 5]), 40.0, 2, False).made.sum() == 3


def test_what_is_trained_already_costs_nothing_where_trainings_continue() -> None:
    found = cut(history([3, 4, 3, 5], [10, 20, 10, 5]), 30.0, 2, continues=True)
    assert found.sim_seconds.tolist() == [10, 20, 0, 0]
    assert found.made.tolist() == [True, True, True, False]


def test_no_answer_costs_nothing_and_unknown_seconds_end_it() -> None:
    found = cut(history([3, 4, 5], [10, 99, 10], [True, False, True]), 20.0, 0, False)
    assert found.made.all() and found.valid.tolist() == [True, False, True]
    unknown = history([3, 4, 5], [10, np.nan, 10])
    assert cut(unknown, 100.0, 0, False).made.tolist() == [True, False, False]
    assert cut(unknown, np.inf, 0, False).made.all()
    nothing = cut(history([3], [10]), 9.0, 0, False)
    assert nothing.incumbent.tolist() == [-1] and not nothing.made.any()


@pytest.mark.parametrize("seconds", [60.0, np.inf])
def test_it_is_as_inside(seconds: float) -> None:
    """The draws of `random_search` by a bridge are its run, all of it."""
    fidelities, keys = bench.load_fidelities("nb101-digits"), seed_keys(0, 3)
    bridge: Any = Bridge("outside_searchers:Replay", workers=0)
    outside = run_timed_outside(bridge, fidelities, seconds, keys, 64)
    inside = run_timed(RandomSearch(), fidelities, seconds, keys, 64)
    assert seconds == np.inf or 3 < outside.made.sum(1).min() < outside.made.sum(1).max() < 64
    for name, mine, theirs in zip(inside._fields, outside, inside, strict=True):
        theirs = np.asarray(theirs)
        known = np.ones(mine.shape, bool) if name in ("made", "incumbent") else inside.made
        np.testing.assert_array_equal(mine[known], theirs[known], err_msg=name)


def test_it_draws_no_repeats_of_a_training_that_goes_on() -> None:
    fidelities = bench.load_fidelities("nb101-digits", noise="sample")
    bridge: Any = Bridge("outside_searchers:Draws", workers=0)
    with pytest.raises(UserError, match="give --noise mean"):
        run_timed_outside(bridge, fidelities, 60.0, seed_keys(0, 1), 4)
