"""What a trained agent is held against: rankings, and itself under inverted answers."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from averages import AveragesLearner
from rlnas.agents.evaluate import evaluate
from rlnas.agents.protocol import Agent, seed_keys
from rlnas.analysis.interrupts import noted
from rlnas.analysis.training.blind import same_queries
from rlnas.analysis.training.controls import FOREST, ONCE, PARAMETERS, controls
from rlnas.bench import keys
from rlnas.bench.benchmark import Sizes
from tables import small_benchmark

QUERIES = (1, 3, 10)


def test_rankings_are_of_what_was_shown_and_cost_what_was_looked_up():
    benchmark = small_benchmark(4)
    places = np.arange(0, 91, 3)
    part = benchmark.restrict(places)
    found = {control.name: control for control in controls(benchmark, part, QUERIES, 0)}
    val, test = np.asarray(benchmark.mean_val), np.asarray(benchmark.mean_test)
    best = places[val[places].argmax()]
    assert found[ONCE].lookups == len(places)
    assert found[ONCE].val == pytest.approx([val[best]] * 3)
    assert found[ONCE].reported == pytest.approx([test[best]] * 3)
    assert isinstance(benchmark.space, Sizes)
    largest = np.argsort(-benchmark.space.trainable_parameters(), kind="stable")
    assert found[PARAMETERS].lookups == 0
    assert found[PARAMETERS].val == pytest.approx([val[largest[:q]].max() for q in QUERIES])
    if FOREST in found:  # it may know better, but never less than nothing
        assert found[FOREST].lookups == len(places) and found[FOREST].val[-1] >= np.median(val)


@dataclass(frozen=True)
class Walks(AveragesLearner):
    """Its agent goes from cell to cell of 91; if it `reads`, further where the last answer was
    good."""

    reads: bool = False

    def agent(self, space: Any, params: Any) -> Agent:
        def tell(state: Any, arch: Any, result: Any) -> Any:
            return (arch + 1 + 40 * (self.reads & (result.val > 0.5))) % 91

        return Agent(lambda key: space.sample(key), lambda key, state: (state, state), tell)


def test_an_agent_that_reads_no_answers_is_found_out():
    shares = []
    for reads in (False, True):
        searches = Walks(reads=reads), (), small_benchmark(4), seed_keys(0, 8), (20,)
        shares.append(same_queries(*searches, evaluate(*searches, False)[1]))
    assert shares[0] == 1.0 and shares[1] < 0.7


def test_ctrl_c_waits_until_it_is_asked_for():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with noted() as stopped:
            assert not stopped.asked
            os.kill(os.getpid(), signal.SIGINT)
            assert stopped.asked
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_purposes_have_keys_of_their_own():
    roots = [keys.root(3, p) for p in get_args(keys.Purpose)]
    drawn = {int(jax.random.bits(root)) for root in roots}
    assert len(drawn) == len(roots)
    assert (jax.random.key_data(roots[0]) == jax.random.key_data(jax.random.key(3))).all()
    searched, judged = seed_keys(0, 50), seed_keys(0, 50, "evaluation")
    both = jnp.concatenate([jax.random.key_data(x) for x in (searched, judged)])
    assert len({tuple(row) for row in np.asarray(both).tolist()}) == 100
