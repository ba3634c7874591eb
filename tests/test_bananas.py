"""BANANAS: what the ensemble learns, how a round is chosen, and a problem whose answer is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.bananas import Bananas, Known, sampled
from rlnas.agents.protocol import run_seeds, seed_keys
from rlnas.bench.errors import UserError
from rlnas.bench.stand_ins import GridBenchmark, scrambled

SMALL = Bananas(initial=6, round=4, steps=150, memory=40)


def known(key: int = 0) -> Known:
    """16 vectors of two bits each way; half of 12 queries have a value, the number of ones."""
    archs = jnp.arange(16, dtype=jnp.int32)
    codes = ((archs[:, None] >> jnp.arange(4)) & 1).astype(jnp.int8)
    places = jnp.array([0, 1, 2, 4, 8, 15, 3, 5, 6, 9, 10, 12])
    used = jnp.arange(12) < 6
    vals = jnp.where(used, codes[places].sum(1) / 10, -jnp.inf).astype(jnp.float32)
    allowed = jnp.ones(16, bool).at[jnp.array([15, 7])].set(False)
    return Known(archs, codes, allowed, codes[places], vals, used, jax.random.key(key))


def test_a_network_learns_from_the_queries_with_a_value() -> None:
    """All is finite, though half of the values are not; more ones are predicted to be better."""
    there = known()
    found = np.asarray(jax.jit(SMALL.predicted)(jax.random.key(1), there))[0]
    ones = np.asarray(there.codes).sum(1)
    assert np.isfinite(found).all()
    means = [float(found[ones == n].mean()) for n in range(5)]
    assert means == sorted(means) and means[4] - means[0] > 1.5


def test_networks_differ_and_draws_have_their_mean_and_spread() -> None:
    """Independent Thompson sampling: over many keys, a normal with the ensemble's moments."""
    predicted = jax.jit(SMALL.predicted)(jax.random.key(0), known())
    spread = np.asarray(predicted).std(0)
    assert (spread[jnp.array([7, 11, 13])] > 0.02).all()
    draws = np.asarray(jax.vmap(lambda key: sampled(key, predicted))(
        jax.random.split(jax.random.key(2), 4000)
    ))  # fmt: skip
    np.testing.assert_allclose(draws.mean(0), predicted.mean(0), atol=4.5 * spread.max() / 63)
    np.testing.assert_allclose(draws.std(0), spread, rtol=0.06)
    across = np.corrcoef(draws[:, [7, 11]].T)[0, 1]
    assert abs(across) < 0.06  # each candidate has a draw of its own


def test_a_round_is_the_largest_draws_of_those_allowed() -> None:
    there = known(3)
    picks = jax.jit(SMALL.chosen)(jnp.zeros(4, jnp.int32), there)
    train_key, draw_key = jax.random.split(there.key)
    predicted = jax.jit(SMALL.predicted)(train_key, there)
    draws = np.where(there.allowed, sampled(draw_key, predicted), -np.inf)
    assert picks.tolist() == np.argsort(-draws)[:4].tolist()
    twice = jax.tree.map(lambda x: x, there)._replace(archs=jnp.arange(16, dtype=jnp.int32) // 2)
    assert len(set(jax.jit(SMALL.chosen)(picks, twice).tolist())) == 4


def test_a_round_is_asked_as_chosen_and_trained_for_once() -> None:
    """Between two trainings nothing that is told changes what is asked; training is in a branch
    that stays one beside other searches."""
    agent = SMALL.build(GridBenchmark().space)
    ask, tell, query = jax.jit(agent.ask), jax.jit(agent.tell), GridBenchmark().query
    state = agent.init(jax.random.key(0))
    picks: list[Any] = []
    for t in range(14):
        arch, state = ask(jax.random.key(t), state)
        if t in (6, 10):
            picks = list(np.asarray(state.picks))
            assert len({pick.tobytes() for pick in picks}) == 4
        if t >= 6:
            assert (arch == picks.pop(0)).all()
        state = tell(state, arch, query(arch, jax.random.key(0)))
    many = jax.tree.map(lambda x: jnp.stack([x] * 3), state)
    keys = jax.random.split(jax.random.key(0), 3)
    said = str(jax.make_jaxpr(jax.vmap(agent.ask))(keys, many))
    assert said.count("cond[") == 1


def test_only_queries_with_a_value_are_learned_from() -> None:
    """Neither those without an answer, nor the room that is left."""
    seen: list[Any] = []

    @dataclass(frozen=True)
    class Telling(Bananas):
        def predicted(self, key: Any, known: Known) -> Any:
            jax.debug.callback(lambda used, vals: seen.append((used, vals)), known.used, known.vals)
            return super().predicted(key, known)

    there = scrambled(120, 6, missing=0.5)
    agent = Telling(initial=6, round=4, steps=2, memory=40).build(there.space)
    state, answers = agent.init(jax.random.key(0)), []
    for t in range(7):
        arch, state = agent.ask(jax.random.key(t), state)
        answers.append(there.query(arch, jax.random.key(0)))
        state = agent.tell(state, arch, answers[-1])
    jax.effects_barrier()
    (used, vals), known = seen[-1], [bool(answer.valid) for answer in answers[:6]]
    assert used.tolist() == [*known, *[False] * 34] and 0 < sum(known) < 6
    assert np.isfinite(vals[used]).all()


@pytest.mark.long
def test_it_finds_the_best_of_a_smooth_landscape() -> None:
    history = run_seeds(SMALL, GridBenchmark(), 34, seed_keys(0, 20))
    assert (np.asarray(history.val).max(axis=1) >= 79 / 128).mean() > 0.9
    assert np.asarray(history.is_new)[:, 6:].all()


def test_what_had_no_answer_is_not_asked_again() -> None:
    there = scrambled(120, 6, missing=0.5)
    history = run_seeds(SMALL, there, 40, seed_keys(0, 10))
    assert np.asarray(history.is_new)[:, 6:].all()
    assert not np.asarray(history.valid).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"round": 0}, "round=0; expected at least 1"),
        ({"parents": 600}, "parents=600; expected at most memory=512"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected above 0"),
    ],
)
def test_bad_settings_are_refused(options: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Bananas(**options)
