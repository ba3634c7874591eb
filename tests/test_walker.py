"""The walk by scores: where it goes, what it does not ask again, what it learns from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlnas.agents.dqn import DQN, DQNLearner
from rlnas.agents.learner import Incremental, View
from rlnas.agents.networks import NetworkConfig
from rlnas.agents.protocol import run_search, seed_keys
from rlnas.agents.walker import walk
from rlnas.bench.errors import UserError
from rlnas.bench.rewards import Exponential
from rlnas.bench.stand_ins import islands, make, neighbour_lists, ring, scrambled

NETWORK = NetworkConfig(width=8, layers=1, heads=2, feed_forward=8)


class Moves(NamedTuple):
    """What a search was told to learn from, in order. params: none."""

    params: Any
    reward: Any
    made: Any
    at: Any  # [from, to, where it was seen to stand afterwards]


@dataclass(frozen=True)
class Recorder(Incremental):
    """Scores a neighbour by its number; instead of learning, it writes down what it is given."""

    neighbours: int = 4
    remembers: ClassVar[bool] = False
    updates: int = 1
    learning_rate: float = 1.0

    def score(self, space: Any, params: Any, view: View) -> Any:
        return view.archs[1:].astype(jnp.float32)

    def fresh(self, space: Any, key: Any, params: Any = None) -> Moves:
        return Moves((), jnp.zeros(32), jnp.zeros(32, bool), jnp.zeros((32, 3), int))

    def take_in(self, space, learning, move, made, queries, key) -> Moves:
        at = jnp.stack(
            [move.before.archs[0], move.before.archs[move.action + 1], move.after.archs[0]]
        )
        return Moves(
            (),
            learning.reward.at[queries].set(move.reward),
            learning.made.at[queries].set(made),
            learning.at.at[queries].set(at),
        )


class Remembering(Recorder):
    """Scores by the answer of the latest query, which only the memory in a view tells."""

    remembers: ClassVar[bool] = True

    def score(self, space: Any, params: Any, view: View) -> Any:
        memory = view.memory
        latest = memory.vals[(memory.queries - 1) % memory.vals.shape[0]]
        return jnp.where(latest > 0.5, 1.0, -1.0) * view.archs[1:]


def path(learner: Any, benchmark: Any, budget: int, **how: Any) -> tuple[np.ndarray, Any]:
    """The rows asked, and the last state."""
    agent, state = walk(learner, benchmark.space, None, **how), None
    state = agent.init(jax.random.key(0))
    ask, rows = jax.jit(agent.ask), []
    for key in jax.random.split(jax.random.key(1), budget):
        arch, state = ask(key, state)
        result = benchmark.query(arch, key)
        state = agent.tell(state, arch, result)
        rows.append(int(arch))
    return np.array(rows), state


@pytest.mark.parametrize("neighbours", [3, 6, 40])
def test_no_known_architecture_is_asked_while_an_unknown_neighbour_is_left(neighbours):
    """Also when fewer neighbours are shown than there are, or more; the best of them is asked."""
    benchmark = scrambled(60, 5)
    agent = walk(Recorder(neighbours=neighbours), benchmark.space, None)
    history = jax.jit(jax.vmap(lambda key: run_search(agent, benchmark, 80, key)))(seed_keys(0, 4))
    lists = neighbour_lists(benchmark)
    for asked in np.asarray(history.arch):
        known = {int(asked[0])}
        for here, there in pairwise(asked):
            unknown = lists[here] - known
            if unknown:
                assert int(there) in unknown
                if neighbours == 40:
                    assert int(there) == max(unknown)
            known.add(int(there))


def test_patience_starts_the_walk_afresh():
    """On a ring where nothing gets better, after every query; without patience, only when it has
    been all around."""
    benchmark = ring(np.full(200, 0.5))
    rows, _ = path(Recorder(), benchmark, 40, patience=1)
    assert (np.abs(np.diff(rows)) > 1).sum() > 30
    rows, _ = path(Recorder(), benchmark, 40)
    assert (np.abs(np.diff(rows)) % 198 == 1).all()


def test_known_cells_may_be_asked_again_on_request():
    every = make([[j for j in range(9) if j != i] for i in range(9)], np.linspace(0.1, 0.9, 9))
    rows, _ = path(Recorder(neighbours=8), every, 8, revisit=True)
    assert {*rows[-4:]} == {7, 8}, "the two of the highest scores, to and fro"
    rows, _ = path(Recorder(neighbours=8), islands(60, 4), 20, revisit=True)
    assert len(set(rows)) > 10, "not where no unknown neighbour is left"


def test_a_random_move_now_and_then():
    benchmark = ring(np.full(200, 0.5))
    greedy, _ = path(Recorder(), benchmark, 30)
    random, _ = path(Recorder(), benchmark, 30, epsilon=1.0, revisit=True)
    assert not np.array_equal(greedy, random)
    assert (np.diff(random) == 1).any() and (np.diff(random) == -1).any()


def test_what_is_learnt_from_is_every_move_with_the_gain_of_its_shaped_accuracy():
    """Not the starts, and nothing where an answer is missing on either side."""
    val = np.random.default_rng(0).uniform(0.3, 0.9, 40)
    val[::7] = np.nan
    benchmark = ring(val)
    learner = Recorder(alpha=2.0, reward_scale=3.0)
    rows, state = path(learner, benchmark, 30, learns=True, patience=3)
    moves: Moves = jax.tree.map(np.asarray, state.learning)
    made = 0
    here = None  # the row with a known value that the walk stands on
    for t, (before, after) in enumerate(pairwise(rows), 2):
        if not np.isnan(val[before]):
            here = before
        beside = here is not None and abs(here - after) in (1, 39)
        if t < len(rows) and moves.made[t]:
            made += 1
            assert beside and not np.isnan(val[after])
            assert moves.at[t].tolist() == [here, after, after]
            known = val[rows[:t]]  # relative to what the search has seen
            shaped = Exponential(2.0, 3.0, np.nanmedian(known), np.nanmax(known))
            gain = shaped(jnp.float32(val[after])) - shaped(jnp.float32(val[here]))
            assert moves.reward[t] == pytest.approx(float(gain), abs=1e-4)
        elif t < len(rows):
            assert not beside or np.isnan(val[after]) or moves.reward[t] == 0
    assert 5 < made < 25 and not moves.reward[~moves.made].any()


def test_a_learner_that_remembers_sees_the_answers_so_far():
    """Good answers send it to higher rows, bad ones to lower rows."""
    for val, step in ((0.9, 1), (0.1, -1)):
        rows, _ = path(Remembering(), ring(np.full(1000, val)), 20)
        assert np.diff(rows).tolist() == [step] * 19


@pytest.mark.long
def test_a_cold_search_learns_from_its_own_look_ups():
    """It keeps what it moved, and its parameters change with it."""
    benchmark = scrambled(60, 4)
    agent = DQN(neighbours=4).build(benchmark.space)
    state = first = agent.init(jax.random.key(0))
    ask = jax.jit(agent.ask)
    cold, gains = DQNLearner.cold(), []
    for key in jax.random.split(jax.random.key(1), 6):
        known, held = state.asked.vals, int(state.learning.replay.added)
        arch, state = ask(key, state)
        replay = state.learning.replay
        if replay.added > held:
            known = known[known > -np.inf]
            shaping = replace(cold.shaping, low=jnp.median(known), high=known.max())
            here, there = (x.archs[held, 0] for x in (replay.items.before, replay.items.after))
            gains.append(shaping(benchmark.val[there]) - shaping(benchmark.val[here]))
        state = agent.tell(state, arch, benchmark.query(arch, key))
    assert len(gains) > 1
    np.testing.assert_allclose(replay.items.reward[: len(gains)], gains, rtol=1e-3)
    pairs = zip(*(jax.tree.leaves(s.learning.params) for s in (first, state)), strict=True)
    assert all(not np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("text", ["x,patience=no", "epsilon=2", "checkpoint=x", "updates=-1"])
def test_bad_options_are_refused(text):
    with pytest.raises(UserError):
        DQN.from_spec(text)


def test_settings_for_learning_in_a_search_keep_what_the_checkpoint_decides():
    trained = DQNLearner(network=NETWORK, alpha=4.0, gamma=0.7)
    inside, cold = trained.fine_tuned(), DQNLearner.cold()
    taken = ("batch_size", "capacity", "n_step", "target_every")
    assert inside == replace(
        trained, learning_rate=1e-4, **{name: getattr(cold, name) for name in taken}
    )
    assert inside.n_step == 1 and cold.learning_rate == 1e-3
